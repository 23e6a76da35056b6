import { globSync, mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 250;

/**
 * Runs `act` while no other process does so in this folder. The lock is the kernel's and ends with its holder
 * (docs/decisions/lock-through-sqlite.md).
 */
export async function alone(folder: string, onWait: () => void, act: () => Promise<void>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (let isFirst = true; ; isFirst = false) {
    const lock = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
    try {
      lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      lock.close();
      if (!/locked|busy/.test((error as Error).message)) throw error;
      if (isFirst) onWait();
      await delay(POLL_MS);
      continue;
    }
    try {
      return await act();
    } finally {
      lock.close();
    }
  }
}

/** Removes what a killed maker of `file` has left; call it alone. */
export function removeUnfinished(file: string): void {
  const cwd = dirname(file);
  for (const name of globSync(`${basename(file)}.*.unfinished`, { cwd })) rmSync(join(cwd, name), { recursive: true, force: true });
}
