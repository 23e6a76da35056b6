import { mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readingError, reasonOf } from '../../trainer-image/data/file-errors.ts';
import { BadInputError } from '../../trainer-image/errors.ts';

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

/**
 * Lets `work` write the files into a folder inside the output and moves them into place, each by rename, when all of them are there:
 * an error or an interruption leaves the output as it was.
 * @throws BadInputError if the output is the source, holds files of these names already, or cannot be written
 */
export async function writeStaged<Result>(
  { source, output, names, overwrite }: StagedOutput,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  try {
    await mkdir(output, { recursive: true });
  } catch (cause) {
    throw new BadInputError(`the folder cannot be made (${reasonOf(cause)})`, { file: output, field: '--output', cause });
  }
  if ((await realpath(output)) === (await realpath(source))) {
    throw new BadInputError('the results would overwrite their source; name another folder', { file: output, field: '--output' });
  }
  const twice = [...names].sort().find((name, index, sorted) => name === sorted[index - 1]);
  if (twice !== undefined) throw new BadInputError(`two files of the folder would become "${twice}"`, { file: source });
  const existing = new Set(await readdir(output));
  const clash = names.find((name) => existing.has(name));
  if (clash !== undefined && !overwrite) {
    const message = 'exists already; name another folder, or replace it with --overwrite';
    throw new BadInputError(message, { file: join(output, clash), field: '--output' });
  }
  let folder: string;
  try {
    folder = await mkdtemp(join(output, '.importing-'));
  } catch (cause) {
    throw new BadInputError(`the folder cannot be written (${reasonOf(cause)})`, { file: output, field: '--output', cause });
  }
  try {
    const result = await work(folder);
    for (const name of names) await rename(join(folder, name), join(output, name));
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
