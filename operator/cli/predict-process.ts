import { predictFolder, type PredictOptions } from '../../trainer-image/stages/predict.ts';
import { BadInputError } from '../../trainer-image/errors.ts';

/**
 * The process of `cdsp predict` that loads TensorFlow: takes the options as one message, answers with progress and then a
 * result or an error.
 */
export type PredictMessage =
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'result'; readonly images: number; readonly classes: readonly string[] }
  | { readonly type: 'error'; readonly message: string; readonly badInput: boolean; readonly file?: string; readonly field?: string };

export type PredictRequest = Omit<PredictOptions, 'onProgress'>;

const send = (message: PredictMessage) => process.send?.(message);

async function answer(request: PredictRequest): Promise<void> {
  try {
    const { images, classes } = await predictFolder({ ...request, onProgress: (done, total) => send({ type: 'progress', done, total }) });
    send({ type: 'result', images, classes });
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof BadInputError) send({ type: 'error', message, badInput: true, file: error.file, field: error.field });
    else send({ type: 'error', message, badInput: false });
  }
  process.disconnect();
}

process.once('message', (request) => void answer(request as PredictRequest));
// Its parent is gone: nobody waits for the rest.
process.on('disconnect', () => process.exit());
