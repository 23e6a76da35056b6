import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { readJson, writeJson } from '../json-file.ts';

/**
 * What a loop over images has counted, kept after each image, so that a stage which was interrupted goes on with the next one. The counts
 * are sums of whole numbers: they come out the same however often the loop was interrupted.
 */
export interface Tally {
  /** Images that were counted, from the first on. */
  readonly done: number;
  /** Working time in the loop, all attempts together. */
  readonly seconds: number;
  /** Keeps the counts, to which one more image was added; call it after whatever was written for that image. */
  keep(): void;
}

const Kept = z.object({ done: z.int().min(0), seconds: z.number().min(0), counts: z.array(z.string()) });

/** Numbers with a space between them: thousands of counts are a line of the file, not thousands. */
const encode = (counts: Float64Array): string => counts.join(' ');

/** The counts of a text; undefined where they are not `length` whole numbers. */
function decode(text: string, length: number): Float64Array | undefined {
  const counts = Float64Array.from(text.split(' '), Number);
  return counts.length === length && counts.every((count) => Number.isSafeInteger(count) && count >= 0) ? counts : undefined;
}

/** What was kept, if all of it can be trusted. */
function readKept(file: string, into: readonly Float64Array[], images: number, isThere: (index: number) => boolean) {
  const kept = Kept.safeParse(readJson(file)).data;
  if (kept?.counts.length !== into.length || kept.done > images) return undefined;
  const counts = kept.counts.map((text, index) => decode(text, into[index].length));
  if (!counts.every((list) => list !== undefined)) return undefined;
  for (let index = 0; index < kept.done; index++) if (!isThere(index)) return undefined;
  return { ...kept, counts };
}

/**
 * Opens the tally of a loop and sets `counts` to what it had come to; zero where nothing was kept, or where something that was done is
 * not there any more.
 * @param file is written by rename, its folder made
 * @param counts stay the loop's own: it goes on adding to them
 * @param images how many the loop is about
 * @param isThere whether everything that was written for the image of this index is there, whole
 */
export function openTally(
  file: string,
  counts: readonly Float64Array[],
  images: number,
  isThere: (index: number) => boolean = () => true,
): Tally {
  mkdirSync(dirname(file), { recursive: true });
  const kept = readKept(file, counts, images, isThere);
  counts.forEach((own, index) => own.set(kept?.counts[index] ?? new Float64Array(own.length)));
  const started = performance.now();
  let done = kept?.done ?? 0;
  const seconds = () => (kept?.seconds ?? 0) + (performance.now() - started) / 1000;
  return {
    get done() {
      return done;
    },
    get seconds() {
      return seconds();
    },
    keep() {
      done++;
      writeJson(file, { done, seconds: seconds(), counts: counts.map(encode) });
    },
  };
}

/** The last chunk of every PNG, which has no content: length 0, its name, its checksum. */
const PNG_END = Buffer.from('0000000049454e44ae426082', 'hex');

/**
 * Whether a PNG is there up to its end. A rename shows whole files only, but after a power failure a file may come back shorter or filled
 * with zeros.
 */
export function isWholePng(file: string): boolean {
  let handle: number | undefined;
  try {
    const { size } = statSync(file);
    handle = openSync(file, 'r');
    const end = Buffer.alloc(PNG_END.length);
    return readSync(handle, end, 0, end.length, Math.max(0, size - end.length)) === end.length && end.equals(PNG_END);
  } catch {
    return false;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
