import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import type { Experiment } from '../api/experiment.ts';
import { parseExperiment } from '../api/parse.ts';

export interface LoadedExperiment {
  readonly experiment: Experiment;
  /** Where relative paths in the experiment start. */
  readonly baseFolder: string;
  /** As the person wrote it. */
  readonly yaml: string;
}

/**
 * Reads an experiment.
 * @param storage replaces `spec.storage.path`; relative to the working folder, as paths on a command line are
 * @throws BadInputError if the file cannot be read, ExperimentError with everything that is wrong in it
 */
export async function loadExperiment(file: string, storage?: string): Promise<LoadedExperiment> {
  const yaml = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw readingError(file, cause);
  });
  const parsed = parseExperiment(yaml, file);
  const experiment =
    storage === undefined ? parsed : { ...parsed, spec: { ...parsed.spec, storage: { ...parsed.spec.storage, path: resolve(storage) } } };
  return { experiment, baseFolder: dirname(resolve(file)), yaml };
}
