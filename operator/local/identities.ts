import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openDataset } from '../../trainer-image/data/dataset.ts';
import { datasetContent, digestOfJson, generatedContent, mapInParallel } from '../../trainer-image/data/dataset-digest.ts';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import type { Dataset } from '../../trainer-image/data/types.ts';
import { BadInputError, BadInputs } from '../../trainer-image/errors.ts';
import type { DatasetSettings, Experiment, ModelSettings } from '../api/experiment.ts';
import type { Json } from '../plan/canonical-json.ts';
import type { Identities } from '../plan/stage-inputs.ts';
import type { DigestCache } from './digest-cache.ts';

/** The file of EfficientNet-Lite0's ImageNet weights, or undefined where it is not installed. */
export type FindBuiltInWeights = () => string | undefined;

/**
 * The data set as part of the stage keys. A folder stands for its content, wherever it lies; where the experiment gives a digest, that
 * counts and no file is read, together with the names that say which part of the data is used.
 */
async function datasetIdentity(settings: DatasetSettings, dataset: Dataset | undefined, cache: DigestCache): Promise<Json> {
  const { folder, classes, digest } = settings;
  if (dataset === undefined || folder === undefined) return { ...generatedContent(settings), digest };
  if (digest !== undefined) {
    const { images, scribbles, masks, trainSplit, valSplit } = folder;
    return { digest, images, scribbles, masks, trainSplit, valSplit, classes };
  }
  return datasetContent(dataset, (file) => cache.digest(file));
}

async function weightsIdentity(model: ModelSettings, cache: DigestCache, findBuiltIn: FindBuiltInWeights): Promise<string> {
  if (model.weights === 'None') return 'none';
  if (model.weights === undefined || model.weights === 'ImageNet') {
    const file = model.backbone === 'efficientnet-lite0' ? findBuiltIn() : undefined;
    return file === undefined ? 'none' : `sha256:${await cache.digest(file)}`;
  }
  try {
    return `sha256:${await cache.digest(model.weights)}`;
  } catch (cause) {
    const reason = cause instanceof BadInputError ? cause.message : 'cannot be read; check the path';
    throw new BadInputError(`the weights file ${reason}`, { file: model.weights, field: 'spec.model.weights', cause });
  }
}

/** Digest of the external pseudo-labels of the training images; all PNGs where the names of these are not known (generator). */
async function labelsIdentity(folder: string, ids: readonly string[] | undefined, cache: DigestCache): Promise<string> {
  const field = 'spec.pseudoLabels.external.path';
  const names = await readdir(folder).catch((cause: unknown) => {
    throw readingError(folder, cause, field);
  });
  const all = names.filter((name) => name.toLowerCase().endsWith('.png')).sort();
  const there = new Set(all);
  const wanted = ids === undefined ? all : ids.map((id) => `${id}.png`).filter((name) => there.has(name));
  return digestOfJson(await mapInParallel(wanted, async (name) => [name, await cache.digest(join(folder, name))]));
}

/**
 * What the experiment's files stand for.
 * @param experiment with absolute paths
 * @throws BadInputError where something that the experiment names is not there, BadInputErrors where several things are not
 */
export async function resolveIdentities({ spec }: Experiment, cache: DigestCache, findBuiltIn: FindBuiltInWeights): Promise<Identities> {
  const { source, external } = spec.pseudoLabels;
  const bad = new BadInputs();
  const opened = await bad.attempt(async () => ({ dataset: spec.dataset.folder && (await openDataset(spec.dataset)) }));
  const dataset = opened && (await bad.attempt(() => datasetIdentity(spec.dataset, opened.dataset, cache)));
  const weights = await bad.attempt(() => weightsIdentity(spec.model, cache, findBuiltIn));
  const trainIds = opened?.dataset?.train.map(({ id }) => id);
  const externalLabels =
    source === 'External' && external !== undefined ? await bad.attempt(() => labelsIdentity(external.path, trainIds, cache)) : undefined;
  const identities = bad.all({ dataset, weights });
  return externalLabels === undefined ? identities : { ...identities, externalLabels };
}
