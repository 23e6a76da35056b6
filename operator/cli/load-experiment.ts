import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import { BadInputError, BadInputErrors } from '../../trainer-image/errors.ts';
import type { Experiment } from '../api/experiment.ts';
import { ExperimentError, type Finding } from '../api/findings.ts';
import { parseExperiment, readDocuments, validateExperiment } from '../api/parse.ts';
import { fieldLines, lineOf } from '../api/yaml-lines.ts';

export interface LoadedExperiment {
  /** The YAML file, as the person named it. */
  readonly file: string;
  readonly experiment: Experiment;
  /** Where relative paths in the experiment start. */
  readonly baseFolder: string;
  /** As the person wrote it. */
  readonly yaml: string;
  /** Line of each field in the file. */
  readonly lines: ReadonlyMap<string, number>;
}

const readText = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((cause: unknown) => {
    throw readingError(file, cause);
  });

/**
 * Reads an experiment.
 * @param storage replaces `spec.storage.path`; relative to the working folder, as paths on a command line are
 * @throws BadInputError if the file cannot be read, ExperimentError with everything that is wrong in it
 */
export async function loadExperiment(file: string, storage?: string): Promise<LoadedExperiment> {
  const yaml = await readText(file);
  const parsed = parseExperiment(yaml, file);
  const experiment =
    storage === undefined ? parsed : { ...parsed, spec: { ...parsed.spec, storage: { ...parsed.spec.storage, path: resolve(storage) } } };
  return { file, experiment, baseFolder: dirname(resolve(file)), yaml, lines: fieldLines(yaml)[0] };
}

/**
 * Reads every experiment of a file. Each is looked at when it is asked for, so that one can be wrong and the next in order.
 * @returns kind and name of the other objects in the file besides
 * @throws BadInputError if the file cannot be read, ExperimentError if it holds no experiment; each of `experiments` as loadExperiment does
 */
export async function loadExperiments(
  file: string,
): Promise<{ readonly experiments: readonly (() => LoadedExperiment)[]; readonly others: readonly string[] }> {
  const yaml = await readText(file);
  const baseFolder = dirname(resolve(file));
  const { experiments, others } = readDocuments(yaml, file);
  const load = experiments.map(({ value, lines }) => () => {
    return { file, experiment: validateExperiment(value, file, lines), baseFolder, yaml, lines };
  });
  return { experiments: load, others };
}

/** Does `work` with an experiment. Bad input that its fields name is told as findings of the YAML file, with their lines. */
export async function locateBadInput<Result>({ file, lines }: LoadedExperiment, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BadInputError) || error instanceof ExperimentError) throw error;
    const errors = error instanceof BadInputErrors ? error.errors : [error];
    if (!errors.some(({ field }) => field?.startsWith('spec.'))) throw error;
    const findings = errors.map(({ field = '', file: culprit, message }): Finding => {
      return { field, message, line: lineOf(field, lines), file: culprit };
    });
    findings.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
    throw new ExperimentError(findings, file);
  }
}
