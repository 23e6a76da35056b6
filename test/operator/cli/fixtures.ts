import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { withFolder } from '../local/temporary-folder.ts';
import { encodeIndexPng } from '../../../trainer-image/data/index-png.ts';

/** Writes files below a folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** A small experiment with generated data. */
export const TINY = `apiVersion: cdsp.dev/v1alpha1
kind: CDSPExperiment
metadata:
  name: tiny
spec:
  dataset:
    generator: { train: 2, val: 1, size: 48 }
  retries: 0
`;

/** A folder with that experiment as tiny.yaml. */
export const withExperiment = (use: (folder: string) => Promise<void>): Promise<void> =>
  withFolder(async (folder) => {
    writeFiles(folder, { 'tiny.yaml': TINY });
    await use(folder);
  });

const SIZE = { width: 64, height: 48 };
const PIXELS = SIZE.width * SIZE.height;

/** An index PNG: `values` in turn, a row each, `rest` elsewhere. */
export function indexPng(values: readonly number[], rest: number): Uint8Array {
  const data = new Uint8Array(PIXELS).fill(rest);
  values.forEach((value, row) => data.fill(value, row * SIZE.width, (row + 1) * SIZE.width));
  return encodeIndexPng({ ...SIZE, data });
}

export function colourPicture(format: 'png' | 'jpeg', red: number): Promise<Uint8Array> {
  return sharp({ create: { ...SIZE, channels: 3, background: { r: red, g: 40, b: 40 } } })
    .toFormat(format)
    .toBuffer();
}

/** A VOC-style folder of ten images with scribbles and masks of three classes, without split lists. */
export async function writeVocFolder(folder: string, changes: { images?: string; scribbles?: string; masks?: string } = {}): Promise<void> {
  const { images = 'JPEGImages', scribbles = 'Scribbles', masks = 'SegmentationClass' } = changes;
  const jpeg = await colourPicture('jpeg', 200);
  for (let index = 0; index < 10; index++) {
    writeFiles(folder, {
      [`${images}/image-${index}.jpg`]: jpeg,
      [`${scribbles}/image-${index}.png`]: indexPng([0, 1, 2], 255),
      [`${masks}/image-${index}.png`]: indexPng([255, 1, 1, 2, 2], 0),
    });
  }
}
