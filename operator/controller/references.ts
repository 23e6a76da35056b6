import { GENERATOR_VERSION } from '../../trainer-image/data/generator/drawings.ts';
import type { Experiment } from '../api/experiment.ts';
import type { Json } from '../plan/canonical-json.ts';
import type { Identities } from '../plan/stage-inputs.ts';

/**
 * What an experiment's files stand for in a cluster. The operator reads no file: data count by their digest where the experiment gives
 * one, else by where they lie, so that data replaced in place need a new digest (or path) to be seen.
 */
export function referencedIdentities({ dataset, model, pseudoLabels }: Experiment['spec']): Identities {
  return {
    dataset: datasetReference(dataset),
    weights: weightsReference(model),
    ...(pseudoLabels.external === undefined ? {} : { externalLabels: `path:${pseudoLabels.external.path}` }),
  };
}

function datasetReference({ folder, generator, classes, digest }: Experiment['spec']['dataset']): Json {
  if (folder === undefined) return { generator, version: GENERATOR_VERSION, digest };
  const { images, scribbles, masks, trainSplit, valSplit } = folder;
  const part = { images, scribbles, masks, trainSplit, valSplit, classes };
  return digest === undefined ? { path: folder.path, ...part } : { digest, ...part };
}

function weightsReference({ weights, backbone }: Experiment['spec']['model']): string {
  if (weights === 'None') return 'none';
  if (weights !== undefined && weights !== 'ImageNet') return `path:${weights}`;
  return backbone === 'efficientnet-lite0' ? 'imagenet' : 'none';
}
