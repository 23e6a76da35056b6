import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { FOLDER_NAMES } from '../../api/experiment.ts';
import { formatCount } from '../progress/format.ts';
import { writeTextFile } from '../write-text-file.ts';
import type { FolderFindings } from './inspect-folder.ts';
import type { Gap } from './find-gaps.ts';
import { makeSplits, type Splits } from './splits.ts';

const NEW_LISTS = { train: FOLDER_NAMES.trainSplit, val: FOLDER_NAMES.valSplit };

export interface PreparedSplits {
  /** Paths for the experiment, relative to the data folder. */
  readonly train: string;
  readonly val: string;
  readonly trainImages: number;
  readonly notes: readonly string[];
  readonly gaps: readonly Gap[];
}

/**
 * Uses the lists that are there, or writes new ones when that was asked for. Existing lists are never changed. Without masks no list is
 * needed: every image with a scribble is trained on.
 * @param command how the user asks for new lists
 * @throws BadInputError where a list would be overwritten
 */
export async function prepareSplits(findings: FolderFindings, write: boolean, command: string): Promise<PreparedSplits> {
  const { root, images, train, val, scribbles, masks } = findings;
  const paths = { train: train?.path ?? NEW_LISTS.train, val: val?.path ?? NEW_LISTS.val };
  if (train !== undefined && val !== undefined) return { ...paths, trainImages: train.count, notes: [], gaps: [] };
  const splits = makeSplits(
    images?.ids ?? [],
    (id) => scribbles?.ids.has(id) ?? false,
    (id) => masks?.ids.has(id) ?? false,
  );
  const existing = train?.path ?? val?.path;
  // Nothing is scored, so one list or none does.
  if (masks === undefined && (!write || existing !== undefined)) {
    const notes = write ? [`The split list ${existing} is there and stays as it is; without masks no other is needed.`] : [];
    return { ...paths, trainImages: train?.count ?? splits.train.length, notes, gaps: [] };
  }
  const prepared = { ...NEW_LISTS, trainImages: splits.train.length, notes: [] };
  if (!write) {
    const problem = existing === undefined ? 'no split lists' : `of the split lists only ${existing}`;
    const advice = existing === undefined ? '' : `write the other one, or remove ${join(root, existing)} and `;
    return { ...prepared, gaps: [{ problem, advice: `${advice}write both: ${command} --force` }] };
  }
  const lacking = missingFor(splits, findings);
  if (lacking !== undefined)
    return { ...prepared, gaps: [{ problem: `no splits written: ${lacking}`, advice: 'add them and run init again' }] };
  return { ...prepared, notes: await writeLists(root, splits), gaps: [] };
}

function missingFor({ train, val }: Splits, { images, masks }: FolderFindings): string | undefined {
  if (train.length === 0) return 'no image has a scribble to train on';
  if (val.length > 0 || masks === undefined) return undefined;
  const hasMask = images?.ids.some((id) => masks.ids.has(id)) ?? false;
  return hasMask ? 'the only image with a scribble is needed for training' : 'no image has a mask for validation';
}

/** Fewer images than these teach a network little. */
const FEW_IMAGES = 10;

/** What to say about a training set that is there, but tiny; undefined where there is nothing to say. */
export function fewImagesNote({ images, scribbles }: FolderFindings, trainImages: number): string | undefined {
  const ids = images?.ids ?? [];
  const scribbled = ids.filter((id) => scribbles?.ids.has(id)).length;
  if (scribbled === 0 || trainImages >= FEW_IMAGES) return undefined;
  return `Few to train on: ${formatCount(trainImages, 'training image')}; ${scribbled} of ${formatCount(ids.length, 'image')} have a scribble.`;
}

/** Writes the lists that name an image. @returns what was written, for people */
async function writeLists(root: string, splits: Splits): Promise<string[]> {
  const names = (['train', 'val'] as const).filter((name) => splits[name].length > 0);
  const existing = Object.values(NEW_LISTS).find((path) => existsSync(join(root, path)));
  if (existing !== undefined) {
    const message = 'the split list exists; it is not overwritten. Remove it, or add the other one';
    throw new BadInputError(message, { file: join(root, existing) });
  }
  for (const name of names) await writeTextFile(join(root, NEW_LISTS[name]), `${splits[name].join('\n')}\n`);
  return [`Wrote ${names.map((name) => `${NEW_LISTS[name]} (${formatCount(splits[name].length, 'name')})`).join(' and ')}.`];
}
