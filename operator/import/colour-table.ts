import { VOC_PALETTE } from '../../trainer-image/data/index-png.ts';
import { BadInputError } from '../../trainer-image/errors.ts';
import { IGNORE_INDEX } from '../api/experiment.ts';
import { classIndexOf, VOC_CLASSES } from './class-names.ts';
import { TRANSPARENT } from './mask-pixels.ts';

/** Which class a colour (0xrrggbb) stands for. */
export interface ColourTable {
  readonly classes: readonly string[];
  readonly indexOf: ReadonlyMap<number, number>;
}

/** Names of "not annotated" in a colours file. */
const UNLABELLED = new Set(['ignore', 'unlabelled', 'unlabeled', 'void', '255']);

export const hexOf = (colour: number): string => (colour === TRANSPARENT ? 'transparent' : `#${colour.toString(16).padStart(6, '0')}`);

/** VOC's colours for a list of classes; its cream is "not annotated". */
export function vocColours(classes: readonly string[]): ColourTable {
  const indexOf = new Map([[TRANSPARENT, IGNORE_INDEX]]);
  for (const index of [...classes.keys(), IGNORE_INDEX]) {
    const [red, green, blue] = VOC_PALETTE[index];
    indexOf.set((red << 16) | (green << 8) | blue, index);
  }
  return { classes, indexOf };
}

/** VOC's colours for classes that VOC has, whatever their indices. */
export function vocColoursOf(classes: readonly string[]): ColourTable {
  const { indexOf } = vocColours(VOC_CLASSES);
  const wanted = new Map(classes.map((name, index) => [classIndexOf(name, VOC_CLASSES, {}), index]));
  const renumbered = [...indexOf].flatMap(([colour, index]): [number, number][] => {
    const own = index === IGNORE_INDEX ? IGNORE_INDEX : wanted.get(index);
    return own === undefined ? [] : [[colour, own]];
  });
  return { classes, indexOf: new Map(renumbered) };
}

function parseLine(line: string): { colour: number; name: string } | undefined {
  const hex = /^#([0-9a-f]{6})\s+(\S.*)$/i.exec(line);
  if (hex) return { colour: Number.parseInt(hex[1], 16), name: hex[2].trim() };
  const numbers = /^(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\S.*)$/.exec(line);
  if (!numbers) return undefined;
  const [red, green, blue] = numbers.slice(1, 4).map(Number);
  if (Math.max(red, green, blue) > 255) return undefined;
  return { colour: (red << 16) | (green << 8) | blue, name: numbers[4].trim() };
}

/**
 * Parses a colours file: lines of `red green blue name` or `#rrggbb name`; the name "ignore" stands for pixels without annotation;
 * lines that begin with // are comments. Several colours may have one name.
 * @param classes the class list; undefined: the names in their order, "background" first
 * @param file named in errors
 * @throws BadInputError for lines of another form, a colour given twice, a name that is no class, no background
 */
export function parseColours(text: string, classes: readonly string[] | undefined, file: string): ColourTable {
  const lines: { colour: number; name: string; number: number }[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('//')) continue;
    const parsed = parseLine(line);
    if (parsed === undefined) {
      throw new BadInputError(`line ${index + 1} must be "red green blue name" or "#rrggbb name", such as "128 0 0 cat": "${line}"`, {
        file,
      });
    }
    const twice = lines.find(({ colour }) => colour === parsed.colour);
    if (twice) throw new BadInputError(`line ${index + 1}: ${hexOf(parsed.colour)} is in line ${twice.number} already`, { file });
    lines.push({ ...parsed, number: index + 1 });
  }
  const isClass = ({ name }: { name: string }) => !UNLABELLED.has(name.toLowerCase());
  const named = [...new Set(lines.filter(isClass).map(({ name }) => name))];
  if (classes === undefined && !named.includes('background')) {
    throw new BadInputError('no colour is named "background", which is class 0; name one, or give the class list with --labels', { file });
  }
  const list = classes ?? ['background', ...named.filter((name) => name !== 'background')];
  if (list.length < 2) throw new BadInputError('names fewer than two classes', { file });
  const indexOf = new Map([[TRANSPARENT, IGNORE_INDEX]]);
  for (const line of lines) {
    const where = { file, field: `line ${line.number}` };
    indexOf.set(line.colour, isClass(line) ? classIndexOf(line.name, list, where) : IGNORE_INDEX);
  }
  return { classes: list, indexOf };
}
