import { access, constants } from 'node:fs/promises';
import { openDataset } from '../../../trainer-image/data/dataset.ts';
import { readingError } from '../../../trainer-image/data/file-errors.ts';
import { findImagenetWeights } from '../../../trainer-image/model/weights/imagenet-weights.ts';
import type { DigestCache } from '../../local/digest-cache.ts';
import { resolveIdentities } from '../../local/identities.ts';
import { resolvePaths } from '../../local/paths.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import { loadExperiment } from '../load-experiment.ts';

/**
 * Checks every file, whatever is wrong with the one before.
 * @returns the exit code: bad input if one of them is invalid
 */
export async function validateCommand(files: readonly string[], options: { data: boolean }): Promise<number> {
  let exitCode: number = EXIT_CODES.success;
  for (const file of files) {
    try {
      process.stdout.write(`${file}: valid, ${await checkExperiment(file, options.data)}\n`);
    } catch (error) {
      const failure = describeFailure(error, Boolean(process.env.CDSP_DEBUG));
      process.stderr.write(`${failure.text}\n`);
      exitCode = Math.max(exitCode, failure.exitCode);
    }
  }
  return exitCode;
}

/** In place of reading every file, as a plan does, looks whether it can be read. */
const READABLE: DigestCache = {
  async digest(file) {
    await access(file, constants.R_OK).catch((cause: unknown) => {
      throw readingError(file, cause);
    });
    return '';
  },
  save() {
    // There is nothing to keep.
  },
};

/** What the experiment is about, in a few words. @throws BadInputError for files of it that cannot be read, if `withData` */
async function checkExperiment(file: string, withData: boolean): Promise<string> {
  const { experiment, baseFolder } = await loadExperiment(file);
  const located = resolvePaths(experiment, baseFolder);
  const { dataset, model } = located.spec;
  if (withData) await resolveIdentities(located, READABLE, findImagenetWeights);
  const network = `${model.backbone} + ${model.segmentor}`;
  if (dataset.generator !== undefined) return `${dataset.generator.train} generated scenes, ${network}`;
  if (!withData) return network;
  const { train, val, classes } = await openDataset(dataset);
  return `${train.length} training and ${val.length} validation images, ${classes.length} classes, ${network}`;
}
