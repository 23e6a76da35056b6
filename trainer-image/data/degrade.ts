import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';
import type { LabelMap } from './types.ts';

/** Degradation of scribbles, both in [0, 1]: the share of a stroke's length that is cut off, and the chance that it is deleted. */
export interface Degradation {
  readonly shrink: number;
  readonly drop: number;
}

/** The pixels of one stroke as indices into the map, ascending. */
export type Stroke = Int32Array;

/** Calls back with every 8-neighbour of a pixel inside the map. */
function forNeighbours(map: LabelMap, pixel: number, visit: (neighbour: number, diagonal: boolean) => void): void {
  const { width, height } = map;
  const x = pixel % width;
  const y = (pixel - x) / width;
  for (let dy = -1; dy <= 1; dy++) {
    if (y + dy < 0 || y + dy >= height) continue;
    for (let dx = -1; dx <= 1; dx++) {
      if ((dx === 0 && dy === 0) || x + dx < 0 || x + dx >= width) continue;
      visit(pixel + dy * width + dx, dx !== 0 && dy !== 0);
    }
  }
}

/** The strokes of a scribble: 8-connected components of one class, in the order of their first pixel. */
export function findStrokes(map: LabelMap): Stroke[] {
  const seen = new Uint8Array(map.data.length);
  const strokes: Stroke[] = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] === 1 || map.data[start] === IGNORE_INDEX) continue;
    const pixels = [start];
    seen[start] = 1;
    for (let next = 0; next < pixels.length; next++) {
      forNeighbours(map, pixels[next], (neighbour) => {
        if (seen[neighbour] === 1 || map.data[neighbour] !== map.data[start]) return;
        seen[neighbour] = 1;
        pixels.push(neighbour);
      });
    }
    strokes.push(Int32Array.from(pixels).sort());
  }
  return strokes;
}

/** A step to the side counts 5, a diagonal one 7: within 2 % of Euclid's lengths, in whole numbers. */
const SIDE_STEP = 5;
const DIAGONAL_STEP = 7;
const UNREACHED = 0x7fffffff;
/** Radius of the spot that a wholly shrunk stroke leaves: a pixel and its four neighbours. */
const SPOT_RADIUS = SIDE_STEP;

/**
 * Geodesic distances, within a stroke, of its pixels from one of them. Steps are small whole numbers, so a ring of buckets
 * takes the place of a heap.
 * @param distances one number a pixel of the map; those of the stroke are written
 */
function measureFrom(map: LabelMap, stroke: Stroke, source: number, distances: Int32Array): void {
  for (const pixel of stroke) distances[pixel] = UNREACHED;
  const ring = DIAGONAL_STEP + 1;
  const buckets: number[][] = Array.from({ length: ring }, () => []);
  distances[source] = 0;
  buckets[0].push(source);
  let waiting = 1;
  for (let distance = 0; waiting > 0; distance++) {
    const bucket = buckets[distance % ring];
    buckets[distance % ring] = [];
    waiting -= bucket.length;
    for (const pixel of bucket) {
      if (distances[pixel] !== distance) continue;
      forNeighbours(map, pixel, (neighbour, diagonal) => {
        const through = distance + (diagonal ? DIAGONAL_STEP : SIDE_STEP);
        if (map.data[neighbour] !== map.data[source] || distances[neighbour] <= through) return;
        distances[neighbour] = through;
        buckets[through % ring].push(neighbour);
        waiting++;
      });
    }
  }
}

/** The pixel of a stroke with the largest value; the first of them. */
function argmax(stroke: Stroke, value: (pixel: number) => number): number {
  let best = stroke[0];
  for (const pixel of stroke) if (value(pixel) > value(best)) best = pixel;
  return best;
}

/**
 * Shrinks every stroke to the middle (1 − ratio) share of its length. A stroke can be wide, branch or close to a ring, so its
 * length is geodesic: its middle is the pixel halfway between its two ends (the pair of pixels found farthest apart), and
 * what stays is the geodesic ball around the middle with (1 − ratio) of the radius that would hold the whole stroke. That is
 * connected, shrinks steadily, and ratio 1 leaves a spot of at most five pixels.
 * @param ratio in [0, 1]; 0 changes nothing
 */
export function shrinkScribble(map: LabelMap, ratio: number): LabelMap {
  const data = map.data.slice();
  if (ratio <= 0) return { ...map, data };
  const fromFirstEnd = new Int32Array(data.length);
  const fromSecondEnd = new Int32Array(data.length);
  const fromMiddle = new Int32Array(data.length);
  for (const stroke of findStrokes(map)) {
    measureFrom(map, stroke, stroke[0], fromMiddle);
    const firstEnd = argmax(stroke, (pixel) => fromMiddle[pixel]);
    measureFrom(map, stroke, firstEnd, fromFirstEnd);
    const secondEnd = argmax(stroke, (pixel) => fromFirstEnd[pixel]);
    measureFrom(map, stroke, secondEnd, fromSecondEnd);
    const middle = argmax(stroke, (pixel) => -Math.max(fromFirstEnd[pixel], fromSecondEnd[pixel]));
    measureFrom(map, stroke, middle, fromMiddle);
    const whole = fromMiddle[argmax(stroke, (pixel) => fromMiddle[pixel])];
    const radius = Math.max((1 - ratio) * whole, SPOT_RADIUS);
    for (const pixel of stroke) if (fromMiddle[pixel] > radius) data[pixel] = IGNORE_INDEX;
  }
  return { ...map, data };
}

/**
 * Deletes every stroke with probability `ratio`; one random number a stroke, so that a larger ratio deletes the same strokes
 * and more.
 */
export function dropStrokes(map: LabelMap, ratio: number, random: Random): LabelMap {
  const data = map.data.slice();
  if (ratio <= 0) return { ...map, data };
  for (const stroke of findStrokes(map)) {
    if (random() < ratio) for (const pixel of stroke) data[pixel] = IGNORE_INDEX;
  }
  return { ...map, data };
}

/**
 * Drops strokes, then shrinks those that are left: a pure function of its arguments, whichever process calls it.
 * @param id name of the image, so that images differ
 */
export function degradeScribble(map: LabelMap, { shrink, drop }: Degradation, seed: number, id: string): LabelMap {
  return shrinkScribble(dropStrokes(map, drop, createRandom(seed, 'degrade', id)), shrink);
}
