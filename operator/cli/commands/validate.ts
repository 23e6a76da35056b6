import { access, constants, stat } from 'node:fs/promises';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { openDataset } from '../../../trainer-image/data/dataset.ts';
import { withMasks } from '../../../trainer-image/data/types.ts';
import { readingError } from '../../../trainer-image/data/file-errors.ts';
import { findImagenetWeights } from '../../../trainer-image/model/weights/imagenet-weights.ts';
import type { DigestCache } from '../../local/digest-cache.ts';
import { resolveIdentities } from '../../local/identities.ts';
import { resolvePaths, type LocatedExperiment } from '../../local/paths.ts';
import { KIND } from '../../api/experiment.ts';
import { ExperimentError } from '../../api/findings.ts';
import { weightsFile } from '../../plan/stage-inputs.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import { loadExperiments, locateBadInput, type LoadedExperiment } from '../load-experiment.ts';
import { printable } from '../progress/format.ts';

/**
 * Checks every experiment of every file, whatever is wrong with the one before.
 * @returns the exit code: bad input if one of them is invalid
 */
export async function validateCommand(files: readonly string[], options: { data: boolean; json?: boolean }): Promise<number> {
  const json = options.json === true;
  let exitCode: number = EXIT_CODES.success;
  const attempt = async (file: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const failure = describeFailure(error, Boolean(process.env.CDSP_DEBUG));
      if (json) process.stdout.write(`${JSON.stringify({ file, valid: false, findings: findingsOf(error, failure.text) })}\n`);
      else process.stderr.write(`${failure.text}\n`);
      exitCode = Math.max(exitCode, failure.exitCode);
    }
  };
  const note = (file: string, message: string) => {
    if (!json) process.stderr.write(`note: ${file}: ${printable(message)}\n`);
  };
  for (const file of files) {
    await attempt(file, async () => {
      const { experiments, others } = await loadExperiments(file);
      for (const other of others) note(file, `${other} is passed over: only a ${KIND} is looked at`);
      for (const load of experiments) {
        await attempt(file, async () => {
          const loaded = load();
          const { summary, elsewhere } = await locateBadInput(loaded, () => checkFiles(loaded, options.data));
          if (elsewhere.length > 0) note(file, `not looked at, since not on this machine: ${elsewhere.join(', ')}`);
          const { name } = loaded.experiment.metadata;
          const isAlone = experiments.length === 1;
          const some = (names: readonly string[]) => (names.length === 0 ? undefined : names);
          const told = {
            file,
            name: isAlone ? undefined : name,
            valid: true,
            summary,
            elsewhere: some(elsewhere),
            passedOver: some(others),
          };
          process.stdout.write(`${json ? JSON.stringify(told) : `${isAlone ? file : `${file}: ${name}`}: valid, ${summary}`}\n`);
        });
      }
    });
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

/** A volume of a cluster. */
const volumeOf = (place: { readonly claimName?: string; readonly image?: string } = {}): string | undefined =>
  place.claimName === undefined ? place.image && `image ${place.image}` : `claim ${place.claimName}`;

/** The spec without the files that lie on a volume of a cluster, and what those are. */
function onThisMachine(spec: LocatedExperiment['spec']): {
  readonly here: LocatedExperiment['spec'];
  readonly elsewhere: readonly string[];
} {
  const { dataset, pseudoLabels, model } = spec;
  const volumes = {
    'spec.dataset.folder': volumeOf(dataset.folder),
    'spec.pseudoLabels.external': volumeOf(pseudoLabels.external),
    'spec.model.weights': weightsFile(model) === undefined ? undefined : volumeOf(model.weightsFrom),
  };
  const here = {
    ...spec,
    dataset: volumes['spec.dataset.folder'] === undefined ? dataset : { ...dataset, folder: undefined },
    pseudoLabels: volumes['spec.pseudoLabels.external'] === undefined ? pseudoLabels : { ...pseudoLabels, external: undefined },
    model: volumes['spec.model.weights'] === undefined ? model : { ...model, weights: 'None' },
  };
  const elsewhere = Object.entries(volumes).flatMap(([field, volume]) => (volume === undefined ? [] : [`${field} (${volume})`]));
  return { here, elsewhere };
}

/**
 * What the experiment is about, in a few words, and its files that lie on a volume of a cluster.
 * @throws BadInputError for files of it that cannot be read, if `withData`
 */
async function checkFiles(
  { experiment, baseFolder }: LoadedExperiment,
  withData: boolean,
): Promise<{ readonly summary: string; readonly elsewhere: readonly string[] }> {
  const located = resolvePaths(experiment, baseFolder);
  const { backbone, segmentor } = located.spec.model;
  const network = `${backbone} + ${segmentor}`;
  const { here, elsewhere } = withData ? onThisMachine(located.spec) : { here: located.spec, elsewhere: [] };
  if (withData) await resolveIdentities({ ...located, spec: here }, READABLE, findImagenetWeights);
  const { dataset } = here;
  if (dataset.generator !== undefined) return { summary: `${dataset.generator.train} generated scenes, ${network}`, elsewhere };
  if (!withData || dataset.folder === undefined) return { summary: network, elsewhere };
  const { train, val, classes } = await openDataset(dataset);
  const unscored = withMasks(val).length === 0 ? ' (nothing will be scored: no masks)' : '';
  const data = `${train.length} training and ${val.length} validation images${unscored}, ${classes.length} classes`;
  return { summary: `${data}, ${network}`, elsewhere };
}
