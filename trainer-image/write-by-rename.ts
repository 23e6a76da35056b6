import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileSystemError } from './file-system-error.ts';

/**
 * Writes a file by rename: readers see the old content or the new, never a part, whoever else writes the same file meanwhile, in this
 * process, on this machine or on another that shares the disk.
 * @param workFolder where the file lies until it is whole, on the same file system; left out: beside the file
 * @throws BadInputError where a person has to mend something
 */
export function writeByRename(file: string, content: string | Uint8Array, workFolder = dirname(file)): void {
  const temporary = join(workFolder, `${basename(file)}.${randomUUID()}.tmp`);
  try {
    writeFileSync(temporary, content);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw fileSystemError(error, file) ?? error;
  }
}
