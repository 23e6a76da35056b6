import { synthScribbles } from '../../synth.ts';
import { withProgress } from '../progress/create-reporter.ts';
import { formatCount, formatPercent } from '../progress/format.ts';

export interface SynthCommandOptions {
  readonly output: string;
  readonly seed: number;
  readonly width?: number;
  readonly coverage?: number;
  readonly overwrite: boolean;
}

/** Draws scribbles from every index PNG of a folder. */
export async function synthCommand(masks: string, options: SynthCommandOptions): Promise<void> {
  const { files, annotatedShare } = await withProgress({ name: 'synth', label: 'drawing', json: false }, (onProgress) =>
    synthScribbles({ masks, ...options, onProgress }),
  );
  process.stdout.write(
    `${formatCount(files, 'scribble')} in ${options.output}, ${formatPercent(annotatedShare)} % of the pixels annotated\n`,
  );
}
