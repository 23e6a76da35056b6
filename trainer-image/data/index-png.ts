import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { decode, encode } from 'fast-png';
import type { DecodedPng } from 'fast-png';
import { BadInputError } from '../errors.ts';
import { fileSystemError } from '../file-system-error.ts';
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

/** Spreads packed 1-, 2- and 4-bit pixels; every row starts at a byte. */
function unpack(png: DecodedPng): Uint8Array {
  const { width, height, depth } = png;
  const rowBytes = Math.ceil((width * depth) / 8);
  const result = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const shift = 8 - depth - (bit & 7);
      result[y * width + x] = (png.data[y * rowBytes + (bit >> 3)] >> shift) & ((1 << depth) - 1);
    }
  }
  return result;
}

/**
 * Decodes an index PNG: palette PNGs of 1 to 8 bits (the palette indices, not the colours) and 8-bit greyscale.
 * @param file named in errors
 * @throws BadInputError for anything that is not an index PNG, is damaged or ends early
 */
export function decodeIndexPng(bytes: Uint8Array, file: string): LabelMap {
  // The library takes such pixels for whole bytes.
  if (isInterlacedBelowByte(bytes)) {
    throw new BadInputError('interlaced with fewer than 8 bits a pixel, which is not supported; save it without interlacing', { file });
  }
  let png: DecodedPng;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (cause) {
    throw new BadInputError(`not a readable PNG, damaged or incomplete (${reasonOf(cause)}); ${HOW_TO_CONVERT}`, { file, cause });
  }
  const { width, height, depth, channels, palette } = png;
  if (channels !== 1) throw new BadInputError(`this PNG has ${channels} colour channels; ${HOW_TO_CONVERT}`, { file });
  if (depth === 16) throw new BadInputError(`this PNG has 16 bits a pixel; ${HOW_TO_CONVERT}`, { file });
  if (depth < 8 && palette === undefined) {
    throw new BadInputError(`this greyscale PNG has ${depth} bits a pixel, which does not say what is a class; ${HOW_TO_CONVERT}`, {
      file,
    });
  }
  const expectedBytes = Math.ceil((width * depth) / 8) * height;
  if (png.data.length !== expectedBytes) throw new BadInputError('the PNG holds fewer pixels than its header says', { file });
  return { width, height, data: depth < 8 ? unpack(png) : new Uint8Array(png.data) };
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

/** Writes a label map as an 8-bit palette PNG, by rename, so that no reader meets half a file. */
export async function writeIndexPng(file: string, map: LabelMap, palette: readonly Rgb[] = VOC_PALETTE): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, encodeIndexPng(map, palette));
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileSystemError(error, file) ?? error;
  }
}
