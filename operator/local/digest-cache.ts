import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import { readJson, writeJson } from '../../trainer-image/json-file.ts';
import { sha256OfFile } from '../../trainer-image/stage-folder.ts';

/** Path → [state of the file, SHA-256 of its content]. */
const Entries = z.record(z.string(), z.tuple([z.string(), z.string()]));

export interface DigestCache {
  /** SHA-256 of the file's content; read only if the file changed since the cache was written. @throws BadInputError if it cannot be read */
  digest(file: string): Promise<string>;
  /** Keeps what is known for later runs, where the folder can be written; entries that were not asked for are dropped. */
  save(): void;
}

/** Size, times and place of a file: one of them changes when its content does. Times are in nanoseconds. */
async function fileState(file: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(file, { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join(' ');
}

/**
 * Content digests that are computed once per state of a file: hashing a VOC takes a minute, comparing its files' times a second.
 * @param cacheFile where digests are kept; a missing or damaged one counts as empty
 */
export function openDigestCache(cacheFile: string): DigestCache {
  const known = Entries.safeParse(readJson(cacheFile)).data ?? {};
  const used: z.output<typeof Entries> = {};
  let changed = false;

  async function digestOf(file: string): Promise<string> {
    const state = await fileState(file);
    const entry = Object.hasOwn(known, file) ? known[file] : undefined;
    if (entry?.[0] === state) {
      used[file] = entry;
      return entry[1];
    }
    const digest = await sha256OfFile(file);
    changed = true;
    // A file that is written to meanwhile must not be remembered with a state that hides it.
    if ((await fileState(file)) === state) used[file] = [state, digest];
    return digest;
  }

  return {
    async digest(file) {
      try {
        return await digestOf(file);
      } catch (cause) {
        throw readingError(file, cause);
      }
    },
    save() {
      if (!changed && Object.keys(used).length === Object.keys(known).length) return;
      try {
        writeJson(cacheFile, used);
      } catch {
        // Without it, on a disk that is full or read-only, the next plan takes longer, and that is all.
      }
    },
  };
}
