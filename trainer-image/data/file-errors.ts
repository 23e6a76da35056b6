import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { nearestName } from '../../operator/api/suggestions.ts';
import { BadInputError } from '../errors.ts';

/** What an error says, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .trim()
    .replace(/:$/, '')
    .replaceAll(/\s*\n\s*/g, '; ');
}

const NO_PERMISSION = `no permission for user ${process.getuid?.() ?? 'of this process'}; change the permissions or name another one`;

/** What to do about errors of the file system that a person has to mend; others (no file handles left, a lost disk) may pass. */
export const READING_ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder; check the path',
  EISDIR: 'this is a folder; name a file',
  ENOTDIR: 'a part of the path is a file, not a folder; check the path',
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'links go round in a circle',
};

/** A folder with no more entries is listed as a whole, which says more than a guess. */
const FEW = 8;

/** What is there in place of something missing: what its folder, or the next one up, holds, or the name that was probably meant. */
function whatIsThere(file: string): string {
  let [missing, parent] = [file, dirname(file)];
  while (!existsSync(parent) && dirname(parent) !== parent) [missing, parent] = [parent, dirname(parent)];
  let names: string[];
  try {
    names = readdirSync(parent).filter((name) => !name.startsWith('.'));
  } catch {
    return '';
  }
  if (names.length === 0) return `; ${parent} is empty`;
  if (names.length <= FEW) return `; ${parent} holds ${names.sort().join(', ')}`;
  const near = nearestName(basename(missing), names);
  if (near !== undefined) return `; did you mean ${join(parent, near)}?`;
  return `; ${parent} holds ${names.sort().slice(0, FEW).join(', ')}, … (${names.length} entries)`;
}

/**
 * The error to throw for a file or folder that could not be read: BadInputError if a person has to mend it, else the
 * original one, so that the stage is tried again.
 */
export function readingError(file: string, cause: unknown, field?: string): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (!Object.hasOwn(READING_ADVICE, code)) return cause;
  const message = code === 'ENOENT' ? `does not exist${whatIsThere(file)}` : `cannot be read: ${READING_ADVICE[code]}`;
  return new BadInputError(message, { file, field, cause });
}
