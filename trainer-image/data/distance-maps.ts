import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import type { LabelMap } from './types.ts';

/** Squared distance of a pixel where there is no feature, or none within the radius asked for. */
export const NO_FEATURE = 0x7fffffff;

/** Row or column distance that stands for "no feature here". */
const FAR = 0x7fffffff;

/** 1 on foreground pixels (0 < label < 255), 0 elsewhere. */
export function foregroundMask(labels: LabelMap): LabelMap {
  const data = new Uint8Array(labels.data.length);
  for (let i = 0; i < data.length; i++) data[i] = labels.data[i] > 0 && labels.data[i] < IGNORE_INDEX ? 1 : 0;
  return { width: labels.width, height: labels.height, data };
}

/** 1 on foreground pixels with a 4-neighbour that is not foreground; outside the image counts as not foreground. */
export function boundaryMask(labels: LabelMap): LabelMap {
  const { width, height } = labels;
  const foreground = foregroundMask(labels).data;
  const data = new Uint8Array(foreground.length);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    const inner = y > 0 && y < height - 1;
    for (let i = row; i < row + width; i++) {
      if (foreground[i] === 0) continue;
      const inside = inner && i > row && i < row + width - 1;
      const surrounded = inside && (foreground[i - width] & foreground[i + width] & foreground[i - 1] & foreground[i + 1]) === 1;
      data[i] = surrounded ? 0 : 1;
    }
  }
  return { width, height, data };
}

/**
 * Distance to the nearest feature in the same column, FAR where it is beyond `radius`. Two sweeps over whole rows: the pixel
 * above or below lies one row away, so that memory is read in order.
 */
function columnDistances(mask: LabelMap, radius: number): Int32Array {
  const { width, data } = mask;
  const distances = new Int32Array(data.length);
  for (let i = 0; i < width; i++) distances[i] = data[i] !== 0 ? 0 : FAR;
  for (let i = width; i < data.length; i++) {
    const above = distances[i - width];
    distances[i] = data[i] !== 0 ? 0 : above < radius ? above + 1 : FAR;
  }
  for (let i = data.length - width - 1; i >= 0; i--) {
    const below = distances[i + width];
    if (below < radius && below + 1 < distances[i]) distances[i] = below + 1;
  }
  return distances;
}

/**
 * The exact squared Euclidean distance of every pixel to the nearest feature (a non-zero pixel of the mask), in time linear
 * in the number of pixels: column distances, then per row the lower envelope of their parabolas (Meijster, Roerdink and
 * Hesselink 2000), all in integers. One transform serves every λ.
 * @param radius distances above it may come out as NO_FEATURE, which saves the work where only near ones matter
 * @returns H·W squared distances in pixels², NO_FEATURE where there is none
 */
export function squaredDistanceTransform(mask: LabelMap, radius = Infinity): Int32Array {
  const { width, height } = mask;
  const result = columnDistances(mask, Math.min(radius, width + height));
  const columns = new Int32Array(width); // x of each parabola of the envelope
  const heights = new Int32Array(width); // its value at x
  const starts = new Int32Array(width + 1); // first pixel at which it is the lowest
  for (let y = 0; y < height; y++) {
    const row = y * width;
    let top = -1;
    for (let x = 0; x < width; x++) {
      const distance = result[row + x];
      if (distance === FAR) continue;
      const value = distance * distance;
      let start = 0;
      while (top >= 0) {
        const last = columns[top];
        // First integer at which the parabola of x lies strictly below that of `last`.
        const numerator = x * x - last * last + value - heights[top];
        start = numerator < 0 ? 0 : ((numerator / (2 * (x - last))) | 0) + 1;
        if (start > starts[top]) break;
        top--;
        start = 0;
      }
      if (start >= width) continue;
      top++;
      columns[top] = x;
      heights[top] = value;
      starts[top] = start;
    }
    if (top < 0) continue; // the row holds FAR, which is NO_FEATURE, everywhere
    starts[top + 1] = width;
    for (let piece = 0; piece <= top; piece++) {
      const end = starts[piece + 1];
      const value = heights[piece];
      for (let x = starts[piece], dx = x - columns[piece]; x < end; x++, dx++) result[row + x] = dx * dx + value;
    }
  }
  return result;
}

/** The smallest squared distance whose byte is 255, or a little more. */
function saturation(lambda: number): number {
  return Math.ceil((255 * 255) / lambda) + 1;
}

/**
 * Bytes min(255, floor(sqrt(e^λ · d²))) of squared distances; NO_FEATURE gives 255.
 * @param squared from squaredDistanceTransform
 * @param lambdaExponent λ
 */
export function distanceBytes(squared: Int32Array, lambdaExponent: number): Uint8Array {
  const lambda = Math.exp(lambdaExponent);
  const byte = (d: number) => Math.floor(Math.min(255, Math.sqrt(lambda * d)));
  const result = new Uint8Array(squared.length);
  // A table costs a root for each entry, so it pays only where it is shorter than the map.
  const limit = saturation(lambda);
  if (limit > squared.length) {
    for (let i = 0; i < result.length; i++) result[i] = squared[i] === NO_FEATURE ? 255 : byte(squared[i]);
    return result;
  }
  const table = new Uint8Array(limit + 1);
  for (let d = 0; d <= limit; d++) table[d] = byte(d);
  for (let i = 0; i < result.length; i++) result[i] = table[squared[i] < limit ? squared[i] : limit];
  return result;
}

function distanceMap(mask: LabelMap, lambdaExponent: number): Uint8Array {
  const radius = Math.ceil(Math.sqrt(saturation(Math.exp(lambdaExponent))));
  return distanceBytes(squaredDistanceTransform(mask, radius), lambdaExponent);
}

/**
 * Class distance d_c: bytes of the distance to the nearest boundary pixel of the pseudo-label's foreground, 255 everywhere if
 * there is none (paper: DEL, weight of L_dc).
 * @param lambdaExponent λc
 */
export function classDistanceMap(pseudoLabel: LabelMap, lambdaExponent: number): LabelMap {
  const { width, height } = pseudoLabel;
  return { width, height, data: distanceMap(boundaryMask(pseudoLabel), lambdaExponent) };
}

/**
 * Scribble distance d_s: 255 minus the bytes of the distance to the nearest foreground scribble pixel; without one that distance
 * is 255 and d_s 0 everywhere (paper: DEL, weight of L_ds).
 * @param lambdaExponent λs
 */
export function scribbleDistanceMap(scribble: LabelMap, lambdaExponent: number): LabelMap {
  const { width, height } = scribble;
  const data = distanceMap(foregroundMask(scribble), lambdaExponent);
  for (let i = 0; i < data.length; i++) data[i] = 255 - data[i];
  return { width, height, data };
}
