import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { readingError } from '../../../trainer-image/data/file-errors.ts';
import { parseLabels } from '../../../trainer-image/data/dataset.ts';
import { importScribbles, type ImportFormat, type ImportSummary } from '../../import/import-scribbles.ts';
import { parseValueMap } from '../../import/value-map.ts';
import { shortPath } from '../command-name.ts';
import { withProgress } from '../progress/create-reporter.ts';
import { formatCount, formatPercent } from '../progress/format.ts';
import { choosePaint, type Paint } from '../style.ts';
import { renderTable } from '../table.ts';
import { UsageError } from '../usage-error.ts';

export interface ImportCommandOptions {
  readonly output: string;
  readonly format: string;
  readonly images?: string;
  readonly labels?: string;
  readonly colors?: string;
  readonly map?: string;
  readonly width?: number;
  readonly overwrite: boolean;
  readonly json?: boolean;
}

const FORMATS: Readonly<Record<string, ImportFormat>> = { auto: 'Auto', strokes: 'Strokes', colors: 'Colour', values: 'Values' };

/** Turns a folder of strokes, colour masks or value masks into index PNGs and says what became of what. */
export async function importCommand(source: string, options: ImportCommandOptions): Promise<void> {
  const { output, images, overwrite, colors: colours, width: strokeWidth } = options;
  const json = options.json === true;
  const classes = options.labels === undefined ? undefined : await readLabels(options.labels);
  const map = options.map === undefined ? undefined : readMap(options.map);
  const summary = await withProgress({ name: 'import', label: 'converting', json }, (onProgress) =>
    importScribbles({ source, output, format: FORMATS[options.format], images, classes, colours, map, strokeWidth, overwrite, onProgress }),
  );
  const text = json
    ? `${JSON.stringify({ type: 'import', output: resolve(output), ...summary })}\n`
    : describeImport(summary, output, choosePaint(process.stdout, process.env));
  process.stdout.write(text);
}

function readMap(text: string): ReadonlyMap<number, number> {
  try {
    return parseValueMap(text);
  } catch (error) {
    throw error instanceof BadInputError ? new UsageError('--map', error.message) : error;
  }
}

async function readLabels(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw readingError(file, cause, '--labels');
  });
  return parseLabels(text, file);
}

function describeImport(summary: ImportSummary, output: string, paint: Paint): string {
  const { files, explanation, classes, annotatedShare, unannotated, labels } = summary;
  const used = classes.filter((use) => use.files > 0);
  const rows = used.map((use) => [String(use.index), use.name, String(use.files), String(use.pixels)]);
  const lines = [
    `${formatCount(files, 'index PNG')} in ${output}, ${formatPercent(annotatedShare)} % of the pixels annotated`,
    `Rule: ${explanation}`,
    '',
    renderTable(['index', 'class', 'files', 'pixels'], rows, paint, [0, 2, 3]).trimEnd(),
  ];
  if (unannotated.length > 0) {
    const some = unannotated.slice(0, 5).join(', ');
    lines.push('', `Without any annotation: ${unannotated.length} (${some}${unannotated.length > 5 ? ', …' : ''})`);
  }
  const file = labels && shortPath(process.cwd(), labels.file);
  if (labels?.state === 'Written') lines.push('', `Wrote ${file}: ${classes.map(({ index, name }) => `${index} ${name}`).join(', ')}`);
  if (labels?.state === 'Different') lines.push('', `warning: ${file} names other classes; training reads that file`);
  return `${lines.join('\n')}\n`;
}
