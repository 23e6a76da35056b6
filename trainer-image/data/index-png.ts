import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { decode, encode } from 'fast-png';
import type { DecodedPng } from 'fast-png';
import { BadInputError } from '../errors.ts';
import { writeByRename } from '../write-by-rename.ts';
import { readingError, reasonOf } from './file-errors.ts';
import type { LabelMap } from './types.ts';

/** A colour of a palette: red, green, blue in 0..255. */
export type Rgb = readonly [number, number, number];

/** PASCAL VOC's colour of a class: the bits of the index are dealt to red, green and blue, highest first. */
function vocColour(index: number): Rgb {
  const channel = (offset: number) => {
    let value = 0;
    for (let bit = 0; bit < 8; bit++) value |= ((index >> (3 * bit + offset)) & 1) << (7 - bit);
    return value;
  };
  return [channel(0), channel(1), channel(2)];
}

/** The 256 colours of PASCAL VOC; index 0 is black, 255 (ignore) is cream. */
export const VOC_PALETTE: readonly Rgb[] = Array.from({ length: 256 }, (_, index) => vocColour(index));

const HOW_TO_CONVERT = 'an index PNG (one class number a pixel) is needed; `cdsp import` converts colour masks';

/** Reads depth and interlacing (Adam7) off a PNG's header: signature 8, chunk head 8, then size 8, depth, …, interlacing. */
function isInterlacedBelowByte(bytes: Uint8Array): boolean {
  return bytes.length > 28 && bytes[24] < 8 && bytes[28] === 1;
}

/**
 * Decodes any PNG that the library reads rightly.
 * @param file named in errors
 * @param advice what to do about a file that is none
 * @throws BadInputError for anything that is no PNG, is damaged or ends early
 */
export function decodePng(bytes: Uint8Array, file: string, advice: string): DecodedPng {
  // The library takes such pixels for whole bytes.
  if (isInterlacedBelowByte(bytes)) {
    throw new BadInputError('interlaced with fewer than 8 bits a pixel, which is not supported; save it without interlacing', { file });
  }
  try {
    return decode(bytes, { checkCrc: true });
  } catch (cause) {
    throw new BadInputError(`not a readable PNG, damaged or incomplete (${reasonOf(cause)}); ${advice}`, { file, cause });
  }
}

/** Spreads samples of 1, 2 or 4 bits, of one channel; every row starts at a byte. */
export function unpackSamples({ width, height, depth, data }: DecodedPng): Uint8Array {
  const rowBytes = Math.ceil((width * depth) / 8);
  const result = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const shift = 8 - depth - (bit & 7);
      result[y * width + x] = (data[y * rowBytes + (bit >> 3)] >> shift) & ((1 << depth) - 1);
    }
  }
  return result;
}

/** What keeps a PNG from being an index PNG (a palette PNG, or greyscale of 8 bits); undefined where it is one. */
export function indexPngProblem({ channels, depth, palette }: Pick<DecodedPng, 'channels' | 'depth' | 'palette'>): string | undefined {
  if (channels !== 1) return `this PNG has ${channels} colour channels`;
  if (depth === 16) return 'this PNG has 16 bits a pixel';
  if (depth < 8 && palette === undefined) return `this greyscale PNG has ${depth} bits a pixel, which does not say what is a class`;
  return undefined;
}

/**
 * Decodes an index PNG: palette PNGs of 1 to 8 bits (the palette indices, not the colours) and 8-bit greyscale.
 * @param file named in errors
 * @throws BadInputError for anything that is not an index PNG, is damaged or ends early
 */
export function decodeIndexPng(bytes: Uint8Array, file: string): LabelMap {
  const png = decodePng(bytes, file, HOW_TO_CONVERT);
  const problem = indexPngProblem(png);
  if (problem !== undefined) throw new BadInputError(`${problem}; ${HOW_TO_CONVERT}`, { file });
  const { width, height, depth, data } = png;
  if (data.length !== Math.ceil((width * depth) / 8) * height) {
    throw new BadInputError('the PNG holds fewer pixels than its header says', { file });
  }
  return { width, height, data: depth < 8 ? unpackSamples(png) : new Uint8Array(data) };
}

/**
 * Reads an index PNG, see decodeIndexPng.
 * @throws BadInputError if the file is missing or not an index PNG
 */
export async function readIndexPng(file: string): Promise<LabelMap> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw readingError(file, cause);
  });
  return decodeIndexPng(bytes, file);
}

/** Encodes a label map as an 8-bit palette PNG; readIndexPng gives the same map back. */
export function encodeIndexPng(map: LabelMap, palette: readonly Rgb[] = VOC_PALETTE): Uint8Array {
  const colours = palette.map((colour) => [...colour]);
  return encode({ width: map.width, height: map.height, data: map.data, channels: 1, depth: 8, palette: colours });
}

/**
 * Writes a label map as an 8-bit palette PNG, by rename, so that no reader meets half a file. See writeByRename for `workFolder`.
 * @throws BadInputError where a person has to mend something
 */
export function writeIndexPng(file: string, map: LabelMap, workFolder?: string): void {
  writeByRename(file, encodeIndexPng(map), workFolder);
}

/** The last chunk of every PNG, which has no content: length 0, its name, its checksum. */
const PNG_END = Buffer.from('0000000049454e44ae426082', 'hex');

/**
 * Whether a PNG is there up to its end. A rename shows whole files only, but after a power failure a file may come back shorter or filled
 * with zeros.
 */
export function isWholePng(file: string): boolean {
  let handle: number | undefined;
  try {
    const { size } = statSync(file);
    handle = openSync(file, 'r');
    const end = Buffer.alloc(PNG_END.length);
    return readSync(handle, end, 0, end.length, Math.max(0, size - end.length)) === end.length && end.equals(PNG_END);
  } catch {
    return false;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
