import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openDataset } from '../../trainer-image/data/dataset.ts';
import { readingError } from '../../trainer-image/data/file-errors.ts';
import { GENERATOR_VERSION } from '../../trainer-image/data/generator/drawings.ts';
import type { Dataset, Sample } from '../../trainer-image/data/types.ts';
import { BadInputError, BadInputs } from '../../trainer-image/errors.ts';
import type { DatasetSettings, Experiment, ModelSettings } from '../api/experiment.ts';
import { canonicalJson } from '../plan/canonical-json.ts';
import type { Json } from '../plan/canonical-json.ts';
import type { Identities } from '../plan/stage-inputs.ts';
import type { DigestCache } from './digest-cache.ts';

/** The file of EfficientNet-Lite0's ImageNet weights, or undefined where it is not installed. */
export type FindBuiltInWeights = () => string | undefined;

const PARALLEL = 8;

/** Runs `work` on every item, a few at a time, and keeps their order. */
async function mapInParallel<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index]);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return results;
}

const sha256 = (value: Json): string => `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}`;

async function samplesDigest(samples: readonly Sample[], cache: DigestCache): Promise<string> {
  const digestOf = (file: string | undefined) => (file === undefined ? null : cache.digest(file));
  const entries = await mapInParallel(samples, async ({ id, image, scribble, mask }) => [
    id,
    await digestOf(image),
    await digestOf(scribble),
    await digestOf(mask),
  ]);
  return sha256(entries);
}

/**
 * The data set as part of the stage keys. A folder stands for its content, wherever it lies; where the experiment gives a digest, that
 * counts and no file is read, together with the names that say which part of the data is used.
 */
async function datasetIdentity(settings: DatasetSettings, dataset: Dataset | undefined, cache: DigestCache): Promise<Json> {
  const { folder, generator, classes, digest } = settings;
  if (dataset === undefined || folder === undefined) return { generator, version: GENERATOR_VERSION, digest };
  if (digest !== undefined) {
    const { images, scribbles, masks, trainSplit, valSplit } = folder;
    return { digest, images, scribbles, masks, trainSplit, valSplit, classes };
  }
  return { classes: [...dataset.classes], train: await samplesDigest(dataset.train, cache), val: await samplesDigest(dataset.val, cache) };
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
  return sha256(await mapInParallel(wanted, async (name) => [name, await cache.digest(join(folder, name))]));
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
