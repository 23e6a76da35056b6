import { readdir, readFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import type { DatasetSettings } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';
import { readingError } from './file-errors.ts';
import { IMAGE_EXTENSIONS } from './images.ts';
import type { Dataset, Sample } from './types.ts';

type FolderSettings = NonNullable<DatasetSettings['folder']>;

const field = (name: keyof FolderSettings) => `spec.dataset.folder.${name}`;

/** Names of the files in a folder; `name` is the setting that names it. */
async function listFolder(folder: string, name: keyof FolderSettings): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (cause) {
    throw readingError(folder, cause, field(name));
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
 * The possible image names of a line in a split list: the whole line, its first column (VOC's lists per class add " 1" or
 * " -1"), and the base name of a path in it (lists of the augmented VOC set give paths).
 */
function namesOfLine(line: string): string[] {
  const column = line.split(/\s+/)[0];
  const path = parse(column);
  const isFile = [...IMAGE_EXTENSIONS].some((extension) => extension === path.ext.toLowerCase());
  return [line, column, isFile ? path.name : path.base];
}

async function readSplit(settings: FolderSettings, name: 'trainSplit' | 'valSplit', images: ReadonlySet<string>): Promise<Sample[]> {
  const file = join(settings.path, settings[name]);
  const where = { file, field: field(name) };
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw readingError(file, cause, where.field);
  });
  const seen = new Map<string, number>();
  const samples: Sample[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === '') continue;
    const found = findImage(namesOfLine(line), images);
    if (found === undefined) {
      const message = `line ${index + 1}: no image "${line}" (${IMAGE_EXTENSIONS.join(', ')}) in ${join(settings.path, settings.images)}`;
      throw new BadInputError(message, where);
    }
    const before = seen.get(found.id);
    if (before !== undefined) throw new BadInputError(`"${found.id}" is listed twice, in lines ${before} and ${index + 1}`, where);
    seen.set(found.id, index + 1);
    samples.push({ id: found.id, image: join(settings.path, settings.images, found.file) });
  }
  if (samples.length === 0) throw new BadInputError('the split is empty: it names no image', where);
  return samples;
}

function findImage(names: readonly string[], images: ReadonlySet<string>): { id: string; file: string } | undefined {
  for (const id of names) {
    for (const extension of IMAGE_EXTENSIONS) {
      for (const file of [id + extension, id + extension.toUpperCase()]) if (images.has(file)) return { id, file };
    }
  }
  return undefined;
}

/**
 * Opens a VOC-style folder: class names, and for every image of a split its files. Only names are looked at, no picture is
 * decoded (surveyScribbles does that). Training images need a scribble file, validation images a mask; the others are taken
 * where they exist.
 * @param settings with a folder whose path is absolute
 * @throws BadInputError naming the file and the setting: missing folder, list, image, scribble, mask or class names; an empty
 *   split; an image listed twice
 */
export async function openDataset(settings: DatasetSettings): Promise<Dataset> {
  const { folder } = settings;
  if (folder === undefined) throw new BadInputError('a folder is needed', { field: 'spec.dataset.folder' });
  await listFolder(folder.path, 'path');
  const classes = await readClasses(settings, folder.path);
  const folders = { scribble: join(folder.path, folder.scribbles), mask: join(folder.path, folder.masks) };
  const images = await listFolder(join(folder.path, folder.images), 'images');
  const scribbles = await listFolder(folders.scribble, 'scribbles');
  const masks = await listFolder(folders.mask, 'masks');

  const complete = (sample: Sample, needs: 'scribble' | 'mask', split: string): Sample => {
    const file = `${sample.id}.png`;
    if (needs === 'scribble' && !scribbles.has(file)) {
      const message = `image "${sample.id}" of the ${split} split has no scribble; an unannotated image needs one that is 255 everywhere`;
      throw new BadInputError(message, { file: join(folders.scribble, file), field: field('scribbles') });
    }
    if (needs === 'mask' && !masks.has(file)) {
      const message = `image "${sample.id}" of the ${split} split has no mask to be evaluated against`;
      throw new BadInputError(message, { file: join(folders.mask, file), field: field('masks') });
    }
    return {
      ...sample,
      ...(scribbles.has(file) ? { scribble: join(folders.scribble, file) } : {}),
      ...(masks.has(file) ? { mask: join(folders.mask, file) } : {}),
    };
  };
  const train = await readSplit(folder, 'trainSplit', images);
  const val = await readSplit(folder, 'valSplit', images);
  return {
    classes,
    train: train.map((sample) => complete(sample, 'scribble', 'training')),
    val: val.map((sample) => complete(sample, 'mask', 'validation')),
  };
}
