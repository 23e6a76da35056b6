import { BadInputError } from '../errors.ts';

/** What an error says, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .trim()
    .replace(/:$/, '')
    .replaceAll(/\s*\n\s*/g, '; ');
}

/** Errors of the file system that a person has to mend; others (no file handles left, a lost disk) may pass. */
const PERSONAL = new Set(['ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

/**
 * The error to throw for a file or folder that could not be read: BadInputError if a person has to mend it, else the
 * original one, so that the stage is tried again.
 */
export function readingError(file: string, cause: unknown, field?: string): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (!PERSONAL.has(code)) return cause;
  const message = code === 'ENOENT' ? 'does not exist' : `cannot be read (${reasonOf(cause)})`;
  return new BadInputError(message, { file, field, cause });
}
