import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import type { DatasetSettings } from '../../../operator/api/experiment.ts';
import { writeIndexPng } from '../../../trainer-image/data/index-png.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';

/** A temporary VOC-style folder that tests write into. */
export interface TestFolder {
  readonly path: string;
  readonly settings: DatasetSettings;
  write(name: string, text: string | Uint8Array): Promise<void>;
  /** Writes an index PNG; missing pixels are 255. */
  writeLabels(name: string, width: number, height: number, labels: readonly number[]): Promise<void>;
  /** Writes a noisy image, which differs from name to name. */
  writeImage(name: string, width: number, height: number): Promise<void>;
  remove(): Promise<void>;
}

export async function createTestFolder(): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), 'cdsp-data-'));
  const place = async (name: string) => {
    await mkdir(dirname(join(path, name)), { recursive: true });
    return join(path, name);
  };
  return {
    path,
    settings: {
      folder: {
        path,
        images: 'JPEGImages',
        scribbles: 'Scribbles',
        masks: 'SegmentationClass',
        trainSplit: 'ImageSets/train.txt',
        valSplit: 'ImageSets/val.txt',
      },
    },
    async write(name, text) {
      await writeFile(await place(name), text);
    },
    async writeLabels(name, width, height, labels) {
      const data = new Uint8Array(width * height).fill(255);
      data.set(labels);
      writeIndexPng(await place(name), { width, height, data });
    },
    async writeImage(name, width, height) {
      const random = createRandom(name);
      const data = Uint8Array.from({ length: width * height * 3 }, () => Math.floor(256 * random()));
      await sharp(data, { raw: { width, height, channels: 3 } }).toFile(await place(name));
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** Fills a folder with `train` + `val` images of 24 × 16 pixels, named t0 … and v0 …, and three classes. */
export async function fillFolder(folder: TestFolder, train: number, val: number): Promise<void> {
  await folder.write('labels.txt', '0 background\n1 cat\n2 dog\n255 ignore\n');
  const names = { train: Array.from({ length: train }, (_, i) => `t${i}`), val: Array.from({ length: val }, (_, i) => `v${i}`) };
  for (const [i, name] of [...names.train, ...names.val].entries()) {
    await folder.writeImage(`JPEGImages/${name}.png`, 24, 16);
    const scribble = Array.from({ length: 24 * 16 }, (_, pixel) => (pixel % 24 < 6 ? 0 : pixel % 24 > 18 ? 1 + (i % 2) : 255));
    await folder.writeLabels(`Scribbles/${name}.png`, 24, 16, scribble);
    const mask = Array.from({ length: 24 * 16 }, (_, pixel) => (pixel % 24 < 12 ? 0 : 1 + (i % 2)));
    await folder.writeLabels(`SegmentationClass/${name}.png`, 24, 16, mask);
  }
  await folder.write('ImageSets/train.txt', `${names.train.join('\n')}\n`);
  await folder.write('ImageSets/val.txt', `${names.val.join('\n')}\n`);
}
