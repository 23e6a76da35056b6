import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { withProgress } from '../progress/create-reporter.ts';

export interface PredictOptions {
  readonly output: string;
  readonly overlay: boolean;
  readonly scales: number[];
  readonly flips: boolean;
  readonly json?: boolean;
}

/**
 * Segments a folder of images with a trained model. The one command that loads TensorFlow into this process.
 * @throws BadInputError if the model or the images are not there or cannot be read
 */
export async function predictCommand(model: string, images: string, options: PredictOptions): Promise<void> {
  // Loading TensorFlow takes seconds; a wrong path should not.
  if (!existsSync(model)) {
    throw new BadInputError('there is no such model; name the folder of a segment stage, `cdsp run` prints it', { file: model });
  }
  if (!existsSync(images)) throw new BadInputError('there is no such folder of images', { file: images });
  const json = options.json === true;
  const result = await withProgress({ name: 'predict', label: 'segmenting', json }, async (onProgress) => {
    const { predictFolder } = await import('../../../trainer-image/stages/predict.ts');
    return predictFolder({
      model: resolve(model),
      images: resolve(images),
      output: resolve(options.output),
      overlays: options.overlay,
      scales: options.scales,
      flips: options.flips,
      onProgress,
    });
  });
  process.stdout.write(
    json ? `${JSON.stringify({ type: 'predictions', ...result })}\n` : `${result.images} predictions in ${result.output}\n`,
  );
}
