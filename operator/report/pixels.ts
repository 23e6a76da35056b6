import { IGNORE_INDEX } from '../api/experiment.ts';
import type { Rgb } from '../../trainer-image/data/index-png.ts';
import { countLabels } from '../../trainer-image/data/labels.ts';
import type { LabelMap, RgbImage } from '../../trainer-image/data/types.ts';

/** Pixel work of the gallery: pure functions that return new images. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

const PAPER: Rgb = [255, 255, 255];
const MISTAKE: Rgb = [225, 29, 72];

/** From almost black over violet and orange to almost white, evenly rising in lightness: bytes of a distance map are read off it. */
const RAMP_STOPS: readonly Rgb[] = [
  [16, 14, 40],
  [66, 30, 110],
  [142, 44, 122],
  [214, 78, 92],
  [246, 152, 82],
  [253, 240, 190],
];

/** The ramp's 256 colours. */
export const DISTANCE_RAMP: readonly Rgb[] = Array.from({ length: 256 }, (_, byte) => {
  const position = (byte / 255) * (RAMP_STOPS.length - 1);
  const stop = Math.min(RAMP_STOPS.length - 2, Math.floor(position));
  const mix = (channel: number) =>
    Math.round(RAMP_STOPS[stop][channel] + (RAMP_STOPS[stop + 1][channel] - RAMP_STOPS[stop][channel]) * (position - stop));
  return [mix(0), mix(1), mix(2)];
});

/** The size with the long side `side`; never larger than before unless `enlarge`. */
export function fitSize({ width, height }: Size, side: number, enlarge = false): Size {
  const scale = side / Math.max(width, height);
  if (scale >= 1 && !enlarge) return { width, height };
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Nearest neighbour: classes are not mixed. */
export function resizeLabels(map: LabelMap, size: Size): LabelMap {
  if (map.width === size.width && map.height === size.height) return map;
  const data = new Uint8Array(size.width * size.height);
  for (let y = 0; y < size.height; y++) {
    const row = Math.floor(((y + 0.5) * map.height) / size.height) * map.width;
    for (let x = 0; x < size.width; x++) {
      data[y * size.width + x] = map.data[row + Math.floor(((x + 0.5) * map.width) / size.width)];
    }
  }
  return { ...size, data };
}

/** Colours every byte of a map by a table of 256 colours. */
export function colorize(map: LabelMap, table: readonly Rgb[]): RgbImage {
  const data = new Uint8Array(map.data.length * 3);
  map.data.forEach((value, pixel) => data.set(table[value], pixel * 3));
  return { width: map.width, height: map.height, data };
}

/** The image in pale grey, so that what is drawn on it stands out. */
export function fade(image: RgbImage): RgbImage {
  const data = new Uint8Array(image.data.length);
  for (let i = 0; i < data.length; i += 3) {
    const luma = 0.299 * image.data[i] + 0.587 * image.data[i + 1] + 0.114 * image.data[i + 2];
    data.fill(Math.round(110 + luma * 0.55), i, i + 3);
  }
  return { ...image, data };
}

/**
 * Moves a scribble to another size and thickens it to discs, so that one-pixel strokes are seen in a small picture.
 * @param radius In pixels of the new size.
 */
export function thickenScribble(scribble: LabelMap, size: Size, radius: number): LabelMap {
  const data = new Uint8Array(size.width * size.height).fill(IGNORE_INDEX);
  for (let pixel = 0; pixel < scribble.data.length; pixel++) {
    const label = scribble.data[pixel];
    if (label === IGNORE_INDEX) continue;
    const centerX = Math.floor((((pixel % scribble.width) + 0.5) * size.width) / scribble.width);
    const centerY = Math.floor(((Math.floor(pixel / scribble.width) + 0.5) * size.height) / scribble.height);
    paintDisc(data, size, centerX, centerY, radius, label);
  }
  return { ...size, data };
}

function paintDisc(data: Uint8Array, { width, height }: Size, centerX: number, centerY: number, radius: number, label: number): void {
  const reach = Math.ceil(radius);
  for (let y = Math.max(0, centerY - reach); y <= Math.min(height - 1, centerY + reach); y++) {
    for (let x = Math.max(0, centerX - reach); x <= Math.min(width - 1, centerX + reach); x++) {
      if ((x - centerX) ** 2 + (y - centerY) ** 2 <= radius * radius + 0.5) data[y * width + x] = label;
    }
  }
}

/**
 * Draws a scribble in its classes' colours and with a light rim over the faded image.
 * @param scribble May differ from the image in size; the result has the image's.
 * @param radius Half the strokes' width, at least; more where the scribble is enlarged, so that its pixels stay together.
 */
export function drawScribble(image: RgbImage, scribble: LabelMap, palette: readonly Rgb[], radius: number): RgbImage {
  const result = fade(image);
  const reach = Math.max(radius, (0.7 * image.width) / scribble.width);
  const rim = thickenScribble(scribble, image, reach + 1.5);
  const stroke = thickenScribble(scribble, image, reach);
  for (let pixel = 0; pixel < stroke.data.length; pixel++) {
    if (stroke.data[pixel] !== IGNORE_INDEX) result.data.set(palette[stroke.data[pixel]], pixel * 3);
    else if (rim.data[pixel] !== IGNORE_INDEX) result.data.set(PAPER, pixel * 3);
  }
  return result;
}

/** The faded image with wrong pixels red and pixels without truth almost white. All three have the same size. */
export function drawMistakes(image: RgbImage, prediction: LabelMap, truth: LabelMap): RgbImage {
  const result = fade(image);
  for (let pixel = 0; pixel < truth.data.length; pixel++) {
    if (truth.data[pixel] === IGNORE_INDEX) result.data.fill(228 + result.data[pixel * 3] / 10, pixel * 3, pixel * 3 + 3);
    else if (truth.data[pixel] !== prediction.data[pixel]) result.data.set(MISTAKE, pixel * 3);
  }
  return result;
}

/** Foreground classes in a map, ascending. */
export function foregroundClasses(map: LabelMap): number[] {
  const counts = countLabels(map);
  return Array.from(counts.keys()).filter((label) => label > 0 && label < IGNORE_INDEX && counts[label] > 0);
}
