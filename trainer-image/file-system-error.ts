import { BadInputError } from './errors.ts';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space or choose another folder in spec.storage.path. What was complete is kept',
  EDQUOT: 'the disk quota is used up; free some space or choose another folder in spec.storage.path. What was complete is kept',
  EACCES: 'the folder cannot be written; change its permissions or choose another one in spec.storage.path',
  EPERM: 'the folder cannot be written; change its permissions or choose another one in spec.storage.path',
  EFBIG:
    'the file is larger than the file system or the limit of this process (ulimit -f) allows; choose another folder in spec.storage.path or lift the limit',
  EEXIST: 'a file is in the way of a folder that has to be made here; move it or choose another folder in spec.storage.path',
  ENOTDIR: 'a file is in the way of a folder that has to be made here; move it or choose another folder in spec.storage.path',
  EROFS: 'the file system is read-only; choose another folder in spec.storage.path',
};

/**
 * An error of the file system that a person has to mend, as a BadInputError; undefined for any other error.
 * @param file named where the system does not say which it was, as on a full disk
 */
export function fileSystemError(error: unknown, file?: string): BadInputError | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code, path } = cause as NodeJS.ErrnoException;
    const message = code === undefined ? undefined : ADVICE[code];
    if (message !== undefined) return new BadInputError(message, { file: path ?? file, field: 'spec.storage.path', cause: error });
  }
  return undefined;
}

/** Runs `write`, which writes `file`; where a person has to mend something, the error says so and names the file. */
export function whileWriting<Result>(file: string, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    throw fileSystemError(error, file) ?? error;
  }
}
