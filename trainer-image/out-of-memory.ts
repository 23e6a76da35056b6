import type { StageName } from '../operator/api/experiment.ts';
import { BadInputError } from './errors.ts';

/** What TensorFlow, Node and the system say when there is no memory left. */
const SIGNS = /\bOOM when allocating\b|\bfailed to allocate memory\b|Array buffer allocation failed|\bENOMEM\b|CUDA_ERROR_OUT_OF_MEMORY/i;

/** The settings that decide how much memory a stage takes. */
const REMEDIES: Readonly<Record<StageName, readonly [field: string, advice: string]>> = {
  classify: ['spec.classify.batchSize', 'lower batchSize or cropSize'],
  'pseudo-label': ['spec.pseudoLabels.scales', 'leave out the largest scales'],
  segment: ['spec.segment.batchSize', 'lower batchSize or cropSize'],
  evaluate: ['spec.evaluation.scales', 'leave out the largest scales'],
};

/** An error that says that the memory, of the GPU or of the process, did not suffice, as a BadInputError; undefined for any other error. */
export function outOfMemoryError(error: unknown, stage: StageName): BadInputError | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (!SIGNS.test(cause.message)) continue;
    const [field, advice] = REMEDIES[stage];
    const [first] = cause.message.split('\n');
    return new BadInputError(`the memory does not suffice (${first}); ${advice}, or run on a machine with more`, { field, cause: error });
  }
  return undefined;
}
