import { readdir } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import { IMAGE_EXTENSIONS, readImageSize } from '../../trainer-image/data/images.ts';
import { writeIndexPng } from '../../trainer-image/data/index-png.ts';
import { countLabels } from '../../trainer-image/data/labels.ts';
import type { LabelMap } from '../../trainer-image/data/types.ts';
import { BadInputError } from '../../trainer-image/errors.ts';
import { IGNORE_INDEX } from '../api/experiment.ts';
import { createConverter } from './converters.ts';
import { findLabels, keepLabels, type WrittenLabels } from './labels-file.ts';
import { listFiles, writeStaged } from './staged-output.ts';

export type ImportFormat = 'Auto' | 'Strokes' | 'Colour' | 'Values';

export interface ImportOptions {
  /** Folder of XML strokes or PNG masks. */
  readonly source: string;
  /** Folder of the index PNGs. */
  readonly output: string;
  /** Auto by default: XML files are Strokes, PNGs of colours Colour, other PNGs Values. */
  readonly format?: ImportFormat;
  /** Folder of the images; annotations are then held against their sizes, and annotations without an image are refused. */
  readonly images?: string;
  /** Class names, index 0 = background. Left out: labels.txt in the source, beside it or in the data folder, else the names that occur. */
  readonly classes?: readonly string[];
  /** Colour masks: file of lines "red green blue name". Left out: VOC's palette. */
  readonly colours?: string;
  /** Values: class index of each value, see parseValueMap. Left out: worked out, and explained in the summary. */
  readonly map?: ReadonlyMap<number, number>;
  /** Strokes: width in pixels; 3 by default. */
  readonly strokeWidth?: number;
  /** Replaces files in the output; never the source. */
  readonly overwrite?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ImportSummary {
  readonly format: Exclude<ImportFormat, 'Auto'>;
  readonly files: number;
  /** The rule that was followed, for people. */
  readonly explanation: string;
  readonly classes: readonly { readonly index: number; readonly name: string; readonly files: number; readonly pixels: number }[];
  /** Share of all pixels that carry a class, in [0, 1]. */
  readonly annotatedShare: number;
  /** Names without any annotated pixel. */
  readonly unannotated: readonly string[];
  /** Where the names of the classes are kept; undefined where nothing names them. */
  readonly labels?: WrittenLabels;
}

/** Finds an annotation's image and its size; undefined where no folder of images is given. */
async function createSizeLookup(images: string | undefined): Promise<(id: string, file: string) => Promise<LabelSize | undefined>> {
  if (images === undefined) return () => Promise.resolve(undefined);
  const names = await readdir(images).catch((cause: unknown) => {
    throw readingError(images, cause, '--images');
  });
  const byId = new Map<string, string>();
  for (const name of names) {
    const { name: id, ext } = parse(name);
    if (IMAGE_EXTENSIONS.some((extension) => extension === ext.toLowerCase())) byId.set(id, name);
  }
  return async (id, file) => {
    const name = byId.get(id);
    if (name === undefined) throw new BadInputError(`there is no image "${id}" in ${images}`, { file, field: '--images' });
    return readImageSize(join(images, name));
  };
}

export interface LabelSize {
  readonly width: number;
  readonly height: number;
}

/** Adds up what was written. */
function createSummary(classes: readonly string[]) {
  const uses = classes.map((name, index) => ({ index, name, files: 0, pixels: 0 }));
  const unannotated: string[] = [];
  let pixels = 0;
  return {
    add(id: string, map: LabelMap): void {
      let annotated = 0;
      countLabels(map).forEach((count, value) => {
        if (count === 0 || value === IGNORE_INDEX) return;
        annotated += count;
        uses[value].files++;
        uses[value].pixels += count;
      });
      if (annotated === 0) unannotated.push(id);
      pixels += map.data.length;
    },
    result: () => ({
      classes: uses,
      annotatedShare: uses.reduce((sum, use) => sum + use.pixels, 0) / Math.max(1, pixels),
      unannotated,
    }),
  };
}

/** An option that would be passed over in silence is a mistake of whoever gave it. */
function checkOptions(strokes: boolean, { source, colours, map, strokeWidth }: ImportOptions): void {
  const refuse = (field: string, message: string) => {
    throw new BadInputError(message, { file: source, field });
  };
  if (strokes && colours !== undefined) refuse('--colors', 'is for colour masks; strokes name their classes');
  if (strokes && map !== undefined) refuse('--map', 'is for masks of values; strokes name their classes');
  if (!strokes && strokeWidth !== undefined) refuse('--width', 'is for XML strokes; masks are taken as they are drawn');
  if (colours !== undefined && map !== undefined) refuse('--map', 'is for masks of values, --colors for colour masks; give one of the two');
}

/**
 * Converts a folder of annotations into index PNGs. All files are converted before the first one appears in the output.
 * @throws BadInputError naming the file: unknown classes, colours (all of them, with how often they occur) or values; points
 *   outside the image; sizes that differ from the image's; damaged files; a source that would be overwritten
 */
export async function importScribbles(options: ImportOptions): Promise<ImportSummary> {
  const { source, output, format = 'Auto', overwrite = false } = options;
  const names = await listFiles(source);
  const strokes = format === 'Strokes' || (format === 'Auto' && names.some((name) => /\.xml$/i.test(name)));
  const files = names.filter((name) => (strokes ? /\.xml$/i : /\.png$/i).test(name));
  if (files.length === 0) {
    const message = strokes
      ? 'holds no XML file with strokes'
      : 'holds no PNG or XML file to import; masks must be PNGs, since JPEG changes the values';
    throw new BadInputError(message, { file: source });
  }
  checkOptions(strokes, options);
  const sizeOf = await createSizeLookup(options.images);
  const classes = options.classes ?? (await findLabels(options));
  const paths = files.map((name) => join(source, name));
  const converter = await createConverter(strokes ? 'Strokes' : format, paths, { ...options, classes });
  const summary = createSummary(converter.classes);
  const ids = files.map((name) => parse(name).name);
  await writeStaged({ source, output, names: ids.map((id) => `${id}.png`), overwrite }, async (folder) => {
    for (const [index, file] of paths.entries()) {
      const size = await sizeOf(ids[index], file);
      const map = await converter.convert(file, size);
      if (size !== undefined && (size.width !== map.width || size.height !== map.height)) {
        throw new BadInputError(`is ${map.width}×${map.height} pixels, its image ${size.width}×${size.height}`, { file });
      }
      summary.add(ids[index], map);
      writeIndexPng(join(folder, `${ids[index]}.png`), map);
      options.onProgress?.(index + 1, paths.length);
    }
  });
  const labels = converter.namesClasses ? await keepLabels(options, converter.classes) : undefined;
  return { format: converter.format, files: files.length, explanation: converter.explanation, ...summary.result(), labels };
}
