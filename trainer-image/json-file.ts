import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileSystemError, makeFolder } from './file-system-error.ts';

/** Writes a JSON file and its folder; readers see the old content or the new, never a part. */
export function writeJson(file: string, value: unknown): void {
  makeFolder(dirname(file));
  const temporary = `${file}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw fileSystemError(cause, file) ?? cause;
  }
}

/** The content of a JSON file, or undefined where there is none or it cannot be parsed. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
