import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileSystemError, makeFolder } from '../../trainer-image/file-system-error.ts';

/**
 * Writes a file, and its folder, through a temporary sibling, so that nobody ever sees half of it.
 * @throws BadInputError where a person has to mend something
 */
export async function writeTextFile(file: string, text: string): Promise<void> {
  makeFolder(dirname(file), null);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileSystemError(error, file, null) ?? error;
  }
}
