import { renameSync, writeFileSync } from 'node:fs';
import { whileWriting } from '../file-system-error.ts';

/** Writes a value as JSON, by rename: a file under its final name is complete. */
export function writeJsonAtomically(file: string, value: unknown): void {
  const temporary = `${file}.partial`;
  whileWriting(file, () => {
    writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
    renameSync(temporary, file);
  });
}
