import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileSystemError } from '../file-system-error.ts';

/**
 * Makes a folder right below the stage's checkpoint folder. That one has to be there: it goes when another process completes the stage, and
 * must not come back.
 * @param path relative to the stage's folder
 * @throws Error with code ENOENT where the checkpoint folder has gone; BadInputError where a person has to mend something
 */
export function makeFolderInCheckpoint(output: string, path: string): string {
  const folder = join(output, path);
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fileSystemError(error, folder) ?? error;
  }
  return folder;
}
