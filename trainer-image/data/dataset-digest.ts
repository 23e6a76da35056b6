import { createHash } from 'node:crypto';
import type { DatasetSettings } from '../../operator/api/experiment.ts';
import { canonicalJson, type Json } from '../../operator/plan/canonical-json.ts';
import { GENERATOR_VERSION } from './generator/drawings.ts';
import type { Dataset, Sample } from './types.ts';

/** SHA-256 of a file's content, in hexadecimal. */
export type DigestOfFile = (file: string) => Promise<string>;

const PARALLEL = 8;

/** Runs `work` on every item, a few at a time, and keeps their order. */
export async function mapInParallel<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index]);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return results;
}

/** sha256:<64 hexadecimal digits> of a value's canonical JSON. */
export const digestOfJson = (value: Json): string => `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}`;

async function samplesDigest(samples: readonly Sample[], digestOfFile: DigestOfFile): Promise<string> {
  const digestOf = (file: string | undefined) => (file === undefined ? null : digestOfFile(file));
  const entries = await mapInParallel(samples, async ({ id, image, scribble, mask }) => [
    id,
    await digestOf(image),
    await digestOf(scribble),
    await digestOf(mask),
  ]);
  return digestOfJson(entries);
}

/** What the data of a folder are, wherever they lie: class names, and for every image of each split its name and its files' content. */
export async function datasetContent({ classes, train, val }: Dataset, digestOfFile: DigestOfFile): Promise<Json> {
  return { classes: [...classes], train: await samplesDigest(train, digestOfFile), val: await samplesDigest(val, digestOfFile) };
}

/** What generated scenes are: their settings and the generator's version stand for every pixel. */
export const generatedContent = ({ generator }: Pick<DatasetSettings, 'generator'>) => ({ generator, version: GENERATOR_VERSION });

/** The digest of a data set: SHA-256 of its content, of generated scenes that of their settings and the generator's version. */
export async function datasetDigest(settings: DatasetSettings, dataset: Dataset, digestOfFile: DigestOfFile): Promise<string> {
  return digestOfJson(settings.generator === undefined ? await datasetContent(dataset, digestOfFile) : generatedContent(settings));
}
