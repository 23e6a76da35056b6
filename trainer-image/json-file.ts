import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from './file-system-error.ts';
import { writeByRename } from './write-by-rename.ts';

/** Writes a JSON file and its folder; readers see the old content or the new, never a part. See writeByRename for `workFolder`. */
export function writeJson(file: string, value: unknown, workFolder?: string): void {
  makeFolder(dirname(file));
  writeByRename(file, `${JSON.stringify(value, null, 2)}\n`, workFolder);
}

/** The content of a JSON file, or undefined where there is none or it cannot be parsed. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
