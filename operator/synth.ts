import { join, parse } from 'node:path';
import { drawScribbles } from '../trainer-image/data/draw-scribbles.ts';
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
  /** Share of an image's pixels that its strokes cover at most; 0.03 by default. */
  readonly coverage?: number;
  readonly overwrite?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Draws scribbles into every mask of a folder, for benchmarks.
 * @returns how many files, and the share of all pixels that the strokes cover
 * @throws BadInputError if there is no mask, one cannot be read, or the output holds files of these names
 */
export async function synthScribbles(options: SynthOptions): Promise<{ files: number; annotatedShare: number }> {
  const { masks, output, seed, width, coverage, overwrite = false } = options;
  const files = (await listFiles(masks)).filter((name) => /\.png$/i.test(name));
  if (files.length === 0) throw new BadInputError('no PNG in this folder; name the folder of the index masks', { file: masks });
  if (width !== undefined && !(width > 0)) throw new BadInputError('must be above 0', { field: '--width' });
  if (coverage !== undefined && !(coverage > 0 && coverage <= 1))
    throw new BadInputError('must be above 0 and at most 1', { field: '--coverage' });
  let [annotated, pixels] = [0, 0];
  const names = files.map((name) => `${parse(name).name}.png`);
  await writeStaged({ source: masks, output, names, overwrite }, async (folder) => {
    for (const [index, name] of files.entries()) {
      const mask = await readIndexPng(join(masks, name));
      const scribble = drawScribbles(mask, { seed, id: parse(name).name, width, coverage });
      for (const value of scribble.data) if (value !== IGNORE_INDEX) annotated++;
      pixels += scribble.data.length;
      await writeIndexPng(join(folder, names[index]), scribble);
      options.onProgress?.(index + 1, files.length);
    }
  });
  return { files: files.length, annotatedShare: annotated / pixels };
}
