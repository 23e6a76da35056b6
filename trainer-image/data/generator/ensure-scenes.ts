import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import sharp from 'sharp';
import type { DatasetSettings } from '../../../operator/api/experiment.ts';
import { BadInputError } from '../../errors.ts';
import { fileSystemError, STORAGE_FIELD } from '../../file-system-error.ts';
import { removeAbandonedFolders } from '../abandoned-folders.ts';
import { drawScribbles } from '../draw-scribbles.ts';
import { encodeIndexPng } from '../index-png.ts';
import type { RgbImage } from '../types.ts';
import { GENERATOR_CLASSES, GENERATOR_VERSION } from './drawings.ts';
import { createRasterCache } from './rasters.ts';
import type { RasterCache } from './rasters.ts';
import { renderScene } from './scene.ts';

export type GeneratorSettings = NonNullable<DatasetSettings['generator']>;

const FOLDERS = { images: 'JPEGImages', scribbles: 'Scribbles', masks: 'SegmentationClass', splits: 'ImageSets/Segmentation' } as const;

/** Digest of everything that the scenes depend on; names their folder. */
export function scenesDigest(settings: GeneratorSettings): string {
  const { train, val, size, maxObjects, seed } = settings;
  const identity = JSON.stringify({ generator: GENERATOR_VERSION, train, val, size, maxObjects, seed });
  return createHash('sha256').update(identity).digest('hex').slice(0, 16);
}

/** Names of the scenes of a split, e.g. train-0007. */
function sceneIds(split: 'train' | 'val', count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${split}-${String(index).padStart(4, '0')}`);
}

function encodeImage({ width, height, data }: RgbImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 4 })
    .toBuffer();
}

async function writeScene(folder: string, id: string, settings: GeneratorSettings, rasters: RasterCache): Promise<void> {
  const [split, index] = id.split('-');
  const { image, mask } = await renderScene(settings, split, Number(index), rasters);
  const scribble = drawScribbles(mask, { seed: settings.seed, id });
  await writeFile(join(folder, FOLDERS.images, `${id}.png`), await encodeImage(image));
  await writeFile(join(folder, FOLDERS.masks, `${id}.png`), encodeIndexPng(mask));
  await writeFile(join(folder, FOLDERS.scribbles, `${id}.png`), encodeIndexPng(scribble));
}

/** Whether the folder holds every scene. It appears by rename when complete, so only a deletion by hand can make this false. */
async function isComplete(folder: string, ids: readonly string[]): Promise<boolean> {
  for (const name of [FOLDERS.images, FOLDERS.masks, FOLDERS.scribbles]) {
    const files = new Set(await readdir(join(folder, name)).catch(() => []));
    if (!ids.every((id) => files.has(`${id}.png`))) return false;
  }
  const lists = new Set(await readdir(join(folder, FOLDERS.splits)).catch(() => []));
  return lists.has('train.txt') && lists.has('val.txt');
}

async function writeAll(
  folder: string,
  settings: GeneratorSettings,
  splits: Readonly<Record<'train' | 'val', readonly string[]>>,
  report: (done: number, total: number) => void,
): Promise<void> {
  for (const name of Object.values(FOLDERS)) await mkdir(join(folder, name), { recursive: true });
  const rasters = createRasterCache(settings.size);
  const ids = [...splits.train, ...splits.val];
  for (const [index, id] of ids.entries()) {
    await writeScene(folder, id, settings, rasters);
    report(index + 1, ids.length);
  }
  const lines = (items: readonly string[]) => items.map((item) => `${item}\n`).join('');
  await writeFile(join(folder, FOLDERS.splits, 'train.txt'), lines(splits.train));
  await writeFile(join(folder, FOLDERS.splits, 'val.txt'), lines(splits.val));
  await writeFile(join(folder, 'labels.txt'), lines(GENERATOR_CLASSES.map((name, index) => `${index} ${name}`)));
}

/**
 * Makes sure that the scenes of the settings lie in `<root>/data/<digest>`, a VOC-style folder: JPEGImages (PNG, so that every
 * decoder gives the same pixels), Scribbles, SegmentationClass, ImageSets/Segmentation/train.txt and val.txt, labels.txt. Scenes that are
 * there already are reused; new ones are made beside and renamed when complete, so two runs may ask at once.
 * @returns the folder
 * @throws BadInputError if the root cannot be written
 */
export async function ensureScenes(
  settings: GeneratorSettings,
  root: string,
  report: (done: number, total: number) => void = () => {},
): Promise<string> {
  const folder = join(root, 'data', scenesDigest(settings));
  const splits = { train: sceneIds('train', settings.train), val: sceneIds('val', settings.val) };
  const ids = [...splits.train, ...splits.val];
  if (await isComplete(folder, ids)) return folder;
  const temporary = await createTemporary(folder);
  try {
    await writeAll(temporary, settings, splits, report);
    await moveIntoPlace(temporary, folder, () => isComplete(folder, ids));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Renames a finished folder to its name. Where another run was faster, its folder stays: it may be read from already. One that is not
 * complete is put aside first, by rename, since removing it file by file would take long enough for another run to meet half of it.
 */
async function moveIntoPlace(temporary: string, folder: string, isThere: () => Promise<boolean>): Promise<void> {
  const move = () =>
    rename(temporary, folder).then(
      () => true,
      (error: unknown) => {
        if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
        throw error;
      },
    );
  if ((await move()) || (await isThere())) return;
  const aside = await mkdtemp(`${folder}.making-`);
  await rename(folder, aside);
  await rm(aside, { recursive: true, force: true });
  if (!(await move()) && !(await isThere())) throw new Error(`${folder} is changed by others while it is made`);
}

async function createTemporary(folder: string): Promise<string> {
  try {
    await mkdir(dirname(folder), { recursive: true });
    await removeAbandonedFolders(dirname(folder), `${basename(folder)}.making-`, Date.now());
    return await mkdtemp(`${folder}.making-`);
  } catch (cause) {
    const reason = fileSystemError(cause)?.message ?? (cause instanceof Error ? cause.message : String(cause));
    throw new BadInputError(`the folder for the generated scenes cannot be written (${reason})`, {
      file: dirname(folder),
      field: STORAGE_FIELD,
      cause,
    });
  }
}
