import { appendFileSync, closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { whileWriting } from '../file-system-error.ts';

/** What one process has done for one image. */
const Entry = z.object({
  id: z.string(),
  /** Lists of counts, of each those that are not 0: index, count, index, count … */
  counts: z.array(z.array(z.int().min(0))),
  /** Working time that went into it. */
  seconds: z.number().min(0),
});
export type Entry = z.output<typeof Entry>;

const EXTENSION = '.jsonl';

/** The entry of a line; undefined for one that was torn or spoilt. */
function parseEntry(line: string): Entry | undefined {
  try {
    return Entry.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** A file's bytes from an offset on, up to the last end of a line: the line after that is not written to its end. */
function readLines(file: string, offset: number): Buffer {
  const handle = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(handle).size - offset));
    const length = readSync(handle, bytes, 0, bytes.length, offset);
    return bytes.subarray(0, bytes.subarray(0, length).lastIndexOf('\n') + 1);
  } finally {
    closeSync(handle);
  }
}

/**
 * What the processes of a stage have done, a file of JSON lines for each process. A file has one writer and is only ever appended to: no
 * process waits for another, and one that is killed loses the line that it was writing. Nothing is kept open, so that a file system that
 * shares files between machines when they are closed shows what is there.
 */
export class Journal {
  readonly #folder: string;
  readonly #own: string;
  readonly #offsets = new Map<string, number>();

  /**
   * @param folder is there
   * @param name of this process: no other one, of this or an earlier attempt, has it
   */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#own = `${name}${EXTENSION}`;
  }

  /** @throws Error with code ENOENT where the folder has gone; BadInputError where a person has to mend something, e.g. a full disk */
  append(entry: Entry): void {
    const file = join(this.#folder, this.#own);
    whileWriting(file, () => appendFileSync(file, `${JSON.stringify(entry)}\n`));
  }

  /** The entries of all other processes, dead or alive, that were not read before. @throws Error with code ENOENT where the folder has gone */
  news(): Entry[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith(EXTENSION) && name !== this.#own);
    return names.sort().flatMap((name) => {
      const offset = this.#offsets.get(name) ?? 0;
      const bytes = readLines(join(this.#folder, name), offset);
      this.#offsets.set(name, offset + bytes.length);
      return bytes
        .toString()
        .split('\n')
        .flatMap((line) => parseEntry(line) ?? []);
    });
  }
}
