import sharp from 'sharp';
import { writeByRename } from '../write-by-rename.ts';
import type { RgbImage } from './types.ts';

/** Writes an RGB image as a PNG, by rename: a file under its final name is complete. See writeByRename for `workFolder`. */
export async function writeRgbPng(file: string, { width, height, data }: RgbImage, workFolder?: string): Promise<void> {
  // Not toFile: on a full disk the library's error would not say so.
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  writeByRename(file, bytes, workFolder);
}
