import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { BadInputError } from '../../errors.ts';

const REASONS: Record<string, string> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a folder, not a file',
  ENOTDIR: 'lies below something that is not a folder',
  EACCES: 'may not be accessed (permission denied)',
  EPERM: 'may not be accessed (operation not permitted)',
  EROFS: 'lies on a read-only file system',
  ENOSPC: 'cannot be written: the disk is full',
  EDQUOT: 'cannot be written: the disk quota is used up',
  EFBIG: 'cannot be written: it is larger than the file system or the limit of this process (ulimit -f) allows',
};

/** A file system's refusal as something that a person can mend; anything else is returned as it is. */
function explain(cause: unknown, file: string, reasons = REASONS): unknown {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  return code in reasons ? new BadInputError(`the weights file ${reasons[code]}`, { file, cause }) : cause;
}

const MAX_BYTES = 2 ** 31 - 1;

/** All bytes of a regular file; throws BadInputError where there is none, or one that is too large to be backbone weights. */
export function readBytes(file: string): Buffer {
  try {
    const handle = openSync(file, 'r');
    try {
      const stat = fstatSync(handle);
      if (stat.isDirectory()) throw new BadInputError('the weights file is a folder, not a file', { file });
      if (!stat.isFile()) throw new BadInputError('the weights file is not a regular file', { file });
      if (stat.size > MAX_BYTES) throw new BadInputError('the weights file is larger than 2 GiB; save only the state dict', { file });
      return readFileSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch (cause) {
    throw explain(cause, file);
  }
}

/**
 * Writes `chunks` to a temporary sibling, forces them to the disk and renames it to `file`: after a crash there is the old
 * file or the new one. Throws BadInputError where the folder cannot be written or the disk is full.
 */
export function writeBytesAtomically(file: string, chunks: Iterable<Uint8Array>): void {
  const temporary = `${file}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`;
  try {
    const handle = openSync(temporary, 'wx');
    try {
      for (const chunk of chunks) writeFully(handle, chunk);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
    syncFolder(dirname(file));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw explain(cause, file, { ...REASONS, ENOENT: 'lies in a folder that does not exist' });
  }
}

function writeFully(handle: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.byteLength;) at += writeSync(handle, chunk, at, chunk.byteLength - at);
}

/** Makes the rename itself durable. Some file systems refuse to sync a folder; the file's bytes are safe all the same. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    return;
  }
}
