import { BadInputError } from '../../trainer-image/errors.ts';
import { IGNORE_INDEX } from '../api/experiment.ts';
import { TRANSPARENT } from './mask-pixels.ts';

/** Which class index (or 255) a value of the file stands for; values that it lacks are refused. */
export interface ValueMap {
  readonly indexOf: ReadonlyMap<number, number>;
  /** Why it is so, for people. */
  readonly explanation: string;
}

/** Scribbles cover little, masks much: if 0 covers at least this share, it is "not annotated"; below DENSE, it is the background. */
const SPARSE = 0.9;
const DENSE = 0.7;

/**
 * Parses a list such as "0=255,1=1,2=0": value in the file = class index, 255 = not annotated.
 * @throws BadInputError for anything else
 */
export function parseValueMap(text: string, field = '--map'): ReadonlyMap<number, number> {
  const map = new Map<number, number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,3})\s*[=:]\s*(\d{1,3})\s*$/.exec(part);
    if (!match || Number(match[1]) > 255 || Number(match[2]) > 255) {
      throw new BadInputError(`"${part.trim()}" is not of the form "value=class", both from 0 to 255, such as "0=255,1=1,2=0"`, { field });
    }
    if (map.has(Number(match[1]))) throw new BadInputError(`the value ${match[1]} is given twice`, { field });
    map.set(Number(match[1]), Number(match[2]));
  }
  return map;
}

const unchanged = (values: readonly number[]) => new Map(values.map((value) => [value, value]));

/**
 * Works out what the values of grey or index masks mean, from how often they occur in all files together.
 * - 255 occurs: 255 is "not annotated", everything else a class already.
 * - 0 covers nearly all: 0 is "not annotated". With 1 and 2, 1 is foreground and 2 background, as data sets with one foreground
 *   class have it; with more values, these are class + 1 if the class list has as many names as there are values.
 * - 0 covers clearly less: 0 is the background and every other value a class.
 * @param counts pixels of each value, over all files
 * @param classes number of classes, if known
 * @throws BadInputError where that cannot be told; the message says which --map to give
 */
export function guessValueMap(counts: ReadonlyMap<number, number>, classes: number | undefined, folder: string): ValueMap {
  const values = [...counts.keys()].filter((value) => value !== TRANSPARENT).sort((a, b) => a - b);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const ambiguous = (why: string, example: string) =>
    new BadInputError(`the values ${values.join(', ')} occur; ${why}. Say what they mean with --map, for example --map "${example}"`, {
      file: folder,
      field: '--map',
    });
  const withTransparent = (map: Map<number, number>) => map.set(TRANSPARENT, IGNORE_INDEX);
  const others = values.filter((value) => value !== 0 && value !== IGNORE_INDEX);
  const highest = others.at(-1) ?? 0;
  if (highest > 100 || others.length > 60) {
    throw ambiguous(
      'they look like shades of grey, not like class numbers',
      values
        .slice(0, 3)
        .map((value, i) => `${value}=${i}`)
        .join(','),
    );
  }
  const covered = (counts.get(0) ?? 0) / Math.max(1, total);
  if (values.includes(IGNORE_INDEX) || counts.has(TRANSPARENT)) {
    if (others.length === 0 && !counts.has(TRANSPARENT)) {
      throw ambiguous('255 means "not annotated" here, but it may be the foreground of a black-and-white mask', '0=0,255=1');
    }
    return {
      indexOf: withTransparent(unchanged(values)),
      explanation: '255 (or transparent) is "not annotated", the other values are class indices already',
    };
  }
  const share = `0 covers ${Math.round(100 * covered)} % of the pixels`;
  if (covered < DENSE) {
    return { indexOf: unchanged(values), explanation: `${share}: these are masks, 0 is the background, the other values are classes` };
  }
  if (covered < SPARSE) throw ambiguous(`${share}: background, or "not annotated"?`, values.map((value) => `${value}=${value}`).join(','));
  const percent = `${share}, so it is "not annotated"`;
  if (highest === 2 && others.length === 2) {
    const indexOf = new Map([
      [0, IGNORE_INDEX],
      [1, 1],
      [2, 0],
    ]);
    return { indexOf, explanation: `${percent}; 1 is the foreground, 2 the background (swap them with --map "0=255,1=0,2=1")` };
  }
  if (classes === highest) {
    const indexOf = new Map([[0, IGNORE_INDEX], ...others.map((value): [number, number] => [value, value - 1])]);
    return { indexOf, explanation: `${percent}; ${classes} classes are known, so value 1 is class 0, value 2 class 1 and so on` };
  }
  throw ambiguous(`${percent}, but which value is the background?`, `0=255,${others.map((value, i) => `${value}=${i}`).join(',')}`);
}
