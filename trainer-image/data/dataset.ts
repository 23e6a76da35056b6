import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import type { DatasetSettings } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';
import {
  field,
  isMissing,
  listFolder,
  mayBeMissing,
  readSplit,
  refuseOverlap,
  scribbledImages,
  type FolderSettings,
} from './split-lists.ts';
import type { Dataset, Sample } from './types.ts';

/** The masks that there are; none in data without masks. */
async function listMasks(settings: FolderSettings): Promise<ReadonlySet<string>> {
  try {
    return await listFolder(join(settings.path, settings.masks), 'masks');
  } catch (error) {
    if (mayBeMissing(settings, 'masks') && isMissing(error)) return new Set();
    throw error;
  }
}

/**
 * Parses labels.txt: lines of index and name, indices 0, 1, 2 … in any order; 255 may name the ignored pixels.
 * @param file named in errors
 */
export function parseLabels(text: string, file: string): string[] {
  const names = new Map<number, string>();
  for (const [number, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const match = /^\s*(\d+)[\s:,]+(\S.*?)\s*$/.exec(line);
    if (!match) throw new BadInputError(`line ${number + 1} must be an index and a name, such as "0 background": "${line}"`, { file });
    const index = Number(match[1]);
    if (index === IGNORE_INDEX) continue;
    if (index > IGNORE_INDEX) throw new BadInputError(`line ${number + 1}: class index ${index} is above ${IGNORE_INDEX - 1}`, { file });
    if (names.has(index)) throw new BadInputError(`line ${number + 1}: class ${index} is named twice`, { file });
    names.set(index, match[2]);
  }
  if (names.size < 2) throw new BadInputError('names fewer than two classes; 0 is the background', { file });
  return Array.from({ length: names.size }, (_, index) => {
    const name = names.get(index);
    if (name === undefined) throw new BadInputError(`class ${index} has no name; indices must run from 0 without a gap`, { file });
    return name;
  });
}

async function readClasses(settings: DatasetSettings, root: string): Promise<readonly string[]> {
  const file = join(root, 'labels.txt');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (settings.classes !== undefined) return undefined;
    const message = 'no class names: set spec.dataset.classes or write a labels.txt with lines of index and name';
    throw new BadInputError(message, { file, field: 'spec.dataset.classes', cause });
  });
  if (settings.classes === undefined) return parseLabels(text ?? '', file);
  const named = text === undefined ? settings.classes.length : parseLabels(text, file).length;
  if (named !== settings.classes.length) {
    const message = `labels.txt names ${named} classes, spec.dataset.classes ${settings.classes.length}`;
    throw new BadInputError(message, { file, field: 'spec.dataset.classes' });
  }
  return settings.classes;
}

/**
 * Opens a VOC-style folder: class names, and for every image of a split its files. Only names are looked at, no picture is
 * decoded (surveyScribbles does that). Training images need a scribble file; validation images need a mask, unless the data
 * have none at all; the others are taken where they exist.
 * @param settings with a folder whose path is absolute
 * @throws BadInputError naming the file and the setting: missing folder, list, image, scribble, mask or class names; an empty
 *   split; an image listed twice, or in both lists
 */
export async function openDataset(settings: DatasetSettings): Promise<Dataset> {
  const { folder } = settings;
  if (folder === undefined) throw new BadInputError('a folder is needed', { field: 'spec.dataset.folder' });
  await listFolder(folder.path, 'path');
  const classes = await readClasses(settings, folder.path);
  const folders = { scribble: join(folder.path, folder.scribbles), mask: join(folder.path, folder.masks) };
  const images = await listFolder(join(folder.path, folder.images), 'images');
  const scribbles = await listFolder(folders.scribble, 'scribbles');
  const masks = await listMasks(folder);

  const complete = (sample: Sample): Sample => {
    const file = `${sample.id}.png`;
    return {
      ...sample,
      ...(scribbles.has(file) ? { scribble: join(folders.scribble, file) } : {}),
      ...(masks.has(file) ? { mask: join(folders.mask, file) } : {}),
    };
  };
  const trainable = (sample: Sample): Sample => {
    if (sample.scribble !== undefined) return sample;
    const message = `image "${sample.id}" of the training split has no scribble; an unannotated image needs one that is 255 everywhere`;
    throw new BadInputError(message, { file: join(folders.scribble, `${sample.id}.png`), field: field('scribbles') });
  };
  const scorable = (sample: Sample): Sample => {
    if (sample.mask !== undefined || masks.size === 0) return sample;
    const message = `image "${sample.id}" of the validation split has no mask to be evaluated against`;
    throw new BadInputError(message, { file: join(folders.mask, `${sample.id}.png`), field: field('masks') });
  };
  const listed = await readSplit(folder, 'trainSplit', images);
  const val = (await readSplit(folder, 'valSplit', images)) ?? [];
  if (listed !== undefined) refuseOverlap(folder, listed, val);
  const train = listed ?? scribbledImages(folder, images, scribbles, val);
  return {
    classes,
    train: train.map((sample) => trainable(complete(sample))),
    val: val.map((sample) => scorable(complete(sample))),
  };
}
