import type { LabelMap } from '../data/types.ts';
import { IGNORE_INDEX } from '../../operator/api/experiment.ts';

/**
 * Bilinear resize with aligned corners (the corner pixels' centres map onto each other) of planes.
 * @param planes planes of height·width values
 * @returns planes of toHeight·toWidth values
 */
export function resizePlanes(
  planes: readonly Float32Array[],
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
): Float32Array[] {
  const columns = interpolation(width, toWidth);
  const rows = interpolation(height, toHeight);
  return planes.map((plane) => {
    const resized = new Float32Array(toWidth * toHeight);
    for (let y = 0, to = 0; y < toHeight; y++) {
      const upper = rows.from[y] * width;
      const lower = rows.to[y] * width;
      for (let x = 0; x < toWidth; x++, to++) {
        const left = columns.from[x];
        const right = columns.to[x];
        const top = plane[upper + left] + columns.share[x] * (plane[upper + right] - plane[upper + left]);
        const bottom = plane[lower + left] + columns.share[x] * (plane[lower + right] - plane[lower + left]);
        resized[to] = top + rows.share[y] * (bottom - top);
      }
    }
    return resized;
  });
}

/** For every position of the new axis: its two neighbours on the old one and the share of the second. */
function interpolation(size: number, toSize: number): { from: Int32Array; to: Int32Array; share: Float64Array } {
  const scale = toSize > 1 ? (size - 1) / (toSize - 1) : 0;
  const from = new Int32Array(toSize);
  const to = new Int32Array(toSize);
  const share = new Float64Array(toSize);
  for (let i = 0; i < toSize; i++) {
    const position = i * scale;
    from[i] = Math.min(Math.floor(position), size - 1);
    to[i] = Math.min(from[i] + 1, size - 1);
    share[i] = position - from[i];
  }
  return { from, to, share };
}

/** Keeps the maximum of an empty activation from being divided by 0. */
const EPSILON = 1e-5;

/** Divides each plane by its maximum (+1e-5), so that activations lie in [0, 1). Returns new planes. */
export function normalizeActivations(planes: readonly Float32Array[]): Float32Array[] {
  return planes.map((plane) => {
    const scale = 1 / (plane.reduce((max, value) => Math.max(max, value), 0) + EPSILON);
    return plane.map((value) => value * scale);
  });
}

/**
 * Plain pseudo-label: argmax over [background threshold, normalised activations]; of equals the first wins.
 * @param activations one plane of height·width values in [0, 1] for each foreground class in the image
 * @param classIndices the class of each plane, 1..K-1, rising
 */
export function labelsFromActivations(
  activations: readonly Float32Array[],
  classIndices: readonly number[],
  backgroundThreshold: number,
  width: number,
  height: number,
): LabelMap {
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    let best = backgroundThreshold;
    for (let plane = 0; plane < activations.length; plane++) {
      if (activations[plane][i] > best) {
        best = activations[plane][i];
        data[i] = classIndices[plane];
      }
    }
  }
  return { width, height, data };
}

/** The labels with 255 where their probability is not above the least one. */
export function leaveOutUnsure(labels: LabelMap & { readonly probability: Float32Array }, minProbability: number): LabelMap {
  const { width, height, data, probability } = labels;
  return { width, height, data: data.map((label, i) => (probability[i] > minProbability ? label : IGNORE_INDEX)) };
}

/** The labels with every scribbled pixel set to its class. */
export function paintScribbles(labels: LabelMap, scribble: LabelMap): LabelMap {
  return { ...labels, data: labels.data.map((label, i) => (scribble.data[i] === IGNORE_INDEX ? label : scribble.data[i])) };
}
