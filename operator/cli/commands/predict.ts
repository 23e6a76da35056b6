import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadInputError, UnavailableError } from '../../../trainer-image/errors.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import type { PredictMessage, PredictRequest } from '../predict-process.ts';
import { withProgress } from '../progress/create-reporter.ts';
import { formatCount } from '../progress/format.ts';

export interface PredictCommandOptions {
  readonly output: string;
  readonly overlay: boolean;
  readonly scales: readonly number[];
  readonly flips: boolean;
  readonly overwrite: boolean;
  readonly json?: boolean;
}

const PROCESS = fileURLToPath(new URL('../predict-process.ts', import.meta.url));

/**
 * Segments an image or a folder of images with a trained model.
 * @returns the exit code: bad input where some of the images could not be read
 * @throws BadInputError if the model or the images are not there or cannot be read
 */
export async function predictCommand(model: string, images: string, options: PredictCommandOptions): Promise<number> {
  // Loading TensorFlow takes seconds; a wrong path should not.
  if (!existsSync(model)) {
    throw new BadInputError('there is no such model; name the folder of a segment stage, `cdsp run` prints it', { file: model });
  }
  if (!existsSync(images)) throw new BadInputError('there is no such image or folder of images', { file: images });
  const { output, overlay: overlays, scales, flips, overwrite } = options;
  const json = options.json === true;
  const request = { model: resolve(model), images: resolve(images), output: resolve(output), overlays, scales, flips, overwrite };
  const { warning, predictions } = await withProgress({ name: 'predict', label: 'segmenting', json }, (onProgress) =>
    predictInChild(request, onProgress),
  );
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
  const text = json
    ? JSON.stringify({ type: 'predictions', output: request.output, ...predictions })
    : `${formatCount(predictions.images, 'prediction')} in ${output}`;
  process.stdout.write(`${text}\n`);
  const { unreadable } = predictions;
  if (unreadable.length === 0) return EXIT_CODES.success;
  for (const { file, message } of unreadable)
    process.stderr.write(`${describeFailure(new BadInputError(message, { file }), false).text}\n`);
  process.stderr.write(`${formatCount(unreadable.length, 'image')} could not be read\n`);
  return EXIT_CODES.badInput;
}

type Result = Omit<Extract<PredictMessage, { type: 'result' }>, 'type'>;

/** TensorFlow's library writes remarks of its own into the terminal; in a process apart they are kept for the case that it crashes. */
function predictInChild(request: PredictRequest, onProgress: (done: number, total: number) => void): Promise<Result> {
  const child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let remarks = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (remarks = (remarks + text).slice(-4000)));
  return new Promise((resolve, reject) => {
    child.on('message', (message: PredictMessage) => {
      switch (message.type) {
        case 'progress':
          return onProgress(message.done, message.total);
        case 'result':
          return resolve({ predictions: message.predictions, warning: message.warning });
        case 'error': {
          const { exitCode, file, field } = message;
          if (exitCode === EXIT_CODES.badInput) return reject(new BadInputError(message.message, { file, field }));
          if (exitCode === EXIT_CODES.unavailable) return reject(new UnavailableError(message.message));
          return reject(new Error(message.message));
        }
        default:
          message satisfies never;
      }
    });
    child.on('error', reject);
    child.on('close', (code, signal) => reject(new Error(`the prediction ended early (${signal ?? `exit code ${code}`}):\n${remarks}`)));
    child.send(request);
  });
}
