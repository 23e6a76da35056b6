import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import { DEFAULT_SCRIBBLE_WIDTH } from '../../trainer-image/data/draw-scribbles.ts';
import type { LabelMap } from '../../trainer-image/data/types.ts';
import { BadInputError } from '../../trainer-image/errors.ts';
import { IGNORE_INDEX } from '../api/experiment.ts';
import { areVocNames, classesOfNames, VOC_CLASSES } from './class-names.ts';
import { hexOf, parseColours, vocColours, vocColoursOf } from './colour-table.ts';
import type { ColourTable } from './colour-table.ts';
import type { ImportFormat, ImportOptions, LabelSize } from './import-scribbles.ts';
import { createTally } from './inspect-masks.ts';
import type { ValueUse } from './inspect-masks.ts';
import { countValues, readMask, TRANSPARENT } from './mask-pixels.ts';
import type { MaskPixels } from './mask-pixels.ts';
import { drawStrokes, parseStrokes, strokeNames } from './strokes.ts';
import { guessValueMap } from './value-map.ts';
import type { ValueMap } from './value-map.ts';

/** Turns one file into a label map. */
export interface Converter {
  readonly format: Exclude<ImportFormat, 'Auto'>;
  readonly classes: readonly string[];
  /** Whether the names are real ones, which are worth keeping. */
  readonly namesClasses: boolean;
  readonly explanation: string;
  convert(file: string, imageSize: LabelSize | undefined): Promise<LabelMap>;
}

type Settings = Pick<ImportOptions, 'classes' | 'colours' | 'map' | 'strokeWidth'>;

async function readText(file: string, field?: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw readingError(file, cause, field);
  });
}

/** Says where the numbers come from that nobody gave. */
const OWN_NUMBERS = 'the classes that occur are numbered from 0, VOC’s in VOC’s order; a labels.txt or --labels can say otherwise';

/** The classes of annotations that name them; undefined where they name none but the background. */
function listClasses(names: readonly string[], source: string): readonly string[] | undefined {
  const classes = classesOfNames(names);
  if (classes.length > IGNORE_INDEX) throw new BadInputError(`more than ${IGNORE_INDEX} classes occur`, { file: source });
  return classes.length < 2 ? undefined : classes;
}

async function strokeConverter(files: readonly string[], { classes, strokeWidth = DEFAULT_SCRIBBLE_WIDTH }: Settings): Promise<Converter> {
  const names = new Set<string>();
  if (classes === undefined) for (const file of files) for (const name of strokeNames(await readText(file), file)) names.add(name);
  const own = classes === undefined ? listClasses([...names], dirname(files[0])) : undefined;
  const list = classes ?? own ?? VOC_CLASSES;
  return {
    format: 'Strokes',
    classes: list,
    namesClasses: classes !== undefined || own !== undefined,
    explanation: `strokes drawn ${strokeWidth} pixels wide; all other pixels are 255${own === undefined ? '' : `; ${OWN_NUMBERS}`}`,
    async convert(file, imageSize) {
      const { size, strokes } = parseStrokes(await readText(file), list, file);
      if (size !== undefined && imageSize !== undefined && (size.width !== imageSize.width || size.height !== imageSize.height)) {
        const message = `<size> is ${size.width}×${size.height}, its image ${imageSize.width}×${imageSize.height} pixels`;
        throw new BadInputError(message, { file, field: 'size' });
      }
      const known = size ?? imageSize;
      if (known === undefined)
        throw new BadInputError('has no <size>; name the folder of the images with --images', { file, field: 'size' });
      return drawStrokes(strokes, known, strokeWidth, file);
    },
  };
}

function mapPixels(mask: MaskPixels, indexOf: ReadonlyMap<number, number>): LabelMap {
  const data = new Uint8Array(mask.data.length);
  for (let i = 0; i < data.length; i++) data[i] = indexOf.get(mask.data[i]) ?? IGNORE_INDEX;
  return { width: mask.width, height: mask.height, data };
}

/** Counts the values of all files, so that everything unknown can be listed at once, before anything is written. */
async function tallyFiles(
  files: readonly string[],
  asColours: boolean,
): Promise<{ values: ValueUse[]; kinds: Map<MaskPixels['kind'], string> }> {
  const tally = createTally();
  const kinds = new Map<MaskPixels['kind'], string>();
  for (const file of files) {
    const mask = await readMask(file, asColours);
    if (!kinds.has(mask.kind)) kinds.set(mask.kind, file);
    tally.add(file, countValues(mask));
  }
  return { values: tally.values(), kinds };
}

/** Where a value occurs first in a file: column and row, from 0. */
async function findPixel(file: string, value: number, asColours: boolean): Promise<string> {
  const mask = await readMask(file, asColours);
  const place = mask.data.indexOf(value);
  return `(${place % mask.width}, ${Math.floor(place / mask.width)})`;
}

const MOST_LISTED = 12;

async function unknownColours(unknown: readonly ValueUse[], table: ColourTable): Promise<BadInputError> {
  const lines = unknown.slice(0, MOST_LISTED).map(({ value, files, pixels, example }) => {
    return `  ${hexOf(value)}  ${pixels} pixels in ${files} file${files === 1 ? '' : 's'}, e.g. ${basename(example)}`;
  });
  const more = unknown.length > MOST_LISTED ? [`  and ${unknown.length - MOST_LISTED} more`] : [];
  const smooth = unknown.length > 40 ? ' So many colours mean smoothed edges or JPEG: export the masks without anti-aliasing, as PNG.' : '';
  const first = unknown[0];
  const message =
    `${unknown.length === 1 ? 'a colour stands' : `${unknown.length} colours stand`} for no class; the most frequent is ${hexOf(first.value)}, ` +
    `first at pixel ${await findPixel(first.example, first.value, true)} of this file:\n${[...lines, ...more].join('\n')}\n` +
    `Write a file with lines such as "${hexOf(first.value)} ${table.classes[1] ?? 'cat'}" (or "… ignore") and name it with --colors.${smooth}`;
  return new BadInputError(message, { file: first.example, field: '--colors' });
}

/**
 * VOC's colours for the classes: those of their indices or, where the files have others, those of their names. Where there is no class
 * list, the classes that occur are the list.
 */
function chooseVocColours(values: readonly ValueUse[], classes: readonly string[] | undefined, source: string): ColourTable {
  const isKnown = (table: ColourTable) => values.every(({ value }) => table.indexOf.has(value));
  const byIndex = vocColours(classes ?? VOC_CLASSES);
  if (classes === undefined) {
    const used = new Set(values.map(({ value }) => byIndex.indexOf.get(value)));
    const own = listClasses(
      VOC_CLASSES.filter((_, index) => used.has(index)),
      source,
    );
    return isKnown(byIndex) && own !== undefined ? vocColoursOf(own) : byIndex;
  }
  const byName = areVocNames(classes) ? vocColoursOf(classes) : byIndex;
  return !isKnown(byIndex) && isKnown(byName) ? byName : byIndex;
}

async function colourConverter(files: readonly string[], settings: Settings): Promise<Converter> {
  const { colours, classes } = settings;
  const given = colours === undefined ? undefined : parseColours(await readText(colours, '--colors'), classes, colours);
  const { values } = await tallyFiles(files, true);
  const table = given ?? chooseVocColours(values, classes, dirname(files[0]));
  const unknown = values.filter(({ value }) => !table.indexOf.has(value));
  if (unknown.length > 0) throw await unknownColours(unknown, table);
  const meanings = values.map(({ value }) => {
    const index = table.indexOf.get(value) ?? IGNORE_INDEX;
    return `${hexOf(value)} is ${index === IGNORE_INDEX ? 'not annotated' : table.classes[index]}`;
  });
  const isOwn = table.classes !== VOC_CLASSES && given === undefined && classes === undefined;
  return {
    format: 'Colour',
    classes: table.classes,
    namesClasses: table.classes !== VOC_CLASSES,
    explanation: `${meanings.join(', ')}${isOwn ? `; ${OWN_NUMBERS}` : ''}`,
    convert: async (file) => mapPixels(await readMask(file, true), table.indexOf),
  };
}

/** Names for classes that nobody named. */
function namesUpTo(highest: number): string[] {
  return Array.from({ length: Math.max(2, highest + 1) }, (_, index) => (index === 0 ? 'background' : `class-${index}`));
}

async function valueConverter(files: readonly string[], values: readonly ValueUse[], { map, classes }: Settings): Promise<Converter> {
  const counts = new Map(values.map(({ value, pixels }) => [value, pixels]));
  const rule: ValueMap =
    map === undefined
      ? guessValueMap(counts, classes?.length, dirname(files[0]))
      : { indexOf: new Map([[TRANSPARENT, IGNORE_INDEX], ...map]), explanation: [...map].map((pair) => pair.join(' → ')).join(', ') };
  const highest = Math.max(0, ...[...rule.indexOf.values()].filter((index) => index !== IGNORE_INDEX));
  const names = classes ?? namesUpTo(highest);
  for (const { value, pixels, files: count, example } of values) {
    const index = rule.indexOf.get(value);
    const where = { file: example, field: '--map' };
    const place = `value ${value} (${pixels} pixels in ${count} files, first at ${await findPixel(example, value, false)} of this file)`;
    if (index === undefined) throw new BadInputError(`${place} is not in the map; add "${value}=255" to leave it out`, where);
    if (index !== IGNORE_INDEX && index >= names.length) {
      throw new BadInputError(`${place} would be class ${index}, but there are ${names.length} classes (0 to ${names.length - 1})`, where);
    }
  }
  return {
    format: 'Values',
    classes: names,
    namesClasses: classes !== undefined,
    explanation: rule.explanation,
    convert: async (file) => mapPixels(await readMask(file), rule.indexOf),
  };
}

/**
 * Looks through the files, as far as that is needed, and decides how each of them is converted.
 * @throws BadInputError for whatever has no meaning in them
 */
export async function createConverter(format: ImportFormat, files: readonly string[], settings: Settings): Promise<Converter> {
  if (format === 'Strokes') return strokeConverter(files, settings);
  if (format === 'Colour' || settings.colours !== undefined) return colourConverter(files, settings);
  const { values, kinds } = await tallyFiles(files, false);
  const colour = kinds.get('Colour');
  const index = kinds.get('Index');
  if (colour !== undefined && (format === 'Values' || settings.map !== undefined)) {
    throw new BadInputError('is a colour mask, which --map does not apply to; give --colors', { file: colour, field: '--map' });
  }
  if (colour !== undefined && index !== undefined) {
    throw new BadInputError('is a colour mask, but others are index PNGs; import them from folders of their own, or set --format colors', {
      file: colour,
    });
  }
  return colour === undefined ? valueConverter(files, values, settings) : colourConverter(files, settings);
}
