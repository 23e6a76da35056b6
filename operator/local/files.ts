import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BadInputError } from '../../trainer-image/errors.ts';

const ADVICE: Record<string, string> = {
  EACCES: 'no permission to write; change the permissions or choose another folder',
  EPERM: 'no permission to write; change the permissions or choose another folder',
  EROFS: 'the file system is read-only; choose another folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a part of the path is a file, not a folder',
  ENOSPC: 'the disk is full; make room and start again, the run resumes',
  EDQUOT: 'the disk quota is used up; make room and start again, the run resumes',
};

/** What a person can mend about a folder that is written to, as bad input; anything else as it is. */
export function writingError(file: string, cause: unknown): unknown {
  const advice = ADVICE[(cause as NodeJS.ErrnoException | undefined)?.code ?? ''];
  return advice === undefined ? cause : new BadInputError(advice, { file, field: 'spec.storage.path', cause });
}

/** Makes a folder with its parents. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw writingError(folder, cause);
  }
}

/** Writes a JSON file and its folder; readers see the old content or the new, never a part. */
export function writeJson(file: string, value: unknown): void {
  makeFolder(dirname(file));
  const temporary = `${file}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw writingError(file, cause);
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
