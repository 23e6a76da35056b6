import { join } from 'node:path';
import { BadInputError } from '../../trainer-image/errors.ts';
import { IGNORE_INDEX } from '../api/experiment.ts';
import { hexOf } from './colour-table.ts';
import { countValues, readMask, TRANSPARENT } from './mask-pixels.ts';
import { listFiles } from './staged-output.ts';
import { guessValueMap } from './value-map.ts';

/** How a value or colour occurs in the files that were looked at. */
export interface ValueUse {
  readonly value: number;
  readonly files: number;
  readonly pixels: number;
  /** A file that has it. */
  readonly example: string;
}

/**
 * Index: palette PNGs. Grey: 8-bit greyscale, or grey saved as RGB. Colour: RGB. Strokes: XML. Mixed: several of them. None: neither
 * a PNG nor an XML file.
 */
export type MaskFormat = 'Index' | 'Grey' | 'Colour' | 'Strokes' | 'Mixed' | 'None';

export interface MaskInspection {
  readonly format: MaskFormat;
  /** PNG and XML files in the folder, and how many were looked into. */
  readonly files: number;
  readonly examined: number;
  /** Values (Index, Grey) or colours 0xrrggbb (Colour), most frequent first. */
  readonly values: readonly ValueUse[];
  /** Whether training reads the files as they are: index PNGs whose values are class indices. */
  readonly ready: boolean;
  /** Whether more of the pixels is not annotated than is: scribbles rather than masks. False where that cannot be told. */
  readonly isSparse: boolean;
  /** What was found and what to do about it, for people. */
  readonly explanation: string;
}

/** Enough to see every class in practice, few enough to take seconds. */
const MOST_FILES = 200;

/** At most `count` of the items, evenly spread. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  const stride = Math.max(1, items.length / count);
  return Array.from({ length: Math.min(items.length, count) }, (_, index) => items[Math.floor(index * stride)]);
}

/** Counts values over many files. */
export function createTally(): { add(file: string, counts: ReadonlyMap<number, number>): void; values(): ValueUse[] } {
  const uses = new Map<number, { value: number; files: number; pixels: number; example: string }>();
  return {
    add(file, counts) {
      for (const [value, pixels] of counts) {
        const use = uses.get(value) ?? { value, files: 0, pixels: 0, example: file };
        use.files++;
        use.pixels += pixels;
        uses.set(value, use);
      }
    },
    values: () => [...uses.values()].sort((a, b) => b.pixels - a.pixels || a.value - b.value),
  };
}

function listValues(values: readonly ValueUse[], show: (value: number) => string): string {
  const shown = values.slice(0, 12).map(({ value }) => show(value));
  return shown.join(', ') + (values.length > shown.length ? ` and ${values.length - shown.length} more` : '');
}

/** VOC's colour of "not annotated". */
const VOC_CREAM = '#e0e0c0';

/** Whether at least half of the pixels are of some kind. */
function isMostly(values: readonly ValueUse[], isKind: (value: number) => boolean): boolean {
  const sum = (uses: readonly ValueUse[]) => uses.reduce((total, { pixels }) => total + pixels, 0);
  return 2 * sum(values.filter(({ value }) => isKind(value))) >= sum(values);
}

function explain(
  format: MaskFormat,
  values: readonly ValueUse[],
  readable: boolean,
  folder: string,
): Pick<MaskInspection, 'ready' | 'isSparse' | 'explanation'> {
  switch (format) {
    case 'None':
      return { ready: false, isSparse: false, explanation: 'neither PNG nor XML files; masks must be PNGs, since JPEG changes the values' };
    case 'Mixed':
      return {
        ready: false,
        isSparse: false,
        explanation: 'files of several kinds; put each kind into a folder of its own and import them one after the other',
      };
    case 'Strokes':
      return { ready: false, isSparse: true, explanation: 'XML strokes; `cdsp import` draws them' };
    case 'Colour': {
      const colours = listValues(values, hexOf);
      const isSparse = isMostly(values, (value) => value === TRANSPARENT || hexOf(value) === VOC_CREAM);
      return { ready: false, isSparse, explanation: `colour masks (${colours}); \`cdsp import\` turns colours into class indices` };
    }
    case 'Index':
    case 'Grey': {
      const numbers = listValues(
        values.filter(({ value }) => value !== TRANSPARENT).sort((a, b) => a.value - b.value),
        String,
      );
      const kind = format === 'Index' ? 'index PNGs' : 'grey PNGs';
      try {
        const { indexOf, explanation } = guessValueMap(new Map(values.map(({ value, pixels }) => [value, pixels])), undefined, folder);
        const ready = readable && values.every(({ value }) => indexOf.get(value) === value);
        const advice = ready ? '' : '; `cdsp import` converts them';
        const isSparse = isMostly(values, (value) => indexOf.get(value) === IGNORE_INDEX);
        return { ready, isSparse, explanation: `${kind} with the values ${numbers}: ${explanation}${advice}` };
      } catch (error) {
        if (!(error instanceof BadInputError)) throw error;
        return { ready: false, isSparse: false, explanation: `${kind}: ${error.message}` };
      }
    }
    default:
      return format satisfies never;
  }
}

/**
 * Says what kind of annotations a folder holds, from up to 200 of its files.
 * @throws BadInputError if the folder or a file in it cannot be read
 */
export async function inspectMasks(folder: string): Promise<MaskInspection> {
  const files = (await listFiles(folder)).filter((name) => /\.(png|xml)$/i.test(name));
  const chosen = spread(files, MOST_FILES);
  const formats = new Set<MaskFormat>();
  const tally = createTally();
  let readable = true;
  for (const name of chosen) {
    if (/\.xml$/i.test(name)) {
      formats.add('Strokes');
      continue;
    }
    const mask = await readMask(join(folder, name));
    formats.add(mask.kind);
    readable &&= mask.isIndexPng;
    tally.add(name, countValues(mask));
  }
  // A colour mask that shows nothing but black, grey or white looks grey, and some tools write a palette only where they need one.
  if (formats.has('Colour') || formats.has('Index')) formats.delete('Grey');
  const format = formats.size > 1 ? 'Mixed' : ([...formats][0] ?? 'None');
  const values = tally.values();
  return { format, files: files.length, examined: chosen.length, values, ...explain(format, values, readable, folder) };
}
