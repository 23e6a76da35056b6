import { renameSync, rmdirSync, rmSync } from 'node:fs';
import { mkdtemp, readdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { removeAbandonedFolders } from '../../trainer-image/data/abandoned-folders.ts';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import { BadInputError } from '../../trainer-image/errors.ts';
import { makeFolder, outputError } from '../../trainer-image/file-system-error.ts';

export interface StagedOutput {
  /** Folder that is read. */
  readonly source: string;
  /** Folder that is written; made if it is not there. */
  readonly output: string;
  /** Names of the files that will be written. */
  readonly names: readonly string[];
  /** Whether files of these names may be replaced. */
  readonly overwrite: boolean;
}

/** Names of the files in a folder, sorted. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw readingError(folder, cause);
  });
  return entries
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

/** Begins the name of the folder in which the files wait for each other. */
const STAGING = '.importing-';
const FIELD = '--output';

/**
 * Lets `work` write the files into a folder inside the output and moves them into place, each by rename, when all of them are there:
 * an error or an interruption leaves the output as it was.
 * @throws BadInputError if the output is the source, holds files of these names already, or cannot be written
 */
export async function writeStaged<Result>(staged: StagedOutput, work: (folder: string) => Promise<Result>): Promise<Result> {
  const { output, names } = staged;
  const made = makeFolder(output, FIELD);
  let folder: string | undefined;
  const cleanUp = () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    if (made !== undefined) removeEmpty(output, made);
  };
  // Ctrl-C ends the process without a way through `finally`.
  process.once('exit', cleanUp);
  try {
    await checkNames(staged);
    await removeAbandonedFolders(output, STAGING, Date.now());
    folder = await mkdtemp(join(output, STAGING));
    const result = await work(folder);
    // At one go, so that no interruption comes in between.
    for (const name of names) renameSync(join(folder, name), join(output, name));
    return result;
  } catch (error) {
    throw outputError(error, output, FIELD);
  } finally {
    process.off('exit', cleanUp);
    cleanUp();
  }
}

/** Removes a folder and its parents up to the first that was made with it, as far as nothing is in them. */
function removeEmpty(folder: string, first: string): void {
  try {
    for (let path = resolve(folder); path.length >= resolve(first).length; path = dirname(path)) rmdirSync(path);
  } catch {
    // Something is there, which stays.
  }
}

async function checkNames({ source, output, names, overwrite }: StagedOutput): Promise<void> {
  if ((await realpath(output)) === (await realpath(source))) {
    throw new BadInputError('the results would overwrite their source; name another folder', { file: output, field: FIELD });
  }
  const twice = [...names].sort().find((name, index, sorted) => name === sorted[index - 1]);
  if (twice !== undefined) throw new BadInputError(`two files of the folder would become "${twice}"`, { file: source });
  const existing = new Set(await readdir(output));
  const clash = names.find((name) => existing.has(name));
  if (clash !== undefined && !overwrite) {
    const message = 'exists already; name another folder, or replace it with --overwrite';
    throw new BadInputError(message, { file: join(output, clash), field: FIELD });
  }
}
