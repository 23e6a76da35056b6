import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { randomInteger } from './random.ts';
import type { Random } from './random.ts';
import type { RgbImage } from './types.ts';

/** Per channel, in units of a byte: an image becomes (pixel − mean) / deviation. */
export interface Normalisation {
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

/** torchvision's: ImageNet's mean and standard deviation. */
export const IMAGENET_NORMALISATION: Normalisation = { mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375] };
/** EfficientNet-Lite's: (pixel − 127) / 128. */
export const EFFICIENTNET_LITE_NORMALISATION: Normalisation = { mean: [127, 127, 127], deviation: [128, 128, 128] };

/** Random geometry of a training crop; scales are factors of the image's sides. */
export interface AugmentationSettings {
  readonly scaleMin: number;
  readonly scaleMax: number;
  readonly flip: boolean;
}

/** How a square crop is cut from an image that is first scaled to width × height, then (perhaps) mirrored. Pixels. */
export interface CropGeometry {
  readonly size: number;
  /** Sides of the scaled image. */
  readonly width: number;
  readonly height: number;
  /** Position of the crop's corner in the scaled image; negative where the image is smaller than the crop. */
  readonly left: number;
  readonly top: number;
  readonly flip: boolean;
}

/** Value of padding in a label map and in a distance map; images are padded with the mean, which is 0 after normalisation. */
export const LABEL_PADDING = IGNORE_INDEX;
export const DISTANCE_PADDING = 0;

/** Draws scale, position and mirroring of a crop. Always uses the same number of random values. */
export function drawGeometry(
  image: { readonly width: number; readonly height: number },
  size: number,
  settings: AugmentationSettings,
  random: Random,
): CropGeometry {
  const scale = settings.scaleMin + (settings.scaleMax - settings.scaleMin) * random();
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const position = (side: number) => randomInteger(random, Math.min(0, side - size), Math.max(0, side - size));
  const left = position(width);
  const top = position(height);
  return { size, width, height, left, top, flip: random() < 0.5 && settings.flip };
}

/** Where each of a crop's columns (or rows) lies in the image; index −1 is padding. */
interface Axis {
  /** Nearest pixel. */
  readonly nearest: Int32Array;
  /** The two pixels to interpolate between and the second one's weight. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly weight: Float64Array;
}

function mapAxis(size: number, offset: number, scaled: number, original: number, flip: boolean): Axis {
  const nearest = new Int32Array(size).fill(-1);
  const first = new Int32Array(size).fill(-1);
  const second = new Int32Array(size).fill(-1);
  const weight = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const position = offset + (flip ? size - 1 - i : i);
    if (position < 0 || position >= scaled) continue;
    const centre = ((position + 0.5) * original) / scaled; // pixel i of the image covers [i, i + 1)
    nearest[i] = Math.min(original - 1, Math.floor(centre));
    const clamped = Math.min(original - 1, Math.max(0, centre - 0.5));
    first[i] = Math.floor(clamped);
    second[i] = Math.min(original - 1, first[i] + 1);
    weight[i] = clamped - first[i];
  }
  return { nearest, first, second, weight };
}

/**
 * Cuts a crop out of an image, bilinear, and normalises it, in one pass from the image's bytes into the batch.
 * @param target [size, size, 3], written; padding becomes 0, the mean
 */
export function cropImage(target: Float32Array, image: RgbImage, geometry: CropGeometry, { mean, deviation }: Normalisation): void {
  const { size } = geometry;
  const { data, width } = image;
  const columns = mapAxis(size, geometry.left, geometry.width, width, geometry.flip);
  const rows = mapAxis(size, geometry.top, geometry.height, image.height, false);
  const factors = deviation.map((value) => 1 / value);
  const [factorR, factorG, factorB] = factors;
  const [offsetR, offsetG, offsetB] = mean.map((value, channel) => value * factors[channel]);
  for (let y = 0, out = 0; y < size; y++) {
    if (rows.first[y] < 0) {
      target.fill(0, out, out + 3 * size);
      out += 3 * size;
      continue;
    }
    const upper = rows.first[y] * width;
    const lower = rows.second[y] * width;
    const down = rows.weight[y];
    for (let x = 0; x < size; x++, out += 3) {
      const column = columns.first[x];
      if (column < 0) {
        target[out] = target[out + 1] = target[out + 2] = 0;
        continue;
      }
      const a = 3 * (upper + column);
      const b = 3 * (upper + columns.second[x]);
      const c = 3 * (lower + column);
      const d = 3 * (lower + columns.second[x]);
      const right = columns.weight[x];
      const weightA = (1 - down) * (1 - right);
      const weightB = (1 - down) * right;
      const weightC = down * (1 - right);
      const weightD = down * right;
      target[out] = (weightA * data[a] + weightB * data[b] + weightC * data[c] + weightD * data[d]) * factorR - offsetR;
      target[out + 1] = (weightA * data[a + 1] + weightB * data[b + 1] + weightC * data[c + 1] + weightD * data[d + 1]) * factorG - offsetG;
      target[out + 2] = (weightA * data[a + 2] + weightB * data[b + 2] + weightC * data[c + 2] + weightD * data[d + 2]) * factorB - offsetB;
    }
  }
}

/**
 * Cuts the same crop out of a map of labels or distances, nearest pixel.
 * @param source the map, of the image's size
 * @param target [size, size], written
 */
export function cropMap(
  target: Uint8Array,
  source: { readonly width: number; readonly height: number; readonly data: Uint8Array },
  geometry: CropGeometry,
  padding: number,
): void {
  const { size } = geometry;
  const { data, width } = source;
  const columns = mapAxis(size, geometry.left, geometry.width, width, geometry.flip).nearest;
  const rows = mapAxis(size, geometry.top, geometry.height, source.height, false).nearest;
  for (let y = 0, out = 0; y < size; y++) {
    const row = rows[y] * width;
    for (let x = 0; x < size; x++, out++) target[out] = row < 0 || columns[x] < 0 ? padding : data[row + columns[x]];
  }
}
