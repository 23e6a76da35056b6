import { openDataset } from '../../../trainer-image/data/dataset.ts';
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

/** What the experiment is about, in a few words. */
async function checkExperiment(file: string, withData: boolean): Promise<string> {
  const { experiment, baseFolder } = await loadExperiment(file);
  const { dataset, model } = resolvePaths(experiment, baseFolder).spec;
  const network = `${model.backbone} + ${model.segmentor}`;
  if (dataset.generator !== undefined) return `${dataset.generator.train} generated scenes, ${network}`;
  if (!withData) return network;
  const { train, val, classes } = await openDataset(dataset);
  return `${train.length} training and ${val.length} validation images, ${classes.length} classes, ${network}`;
}
