import { access, readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { BadInputError } from '../errors.ts';
import { readingError, reasonOf } from './file-errors.ts';
import type { RgbImage } from './types.ts';

// Images are decoded in worker threads, one at a time each: more threads inside libvips would only compete with training, and
// its operation cache would keep every image twice.
sharp.concurrency(1);
sharp.cache(false);

/** File extensions of images, in the order in which they are looked for. */
export const IMAGE_EXTENSIONS = ['.jpg', '.jpeg', '.png', '.webp'] as const;

function undecodable(file: string, cause: unknown): BadInputError {
  return new BadInputError(`not a readable image, damaged or incomplete (${reasonOf(cause)})`, { file, cause });
}

/**
 * Reads a JPEG, PNG or WebP as 8-bit sRGB. Greyscale and CMYK are converted, transparency is dropped, and the EXIF orientation
 * is applied, as drawing tools do.
 * @throws BadInputError if the file is missing, damaged or truncated
 */
export async function readImage(file: string): Promise<RgbImage> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw readingError(file, cause);
  });
  try {
    const { data, info } = await sharp(bytes, { failOn: 'error' })
      .autoOrient()
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} colour channels`);
    return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  } catch (cause) {
    throw undecodable(file, cause);
  }
}

/**
 * Width and height in pixels after the EXIF orientation, from the header alone.
 * @throws BadInputError if the file is missing or has no image header
 */
export async function readImageSize(file: string): Promise<{ width: number; height: number }> {
  await access(file).catch((cause: unknown) => {
    throw readingError(file, cause);
  });
  try {
    const { autoOrient } = await sharp(file).metadata();
    return { width: autoOrient.width, height: autoOrient.height };
  } catch (cause) {
    throw undecodable(file, cause);
  }
}
