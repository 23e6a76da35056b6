import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BadInputError } from './errors.ts';

/** Kubernetes sets this in every container. */
const isInPod = process.env.KUBERNETES_SERVICE_HOST !== undefined;

/** The setting that says where stages write. */
export const STORAGE_FIELD = isInPod ? 'spec.storage' : 'spec.storage.path';

/** As whom this process reads and writes. */
const user = `user ${process.getuid?.() ?? 'of this process'}`;

const MORE_ROOM = isInPod
  ? 'enlarge the claim (spec.storage.size, where its class lets it grow) or free some space on it'
  : 'free some space or choose another folder';
const RIGHTS = isInPod
  ? `the claim has to be writable for that user or its group. fsGroup, which stage pods set, sees to it on most volumes; on others, such as NFS and hostPath, change the owner or the permissions of the folder itself`
  : 'change its permissions or choose another one';

/** Each reads on after the file and the setting that names its folder. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: `the disk is full; ${MORE_ROOM}. What was complete is kept`,
  EDQUOT: `the disk quota is used up; ${MORE_ROOM}. What was complete is kept`,
  EACCES: `the folder cannot be written by ${user}; ${RIGHTS}`,
  EPERM: `the folder cannot be written by ${user}; ${RIGHTS}`,
  EFBIG: 'the file is larger than the file system or the limit of this process (ulimit -f) allows; choose another folder or lift the limit',
  EEXIST: 'a file is in the way of a folder that has to be made here; move it or choose another folder',
  ENOTDIR: 'a file is in the way of a folder that has to be made here; move it or choose another folder',
  EISDIR: 'a folder is in the way of a file that has to be written here; choose another name',
  EROFS: isInPod
    ? 'the volume is read-only; name a claim that can be mounted for writing'
    : 'the file system is read-only; choose another folder',
};

/**
 * An error of writing that a person has to mend, as a BadInputError; undefined for any other error.
 * @param file what was written; the system names a temporary sibling, or nothing, as on a full disk
 * @param field the setting or option that names the folder; null: none does
 */
export function fileSystemError(error: unknown, file?: string, field: string | null = STORAGE_FIELD): BadInputError | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code, path } = cause as NodeJS.ErrnoException;
    const message = code === undefined ? undefined : ADVICE[code];
    if (message !== undefined) return new BadInputError(message, { file: file ?? path, field: field ?? undefined, cause: error });
  }
  return undefined;
}

/**
 * An error of work outside a stage that writes into a folder which an option names: what would blame the storage folder blames that one.
 * Errors about what was read are returned as they are.
 */
export function outputError(error: unknown, folder: string, option = '--output'): unknown {
  if (!(error instanceof BadInputError)) return fileSystemError(error, folder, option) ?? error;
  return error.field === STORAGE_FIELD ? new BadInputError(error.message, { file: folder, field: option, cause: error }) : error;
}

/** Runs `write`, which writes `file`; where a person has to mend something, the error says so and names the file. */
export function whileWriting<Result>(file: string, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    throw fileSystemError(error, file) ?? error;
  }
}

/** Makes a folder with its parents. @returns the first that was not there, if any @throws BadInputError where a person has to mend something; see fileSystemError for `field` */
export function makeFolder(folder: string, field: string | null = STORAGE_FIELD): string | undefined {
  try {
    return mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw fileSystemError(whyNotMade(folder, error), folder, field) ?? error;
  }
}

/** Node says "no such file" where a parent is on a read-only file system; the nearest folder that is there knows better. */
function whyNotMade(folder: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error;
  let parent = resolve(folder);
  while (!existsSync(parent) && dirname(parent) !== parent) parent = dirname(parent);
  try {
    accessSync(parent, constants.W_OK);
    return error;
  } catch (cause) {
    return cause;
  }
}
