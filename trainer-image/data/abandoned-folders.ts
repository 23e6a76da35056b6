import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Whoever fills a folder writes into it every few seconds; after this long nobody does any more. In milliseconds. */
const ABANDONED_AFTER_MS = 3_600_000;

/** When something was last added to a folder or to one right below it, in milliseconds since the epoch. */
async function lastChange(folder: string): Promise<number> {
  const inside = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name));
  const times = await Promise.all([folder, ...inside].map(async (path) => (await stat(path)).mtimeMs));
  return Math.max(...times);
}

/**
 * Removes the temporary folders below `parent` whose names begin with `prefix` and that a killed process has left behind. One that is
 * still being filled stays, whoever fills it, on this machine or on another that shares the disk.
 * @param now in milliseconds since the epoch
 */
export async function removeAbandonedFolders(parent: string, prefix: string, now: number): Promise<void> {
  const names = (await readdir(parent)).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    const folder = join(parent, name);
    try {
      if (now - (await lastChange(folder)) > ABANDONED_AFTER_MS) await rm(folder, { recursive: true, force: true });
    } catch {
      // It has just been finished or removed by another, or may not be removed: it harms nobody.
    }
  }
}
