import { renameSync, writeFileSync } from 'node:fs';

/** Writes a value as JSON, by rename: a file under its final name is complete. */
export function writeJsonAtomically(file: string, value: unknown): void {
  const temporary = `${file}.partial`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(temporary, file);
}
