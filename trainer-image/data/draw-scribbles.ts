import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { brushRadius, forEachPixelNear } from './brush.ts';
import type { Point } from './brush.ts';
import { findStrokes } from './degrade.ts';
import { createRandom } from './random.ts';
import { createRegion, findPath, smoothPath } from './stroke-path.ts';
import type { Region } from './stroke-path.ts';
import type { LabelMap } from './types.ts';

export interface ScribbleOptions {
  /** Scribbles depend on it, on the id and on the mask, on nothing else. */
  readonly seed: number;
  /** Name of the image, so that equal masks get different scribbles. */
  readonly id: string;
  /** Width of a stroke, in pixels. */
  readonly width?: number;
  /** Share of the image's pixels that the strokes cover at most; they are shortened to meet it, though never below a few widths. */
  readonly coverage?: number;
}

export const DEFAULT_SCRIBBLE_WIDTH = 3;
export const DEFAULT_SCRIBBLE_COVERAGE = 0.03;

/** Parts smaller than this share of the image are not worth a person's stroke, unless their class has no other: foreground, background. */
const SMALLEST_PART = { foreground: 0.001, background: 0.01 } as const;
/** A stroke keeps at least this many widths of its length when it is shortened. */
const SHORTEST_WIDTHS = 3;

interface PlannedStroke {
  readonly label: number;
  readonly region: Region;
  readonly path: readonly Point[];
  /** Where in the path the stroke lies: 0 at its start, 1 at its end. */
  readonly place: number;
  /** Length in points that the hand would draw, were there no limit. */
  readonly points: number;
}

/** The connected parts that get a stroke: all that are large enough, and the largest one of each class. */
function chooseParts(mask: LabelMap): { label: number; pixels: Int32Array }[] {
  const parts = findStrokes(mask).map((pixels) => ({ label: mask.data[pixels[0]], pixels }));
  const largest = new Map<number, number>();
  for (const { label, pixels } of parts) largest.set(label, Math.max(largest.get(label) ?? 0, pixels.length));
  return parts.filter(({ label, pixels }) => {
    const smallest = SMALLEST_PART[label === 0 ? 'background' : 'foreground'] * mask.data.length;
    return pixels.length === largest.get(label) || pixels.length >= smallest;
  });
}

/** Keeps the largest connected part: cutting a stroke off at the region's outline can split it. */
function largestPart(region: Region, painted: Uint8Array): Int32Array {
  const data = painted.map((value) => (value === 1 ? 1 : IGNORE_INDEX));
  return findStrokes({ width: region.width, height: region.height, data }).reduce((a, b) => (b.length > a.length ? b : a));
}

/** The pixels of a stroke as indices into the region's rectangle; `share` shortens it. */
function strokePixels(stroke: PlannedStroke, share: number, width: number): Int32Array {
  const { region, path } = stroke;
  const points = Math.min(
    path.length,
    Math.max(Math.round(stroke.points * share), Math.min(stroke.points, Math.ceil(SHORTEST_WIDTHS * width))),
  );
  const start = Math.round(stroke.place * (path.length - points));
  const smooth = smoothPath(region, path, Math.ceil(Math.max(2 * width, path.length / 6))).slice(start, start + points);
  const painted = new Uint8Array(region.inside.length);
  const paint = (pixel: number) => {
    if (region.inside[pixel] === 1) painted[pixel] = 1;
  };
  smooth.forEach((point, i) => forEachPixelNear(region, smooth[Math.max(0, i - 1)], point, brushRadius(width), paint));
  return largestPart(region, painted);
}

/**
 * Draws scribbles into a mask as a person would: one smooth stroke through the middle of every connected part of every class,
 * background included; small parts get a spot. A stroke never leaves its part, every class of the mask gets one, and the result is 255
 * elsewhere. Deterministic.
 * @param mask classes and 255 = ignore, which is never scribbled
 */
export function drawScribbles(mask: LabelMap, options: ScribbleOptions): LabelMap {
  const { seed, id, width = DEFAULT_SCRIBBLE_WIDTH, coverage = DEFAULT_SCRIBBLE_COVERAGE } = options;
  const random = createRandom('scribble', seed, id);
  const strokes: PlannedStroke[] = chooseParts(mask).map(({ label, pixels }) => {
    const region = createRegion(mask, pixels);
    const path = findPath(region, random);
    const share = label === 0 ? 0.45 + 0.4 * random() : 0.65 + 0.35 * random();
    return { label, region, path, place: 0.25 + 0.5 * random(), points: Math.max(1, Math.round(path.length * share)) };
  });
  const wanted = strokes.reduce((sum, { points }) => sum + points * width, 0);
  const share = Math.min(1, (coverage * mask.data.length) / Math.max(1, wanted));
  const data = new Uint8Array(mask.data.length).fill(IGNORE_INDEX);
  for (const stroke of strokes) {
    const { region, label } = stroke;
    for (const pixel of strokePixels(stroke, share, width)) {
      const x = pixel % region.width;
      data[(region.top + (pixel - x) / region.width) * mask.width + region.left + x] = label;
    }
  }
  return { width: mask.width, height: mask.height, data };
}
