import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import type { DatasetSettings } from '../../operator/api/experiment.ts';
import { BadInputError, BadInputs } from '../errors.ts';
import {
  andOthers,
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

/** The samples with their files. @throws BadInputError for those that lack one that they need */
function withFiles(samples: readonly Sample[], folders: SampleFolders, needed: 'scribble' | 'mask' | undefined): Sample[] {
  const complete = samples.map((sample): Sample => {
    const file = `${sample.id}.png`;
    return {
      ...sample,
      ...(folders.scribbles.has(file) ? { scribble: join(folders.scribble, file) } : {}),
      ...(folders.masks.has(file) ? { mask: join(folders.mask, file) } : {}),
    };
  });
  const [first, ...others] = needed === undefined ? [] : complete.filter((sample) => sample[needed] === undefined);
  if (first === undefined || needed === undefined) return complete;
  const what = {
    scribble: 'of the training split has no scribble; an unannotated image needs one that is 255 everywhere',
    mask: 'of the validation split has no mask to be evaluated against',
  }[needed];
  const message = `image "${first.id}" ${what}${andOthers(others.map(({ id }) => `"${id}"`))}`;
  throw new BadInputError(message, { file: join(folders[needed], `${first.id}.png`), field: field(`${needed}s`) });
}

/** Paths of the folders of scribbles and masks, and the names in them. */
interface SampleFolders {
  readonly scribble: string;
  readonly mask: string;
  readonly scribbles: ReadonlySet<string>;
  readonly masks: ReadonlySet<string>;
}

/**
 * Opens a VOC-style folder: class names, and for every image of a split its files. Only names are looked at, no picture is
 * decoded (surveyScribbles does that). Training images need a scribble file; validation images need a mask, unless the data
 * have none at all; the others are taken where they exist.
 * @param settings with a folder whose path is absolute
 * @throws BadInputError naming the file and the setting: missing folder, list, image, scribble, mask or class names; an empty
 *   split; an image listed twice, or in both lists. BadInputErrors for several of them
 */
export async function openDataset(settings: DatasetSettings): Promise<Dataset> {
  const { folder } = settings;
  if (folder === undefined) throw new BadInputError('a folder is needed', { field: 'spec.dataset.folder' });
  await listFolder(folder.path, 'path');
  const paths = { scribble: join(folder.path, folder.scribbles), mask: join(folder.path, folder.masks) };
  const bad = new BadInputs();
  const classes = await bad.attempt(() => readClasses(settings, folder.path));
  const images = await bad.attempt(() => listFolder(join(folder.path, folder.images), 'images'));
  const scribbles = await bad.attempt(() => listFolder(paths.scribble, 'scribbles'));
  const masks = await bad.attempt(() => listMasks(folder));
  const listed = await bad.attempt(() => readSplit(folder, 'trainSplit', images));
  const listedVal = await bad.attempt(() => readSplit(folder, 'valSplit', images));
  let [train, val]: (Sample[] | undefined)[] = [];
  if (images !== undefined && scribbles !== undefined && masks !== undefined && listed !== undefined && listedVal !== undefined) {
    const folders = { ...paths, scribbles, masks };
    const validated = listedVal ?? [];
    if (listed !== null) await bad.attempt(() => refuseOverlap(folder, listed, validated));
    train = await bad.attempt(() => withFiles(listed ?? scribbledImages(folder, images, scribbles, validated), folders, 'scribble'));
    val = await bad.attempt(() => withFiles(validated, folders, masks.size === 0 ? undefined : 'mask'));
  }
  return bad.all({ classes, train, val });
}
