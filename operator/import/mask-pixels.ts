import { readFile } from 'node:fs/promises';
import type { DecodedPng } from 'fast-png';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import { decodePng, indexPngProblem, unpackSamples } from '../../trainer-image/data/index-png.ts';
import { BadInputError } from '../../trainer-image/errors.ts';

/** Stands for a transparent pixel among colours 0xrrggbb. */
export const TRANSPARENT = 0x1000000;

/**
 * The pixels of a mask as its file stores them. Index: indices of a palette PNG. Grey: one grey value a pixel, also where a grey
 * picture was saved as RGB. Colour: 0xrrggbb, or TRANSPARENT.
 */
export interface MaskPixels {
  readonly kind: 'Index' | 'Grey' | 'Colour';
  readonly width: number;
  readonly height: number;
  readonly data: Uint32Array;
  /** Whether the file is one that training reads, see indexPngProblem. */
  readonly isIndexPng: boolean;
}

/** A pixel counts as drawn from this alpha (0..255) on. */
const LEAST_ALPHA = 128;

/** Pixels as 0xrrggbb or TRANSPARENT, from one to four samples each (grey, grey and alpha, RGB, RGBA). */
function joinSamples({ width, height, channels, data }: DecodedPng): Uint32Array {
  const result = new Uint32Array(width * height);
  const hasAlpha = channels === 2 || channels === 4;
  const isGrey = channels < 3;
  for (let i = 0; i < result.length; i++) {
    const at = i * channels;
    if (hasAlpha && data[at + channels - 1] < LEAST_ALPHA) result[i] = TRANSPARENT;
    else if (isGrey) result[i] = data[at] * 0x010101;
    else result[i] = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
  }
  return result;
}

/** The colours of a palette PNG, for masks whose palette was put together at random. */
function colourise(pixels: Uint32Array, { palette = [] }: DecodedPng): Uint32Array {
  return pixels.map((index) => {
    const [red, green, blue, alpha = 255] = palette[index] ?? [0, 0, 0];
    return alpha < LEAST_ALPHA ? TRANSPARENT : (red << 16) | (green << 8) | blue;
  });
}

const isGrey = (colour: number) => colour === TRANSPARENT || (colour >> 16 === (colour & 255) && ((colour >> 8) & 255) === (colour & 255));

/**
 * Decodes any PNG of up to 8 bits a sample.
 * @param file named in errors
 * @param asColours gives colours even where the file has indices or grey values
 * @throws BadInputError for anything that is no PNG, is damaged or has 16 bits a sample
 */
export function decodeMask(bytes: Uint8Array, file: string, asColours = false): MaskPixels {
  const png = decodePng(bytes, file, 'masks must be PNGs');
  const { width, height, depth, channels, palette } = png;
  if (depth === 16) throw new BadInputError('this PNG has 16 bits a sample; save the mask with 8', { file });
  const isIndexPng = indexPngProblem(png) === undefined;
  const single = channels === 1 ? Uint32Array.from(depth < 8 ? unpackSamples(png) : png.data) : undefined;
  if (single !== undefined && !asColours) {
    return { kind: palette === undefined ? 'Grey' : 'Index', width, height, data: single, isIndexPng };
  }
  let colours: Uint32Array;
  if (single === undefined) colours = joinSamples(png);
  else if (palette !== undefined) colours = colourise(single, png);
  else colours = single.map((value) => value * 0x010101);
  if (asColours || !colours.every(isGrey)) return { kind: 'Colour', width, height, data: colours, isIndexPng };
  const data = colours.map((colour) => (colour === TRANSPARENT ? TRANSPARENT : colour & 255));
  return { kind: 'Grey', width, height, data, isIndexPng };
}

/** Reads a mask, see decodeMask. */
export async function readMask(file: string, asColours = false): Promise<MaskPixels> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw readingError(file, cause);
  });
  return decodeMask(bytes, file, asColours);
}

/** How many pixels have each value. */
export function countValues({ data }: MaskPixels): Map<number, number> {
  const counts = new Map<number, number>();
  let [last, run] = [-1, 0];
  const flush = () => {
    if (run > 0) counts.set(last, (counts.get(last) ?? 0) + run);
  };
  for (const value of data) {
    if (value === last) run++;
    else {
      flush();
      [last, run] = [value, 1];
    }
  }
  flush();
  return counts;
}
