import { GENERATOR_VERSION } from '../../trainer-image/data/generator/drawings.ts';
import type { Experiment } from '../api/experiment.ts';
import type { Json } from '../plan/canonical-json.ts';
import { weightsFile } from '../plan/stage-inputs.ts';
import type { Identities } from '../plan/stage-inputs.ts';

/**
 * What an experiment's files stand for in a cluster. The operator reads no file: data count by their digest where the experiment gives
 * one, else by where they lie, so that data replaced in place need a new digest (or path) to be seen.
 */
export function referencedIdentities({ dataset, model, pseudoLabels }: Experiment['spec']): Identities {
  const { external } = pseudoLabels;
  return {
    dataset: datasetReference(dataset),
    weights: weightsReference(model),
    ...(external === undefined ? {} : { externalLabels: place(external) }),
  };
}

/** A path with the volume that it lies on; without one it is the artifacts' own claim, on which keys are compared anyway. */
const place = ({ path, claimName, image }: { path: string; claimName?: string; image?: string }): string =>
  `${image === undefined ? '' : `image:${image}:`}${claimName === undefined ? '' : `claim:${claimName}:`}path:${path}`;

function datasetReference({ folder, generator, classes, digest }: Experiment['spec']['dataset']): Json {
  if (folder === undefined) return { generator, version: GENERATOR_VERSION, digest };
  const { images, scribbles, masks, trainSplit, valSplit } = folder;
  const part = { images, scribbles, masks, trainSplit, valSplit, classes };
  return digest === undefined ? { place: place(folder), ...part } : { digest, ...part };
}

function weightsReference(model: Experiment['spec']['model']): string {
  const path = weightsFile(model);
  if (path !== undefined) return place({ path, ...model.weightsFrom });
  return model.weights !== 'None' && model.backbone === 'efficientnet-lite0' ? 'imagenet' : 'none';
}
