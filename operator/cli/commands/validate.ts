import { access, constants, stat } from 'node:fs/promises';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { openDataset } from '../../../trainer-image/data/dataset.ts';
import { withMasks } from '../../../trainer-image/data/types.ts';
import { readingError } from '../../../trainer-image/data/file-errors.ts';
import { findImagenetWeights } from '../../../trainer-image/model/weights/imagenet-weights.ts';
import type { DigestCache } from '../../local/digest-cache.ts';
import { resolveIdentities } from '../../local/identities.ts';
import { resolvePaths } from '../../local/paths.ts';
import { ExperimentError } from '../../api/findings.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import { loadExperiment, locateBadInput, type LoadedExperiment } from '../load-experiment.ts';

/**
 * Checks every file, whatever is wrong with the one before.
 * @returns the exit code: bad input if one of them is invalid
 */
export async function validateCommand(files: readonly string[], options: { data: boolean; json?: boolean }): Promise<number> {
  const json = options.json === true;
  let exitCode: number = EXIT_CODES.success;
  for (const file of files) {
    try {
      const summary = await checkExperiment(file, options.data);
      process.stdout.write(json ? `${JSON.stringify({ file, valid: true, summary })}\n` : `${file}: valid, ${summary}\n`);
    } catch (error) {
      const failure = describeFailure(error, Boolean(process.env.CDSP_DEBUG));
      if (json) process.stdout.write(`${JSON.stringify({ file, valid: false, findings: findingsOf(error, failure.text) })}\n`);
      else process.stderr.write(`${failure.text}\n`);
      exitCode = Math.max(exitCode, failure.exitCode);
    }
  }
  return exitCode;
}

/** What is wrong, for programs. A finding about another file than the experiment names it. */
function findingsOf(error: unknown, text: string): readonly { file?: string; field?: string; line?: number; message: string }[] {
  if (error instanceof ExperimentError) return error.findings;
  if (error instanceof BadInputError) return [{ file: error.file, field: error.field, message: error.message }];
  return [{ message: text.replace(/^error: /, '') }];
}

/** In place of reading every file, as a plan does, looks whether it can be read. */
const READABLE: DigestCache = {
  async digest(file) {
    await access(file, constants.R_OK).catch((cause: unknown) => {
      throw readingError(file, cause);
    });
    if ((await stat(file)).isDirectory()) throw new BadInputError('is a folder, not a file', { file });
    return '';
  },
  save() {
    // There is nothing to keep.
  },
};

/** What the experiment is about, in a few words. @throws BadInputError for files of it that cannot be read, if `withData` */
async function checkExperiment(file: string, withData: boolean): Promise<string> {
  const loaded = await loadExperiment(file);
  return locateBadInput(loaded, () => checkFiles(loaded, withData));
}

async function checkFiles({ experiment, baseFolder }: LoadedExperiment, withData: boolean): Promise<string> {
  const located = resolvePaths(experiment, baseFolder);
  const { dataset, model } = located.spec;
  if (withData) await resolveIdentities(located, READABLE, findImagenetWeights);
  const network = `${model.backbone} + ${model.segmentor}`;
  if (dataset.generator !== undefined) return `${dataset.generator.train} generated scenes, ${network}`;
  if (!withData) return network;
  const { train, val, classes } = await openDataset(dataset);
  const unscored = withMasks(val).length === 0 ? ' (nothing will be scored: no masks)' : '';
  return `${train.length} training and ${val.length} validation images${unscored}, ${classes.length} classes, ${network}`;
}
