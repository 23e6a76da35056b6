import { resolve } from 'node:path';
import { synthScribbles } from '../../synth.ts';
import { withProgress } from '../progress/create-reporter.ts';
import { formatCount, formatPercent } from '../progress/format.ts';

export interface SynthCommandOptions {
  readonly output: string;
  readonly seed: number;
  readonly width?: number;
  readonly coverage?: number;
  readonly overwrite: boolean;
  readonly json?: boolean;
}

/** Draws scribbles from every index PNG of a folder. */
export async function synthCommand(masks: string, options: SynthCommandOptions): Promise<void> {
  const { json = false, ...settings } = options;
  const summary = await withProgress({ name: 'synth', label: 'drawing', json }, (onProgress) =>
    synthScribbles({ masks, ...settings, onProgress }),
  );
  const { files, annotatedShare, coverage, filesAbove, highestShare } = summary;
  if (filesAbove > 0 && !json) {
    const what = `${filesAbove} of ${formatCount(files, 'scribble')} cover more than ${formatPercent(coverage)} % of the image, up to ${formatPercent(highestShare)} %`;
    process.stderr.write(`warning: ${what}: no stroke is shortened below a few widths; a smaller --width covers less\n`);
  }
  const text = json
    ? JSON.stringify({ type: 'synth', output: resolve(settings.output), ...summary })
    : `${formatCount(files, 'scribble')} in ${settings.output}, ${formatPercent(annotatedShare)} % of the pixels annotated`;
  process.stdout.write(`${text}\n`);
}
