import { readdir, readFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { FOLDER_NAMES, type DatasetSettings } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';
import { readingError } from './file-errors.ts';
import { IMAGE_EXTENSIONS } from './images.ts';
import type { Sample } from './types.ts';

export type FolderSettings = NonNullable<DatasetSettings['folder']>;

/** How many names a message gives of many. */
const SHOWN = 3;

/** A setting's name in messages. */
export const field = (name: keyof FolderSettings) => `spec.dataset.folder.${name}`;

/** Names of the files in a folder; `name` is the setting that names it. */
export async function listFolder(folder: string, name: keyof FolderSettings): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (cause) {
    throw readingError(folder, cause, field(name));
  }
}

/**
 * Whether what a setting names may be missing: under its default name. A name of one's own is meant, and a slip in it must not
 * quietly cost the evaluation.
 */
export const mayBeMissing = (settings: FolderSettings, name: 'masks' | 'trainSplit' | 'valSplit') => settings[name] === FOLDER_NAMES[name];

/** Whether a reading failed because nothing is there. */
export const isMissing = (error: unknown) =>
  error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';

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

/**
 * The images of a split list; null where there is no list and none is needed.
 * @param images files in the folder of images; undefined where that cannot be read: then the list alone is looked at
 */
export async function readSplit(
  settings: FolderSettings,
  name: 'trainSplit' | 'valSplit',
  images: ReadonlySet<string> | undefined,
): Promise<Sample[] | null> {
  const file = join(settings.path, settings[name]);
  const where = { file, field: field(name) };
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const error = readingError(file, cause, where.field);
    if (mayBeMissing(settings, name) && isMissing(error)) return null;
    throw error;
  }
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '');
  if (lines.length === 0) throw new BadInputError('the split is empty: it names no image', where);
  if (images === undefined) return [];
  const seen = new Map<string, number>();
  const missing: { line: string; number: number }[] = [];
  const samples: Sample[] = [];
  for (const { line, number } of lines) {
    const found = findImage(namesOfLine(line), images);
    if (found === undefined) {
      missing.push({ line, number });
      continue;
    }
    const before = seen.get(found.id);
    if (before !== undefined) throw new BadInputError(`"${found.id}" is listed twice, in lines ${before} and ${number}`, where);
    seen.set(found.id, number);
    samples.push({ id: found.id, image: join(settings.path, settings.images, found.file) });
  }
  if (missing.length > 0) {
    const [{ line, number }, ...others] = missing;
    const first = `line ${number}: no image "${line}" (${IMAGE_EXTENSIONS.join(', ')}) in ${join(settings.path, settings.images)}`;
    throw new BadInputError(first + andOthers(others.map((other) => `"${other.line}" of line ${other.number}`)), where);
  }
  return samples;
}

/** "; nor is there one for …": the first few of the others that a message is about, and how many they are. */
export function andOthers(others: readonly string[]): string {
  if (others.length === 0) return '';
  const more = others.length > SHOWN ? `, … (${others.length} more)` : '';
  return `; nor is there one for ${others.slice(0, SHOWN).join(', ')}${more}`;
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
 * Refuses images that are trained on and scored: what they score says nothing of images that were never seen.
 * @throws BadInputError naming both lists and the first few images
 */
export function refuseOverlap(settings: FolderSettings, train: readonly Sample[], val: readonly Sample[]): void {
  const trained = new Set(train.map(({ image }) => image));
  const both = val.filter(({ image }) => trained.has(image)).map(({ id }) => `"${id}"`);
  if (both.length === 0) return;
  const names = both.slice(0, SHOWN).join(', ') + (both.length > SHOWN ? `, … (${both.length} images)` : '');
  const message = `${join(settings.path, settings.trainSplit)} lists ${names}, too: an image that is trained on scores too well; take it off one of the two lists`;
  throw new BadInputError(message, { file: join(settings.path, settings.valSplit), field: field('valSplit') });
}

/** Without a list for training: every image with a scribble that is not for validation, in the order of the names. */
export function scribbledImages(
  settings: FolderSettings,
  images: ReadonlySet<string>,
  scribbles: ReadonlySet<string>,
  val: readonly Sample[],
): Sample[] {
  const validated = new Set(val.map(({ id }) => id));
  const ids = [...new Set([...images].map((file) => parse(file).name))].filter((id) => scribbles.has(`${id}.png`) && !validated.has(id));
  const samples = ids.sort().flatMap((id): Sample[] => {
    const found = findImage([id], images);
    return found === undefined ? [] : [{ id, image: join(settings.path, settings.images, found.file) }];
  });
  if (samples.length === 0) {
    const message = 'no image has a scribble of its name (<image name>.png), and no list says what to train on';
    throw new BadInputError(message, { file: join(settings.path, settings.scribbles), field: field('scribbles') });
  }
  return samples;
}
