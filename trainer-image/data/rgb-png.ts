import { rename, rm, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { fileSystemError } from '../file-system-error.ts';
import type { RgbImage } from './types.ts';

/** Writes an RGB image as a PNG, by rename: a file under its final name is complete. */
export async function writeRgbPng(file: string, { width, height, data }: RgbImage): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    // Not toFile: on a full disk the library's error would not say so.
    const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    await writeFile(temporary, bytes);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileSystemError(error, file) ?? error;
  }
}
