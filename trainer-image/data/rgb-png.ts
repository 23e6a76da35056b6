import { rename, rm } from 'node:fs/promises';
import sharp from 'sharp';
import type { RgbImage } from './types.ts';

/** Writes an RGB image as a PNG, by rename: a file under its final name is complete. */
export async function writeRgbPng(file: string, { width, height, data }: RgbImage): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(temporary);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
