import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ARTIFACTS } from './artifacts.ts';
import { readJson } from './json-file.ts';
import { makeFolderInCheckpoint } from './stages/folder-in-checkpoint.ts';
import { writeByRename } from './write-by-rename.ts';

/** How often the time is noted while the stage works, in milliseconds: a process that is killed loses no more. */
const NOTE_EVERY_MS = 10_000;

/**
 * Working time of a stage, of all its attempts and processes together: each process notes its own in a file of the checkpoint. Times come in
 * as milliseconds of a monotonic clock.
 */
export class TimeAtWork {
  readonly #folder: string;
  readonly #own: string;
  readonly #started: number;
  #noted: number;

  /**
   * @param output the stage's folder, which holds the checkpoint folder
   * @param process unlike that of any other process
   * @throws as makeFolderInCheckpoint does
   */
  constructor(output: string, process: string, now: number) {
    this.#folder = makeFolderInCheckpoint(output, ARTIFACTS.workingTime);
    this.#own = `${process}.json`;
    this.#started = this.#noted = now;
  }

  /** In seconds. Of the other processes, what they have noted. */
  total(now: number): number {
    let others: string[] = [];
    try {
      others = readdirSync(this.#folder).filter((name) => name.endsWith('.json') && name !== this.#own);
    } catch {
      // Gone with the checkpoint.
    }
    return others.reduce((sum, name) => sum + (Number(readJson(join(this.#folder, name))) || 0), (now - this.#started) / 1000);
  }

  /** Notes this process's time. On a full disk it is lost, which must not hide why the stage ended. */
  note(now: number): void {
    this.#noted = now;
    try {
      writeByRename(join(this.#folder, this.#own), `${(now - this.#started) / 1000}\n`);
    } catch {
      return;
    }
  }

  /** Notes the time if it was not noted for long. */
  noteNowAndThen(now: number): void {
    if (now - this.#noted >= NOTE_EVERY_MS) this.note(now);
  }
}
