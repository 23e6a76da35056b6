import { join, parse } from 'node:path';
import { DEFAULT_SCRIBBLE_COVERAGE, drawScribbles } from '../trainer-image/data/draw-scribbles.ts';
import { readIndexPng, writeIndexPng } from '../trainer-image/data/index-png.ts';
import { BadInputError } from '../trainer-image/errors.ts';
import { IGNORE_INDEX } from './api/experiment.ts';
import { listFiles, writeStaged } from './import/staged-output.ts';

export interface SynthOptions {
  /** Folder of index PNGs. */
  readonly masks: string;
  /** Folder of the scribbles, of the same names. */
  readonly output: string;
  readonly seed: number;
  /** Width of the strokes in pixels; 3 by default. */
  readonly width?: number;
  /** Share of an image's pixels that its strokes are shortened to, though never below a few widths each; 0.03 by default. */
  readonly coverage?: number;
  readonly overwrite?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface SynthSummary {
  readonly files: number;
  /** Share of all pixels that the strokes cover. */
  readonly annotatedShare: number;
  readonly coverage: number;
  /** Files whose strokes could not be shortened to the coverage, and the largest share among all. */
  readonly filesAbove: number;
  readonly highestShare: number;
}

/** Round ends add a little to every stroke; that much more than the coverage is as good as it. */
const TOLERANCE = 1.2;

/**
 * Draws scribbles into every mask of a folder, for benchmarks.
 * @throws BadInputError if there is no mask, one cannot be read, or the output holds files of these names
 */
export async function synthScribbles(options: SynthOptions): Promise<SynthSummary> {
  const { masks, output, seed, width, coverage = DEFAULT_SCRIBBLE_COVERAGE, overwrite = false } = options;
  const files = (await listFiles(masks)).filter((name) => /\.png$/i.test(name));
  if (files.length === 0) throw new BadInputError('no PNG in this folder; name the folder of the index masks', { file: masks });
  if (width !== undefined && !(width > 0)) throw new BadInputError('must be above 0', { field: '--width' });
  if (!(coverage > 0 && coverage <= 1)) throw new BadInputError('must be above 0 and at most 1', { field: '--coverage' });
  let [annotated, pixels, filesAbove, highestShare] = [0, 0, 0, 0];
  const names = files.map((name) => `${parse(name).name}.png`);
  await writeStaged({ source: masks, output, names, overwrite }, async (folder) => {
    for (const [index, name] of files.entries()) {
      const mask = await readIndexPng(join(masks, name));
      const scribble = drawScribbles(mask, { seed, id: parse(name).name, width, coverage });
      const drawn = scribble.data.reduce((sum, value) => sum + (value === IGNORE_INDEX ? 0 : 1), 0);
      const share = drawn / scribble.data.length;
      if (share > TOLERANCE * coverage) filesAbove++;
      highestShare = Math.max(highestShare, share);
      annotated += drawn;
      pixels += scribble.data.length;
      writeIndexPng(join(folder, names[index]), scribble);
      options.onProgress?.(index + 1, files.length);
    }
  });
  return { files: files.length, annotatedShare: annotated / pixels, coverage, filesAbove, highestShare };
}
