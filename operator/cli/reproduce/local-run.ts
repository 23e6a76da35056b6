import { join } from 'node:path';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { findImagenetWeights } from '../../../trainer-image/model/weights/imagenet-weights.ts';
import { inspectFolder } from '../../../trainer-image/stage-folder.ts';
import { openDigestCache } from '../../local/digest-cache.ts';
import { readRecord } from '../../local/experiment-record.ts';
import { resolveIdentities } from '../../local/identities.ts';
import { resolvePaths } from '../../local/paths.ts';
import { readInputs, stageFolder } from '../../local/stage-folders.ts';
import { loadExperiment } from '../load-experiment.ts';
import { buildLocalReproduction } from './local-reproduction.ts';
import type { LocalRun } from './local-reproduction.ts';
import type { Reproduction, ReproductionOptions } from './reproduction.ts';

/** The latest run of an experiment in a folder of artifacts. @throws BadInputError where there is none that is complete */
async function readRun(storage: string, experiment: string): Promise<LocalRun> {
  const record = readRecord(storage, experiment);
  if (record === undefined) {
    throw new BadInputError(`${experiment} has not run here; run it first, or name the folder of its artifacts with --storage`, {
      file: storage,
    });
  }
  const { spec, stages } = record;
  if (spec === undefined) throw new BadInputError(`the record of ${experiment} is of another version; run it again`, { file: storage });
  const contents = await Promise.all(
    stages.map(async (stage) => ({ ...stage, content: await inspectFolder(stageFolder(storage, stage), stage) })),
  );
  // The classifier only serves the pseudo-labels: its folder may have been deleted.
  const unfinished = contents.find(({ name, content }) => name !== 'classify' && content.kind !== 'Complete');
  const evaluated = contents.find(({ name }) => name === 'evaluate')?.content;
  if (unfinished !== undefined || evaluated?.kind !== 'Complete') {
    const stage = unfinished?.name ?? 'evaluate';
    throw new BadInputError(`the run of ${experiment} is not finished: ${stage} is not complete; \`cdsp run\` goes on with it`, {
      file: storage,
    });
  }
  const segment = stages.find(({ name }) => name === 'segment');
  const inputs = segment === undefined ? undefined : readInputs(stageFolder(storage, segment));
  if (inputs === undefined)
    throw new BadInputError('inputs.json of the segment stage is not there: nothing says what it was made of', { file: storage });
  return { experiment, spec, storage, stages, inputs, manifest: evaluated.manifest };
}

/**
 * The experiment that repeats the latest run of a YAML file on this machine. Reads the data, to see that they are still those of the run.
 * @throws BadInputError where nothing has run, the run is not finished, or the data have changed
 */
export async function reproduceLocalRun(file: string, options: ReproductionOptions & { readonly storage?: string }): Promise<Reproduction> {
  const { experiment, baseFolder } = await loadExperiment(file, options.storage);
  const { storage } = resolvePaths(experiment, baseFolder).spec;
  const run = await readRun(storage.path, experiment.metadata.name);
  const cache = openDigestCache(join(storage.path, 'digests.json'));
  const today = await resolveIdentities({ ...experiment, spec: run.spec }, cache, findImagenetWeights);
  cache.save();
  return buildLocalReproduction(run, today, options);
}
