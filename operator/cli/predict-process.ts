import { BadInputError, UnavailableError } from '../../trainer-image/errors.ts';
import { outputError } from '../../trainer-image/file-system-error.ts';
import { TENSORFLOW_WARNING } from '../../trainer-image/tensorflow-package.ts';
import type { Predictions, PredictOptions } from '../predict.ts';
import { EXIT_CODES } from './exit-codes.ts';

/**
 * The process of `cdsp predict` that loads TensorFlow: takes the options as one message, answers with progress and then a
 * result or an error.
 */
export type PredictMessage =
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'result'; readonly predictions: Predictions; readonly warning?: string }
  | { readonly type: 'error'; readonly message: string; readonly exitCode: number; readonly file?: string; readonly field?: string };

export type PredictRequest = Omit<PredictOptions, 'onProgress'>;

let warning: string | undefined;
process.on('warning', ({ name, message }) => {
  if (name === TENSORFLOW_WARNING) warning = message;
});

async function answer(request: PredictRequest): Promise<PredictMessage> {
  const onProgress = (done: number, total: number) => void process.send?.({ type: 'progress', done, total } satisfies PredictMessage);
  try {
    // Loaded here: it fails where TensorFlow is not set up, which has to be told as well.
    const { predictImages } = await import('../predict.ts');
    return { type: 'result', predictions: await predictImages({ ...request, onProgress }), warning };
  } catch (thrown) {
    const error = outputError(thrown, request.output);
    const { message } = error as Error;
    if (error instanceof BadInputError) {
      return { type: 'error', message, exitCode: EXIT_CODES.badInput, file: error.file, field: error.field };
    }
    return { type: 'error', message, exitCode: error instanceof UnavailableError ? EXIT_CODES.unavailable : EXIT_CODES.failure };
  }
}

process.once('message', (request) => {
  void answer(request as PredictRequest).then((message) => process.send?.(message, () => process.disconnect()));
});
// Its parent is gone: nobody waits for the rest.
process.on('disconnect', () => process.exit());
