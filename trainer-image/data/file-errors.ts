import { BadInputError } from '../errors.ts';

/** What an error says, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .trim()
    .replace(/:$/, '')
    .replaceAll(/\s*\n\s*/g, '; ');
}

/** What to do about errors of the file system that a person has to mend; others (no file handles left, a lost disk) may pass. */
export const READING_ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder; check the path',
  EISDIR: 'this is a folder; name a file',
  ENOTDIR: 'a part of the path is a file, not a folder; check the path',
  EACCES: 'no permission; change the permissions or name another one',
  EPERM: 'no permission; change the permissions or name another one',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'links go round in a circle',
};

/**
 * The error to throw for a file or folder that could not be read: BadInputError if a person has to mend it, else the
 * original one, so that the stage is tried again.
 */
export function readingError(file: string, cause: unknown, field?: string): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (!Object.hasOwn(READING_ADVICE, code)) return cause;
  const message = code === 'ENOENT' ? 'does not exist' : `cannot be read: ${READING_ADVICE[code]}`;
  return new BadInputError(message, { file, field, cause });
}
