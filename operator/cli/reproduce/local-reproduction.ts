import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { KIND } from '../../api/experiment.ts';
import type { ExperimentSpec } from '../../api/experiment.ts';
import type { Manifest } from '../../api/stage-contract.ts';
import { canonicalJson } from '../../plan/canonical-json.ts';
import type { Json } from '../../plan/canonical-json.ts';
import type { Identities, StageInputs } from '../../plan/stage-inputs.ts';
import { keyNotes, reproductionName, resultNotes } from './reproduction.ts';
import type { Reproduction, ReproductionOptions, Results } from './reproduction.ts';

/** A run on this machine that has come to its end. */
export interface LocalRun {
  readonly experiment: string;
  /** As it ran, with absolute paths. */
  readonly spec: ExperimentSpec;
  /** Folder of its artifacts, absolute. */
  readonly storage: string;
  readonly stages: readonly { readonly name: string; readonly key: string }[];
  /** What its segment stage was made of. */
  readonly inputs: StageInputs;
  /** Of its evaluate stage. */
  readonly manifest: Pick<Manifest, 'trainer' | 'metrics'>;
}

const isSame = (a: Json | undefined, b: Json): boolean => a !== undefined && canonicalJson(a) === canonicalJson(b);

/** Files are not kept with a run: those of today have to be those of then. */
function checkFiles({ spec, inputs }: LocalRun, today: Identities): void {
  if (!isSame(inputs.dataset, today.dataset)) {
    const advice = 'bring the data of that run back, or run the experiment again';
    throw new BadInputError(`the data are not those of the run any more; ${advice}`, {
      file: spec.dataset.folder?.path,
      field: 'spec.dataset',
    });
  }
  const { weights } = inputs.model as { weights?: Json };
  if (isSame(weights, today.weights)) return;
  throw new BadInputError('the backbone’s weights are not those of the run any more; bring them back, or run the experiment again', {
    field: 'spec.model.weights',
  });
}

/** What depends on what is installed is written out. */
function pinnedWeights({ model }: ExperimentSpec, identity: string): ExperimentSpec['model'] {
  return model.weights === undefined ? { ...model, weights: identity === 'none' ? 'None' : 'ImageNet' } : model;
}

function pinnedDataset({ dataset }: ExperimentSpec, identity: Json): ExperimentSpec['dataset'] {
  if (dataset.folder === undefined || dataset.digest !== undefined) return dataset;
  return { ...dataset, digest: `sha256:${createHash('sha256').update(canonicalJson(identity)).digest('hex')}` };
}

/** The scores among a stage's metrics. */
function resultsOf(metrics: Manifest['metrics']): Results {
  const numberIn = (name: string) => (typeof metrics[name] === 'number' ? metrics[name] : undefined);
  const listIn = (name: string): unknown[] => (Array.isArray(metrics[name]) ? metrics[name] : []);
  const ious = listIn('iou');
  return {
    meanIou: numberIn('meanIou'),
    pixelAccuracy: numberIn('pixelAccuracy'),
    classes: listIn('classes').map((name, index) => {
      const iou = ious[index];
      return { name: String(name), ...(typeof iou === 'number' ? { iou } : {}) };
    }),
  };
}

/**
 * The experiment that repeats a run on this machine, into a folder of its own.
 * @param today what the files stand for now
 * @throws BadInputError where they are others than those of the run
 */
export function buildLocalReproduction(run: LocalRun, today: Identities, options: ReproductionOptions = {}): Reproduction {
  checkFiles(run, today);
  const { experiment, spec, storage, stages, manifest } = run;
  const { sameStorage = false } = options;
  const name = reproductionName(experiment, options.name);
  const path = sameStorage ? storage : join(dirname(storage), `${basename(storage)}-${name}`);
  const notes = [
    `Repeats the run of the ${KIND} ${experiment} whose artifacts are in ${storage}.`,
    `Trainer: version ${manifest.trainer}; another one has other stage keys, and may have other results.`,
    ...(spec.dataset.folder === undefined
      ? []
      : ['The digest names the data as they are now, which are those of the run; nothing compares them again.']),
    `Weights of the backbone: ${today.weights}.`,
    ...(sameStorage ? ['It shares the folder of that run: stages whose keys are the same are not run again.'] : []),
    ...keyNotes(stages),
    ...resultNotes(resultsOf(manifest.metrics)),
  ];
  const pinned = { ...spec, suspend: false, dataset: pinnedDataset(spec, today.dataset), model: pinnedWeights(spec, today.weights) };
  return { metadata: { name }, spec: { ...pinned, storage: { ...spec.storage, path } }, notes };
}
