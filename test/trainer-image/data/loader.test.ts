import { rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { IMAGENET_NORMALISATION } from '../../../trainer-image/data/augment.ts';
import { openDataset } from '../../../trainer-image/data/dataset.ts';
import { degradeScribble } from '../../../trainer-image/data/degrade.ts';
import { classDistanceMap, scribbleDistanceMap } from '../../../trainer-image/data/distance-maps.ts';
import { readImage } from '../../../trainer-image/data/images.ts';
import { readIndexPng } from '../../../trainer-image/data/index-png.ts';
import { countSteps, createTrainingLoader } from '../../../trainer-image/data/loader.ts';
import type { TrainingBatch, TrainingLoaderOptions } from '../../../trainer-image/data/loader.ts';
import type { Sample } from '../../../trainer-image/data/types.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { createTestFolder, fillFolder } from './folders.ts';
import type { TestFolder } from './folders.ts';

const test = suite<{ folder: TestFolder; samples: readonly Sample[] }>('training loader');

const IMAGES = 11;
test.before(async (context) => {
  context.folder = await createTestFolder();
  await fillFolder(context.folder, IMAGES, 1);
  context.samples = (await openDataset(context.folder.settings)).train;
});
test.after(({ folder }) => folder.remove());

const optionsOf = (folder: TestFolder, samples: readonly Sample[]): TrainingLoaderOptions => ({
  samples,
  classes: ['background', 'cat', 'dog'],
  fields: {
    scribble: true,
    pseudoLabels: join(folder.path, 'SegmentationClass'),
    scribbleDistance: 1,
    classDistance: 2,
    imageLabels: true,
  },
  batchSize: 4,
  cropSize: 20,
  augmentation: { scaleMin: 0.5, scaleMax: 2, flip: true },
  normalisation: IMAGENET_NORMALISATION,
  seed: 5,
  epochs: 3,
  workers: 1,
});
const WHOLE = { scaleMin: 1, scaleMax: 1, flip: false };

async function takeAll(options: TrainingLoaderOptions): Promise<TrainingBatch[]> {
  const loader = createTrainingLoader(options);
  const batches: TrainingBatch[] = [];
  try {
    for (let batch = await loader.next(); batch !== undefined; batch = await loader.next()) batches.push(batch);
  } finally {
    await loader.close();
  }
  return batches;
}

function fingerprint(batch: TrainingBatch): string {
  const { step, epoch, ids, images, scribble, pseudoLabel, scribbleDistance, classDistance, imageLabels } = batch;
  const hash = createHash('sha256').update(JSON.stringify({ step, epoch, ids }));
  for (const array of [images, scribble, pseudoLabel, scribbleDistance, classDistance, imageLabels]) {
    hash.update(array === undefined ? '-' : new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
}

test('batches depend on seed and step alone: not on threads, prefetching, or what fits in memory', async ({ folder, samples }) => {
  const options = optionsOf(folder, samples);
  const expected = (await takeAll({ ...options, workers: 1 })).map(fingerprint);
  assert.is(expected.length, 6);
  assert.is(new Set(expected).size, 6);
  for (const variation of [
    { workers: 3, prefetch: 9 },
    { workers: 2, cacheBytes: 0 },
    { cacheBytes: 5000, prefetch: 1 },
  ]) {
    assert.equal((await takeAll({ ...options, ...variation })).map(fingerprint), expected, JSON.stringify(variation));
  }
  assert.not.equal((await takeAll({ ...options, seed: 6 })).map(fingerprint), expected);
});

test('resuming at any step gives exactly the remaining batches', async ({ folder, samples }) => {
  const options = optionsOf(folder, samples);
  const expected = (await takeAll(options)).map(fingerprint);
  for (const startStep of [1, 5, 6]) {
    assert.equal((await takeAll({ ...options, startStep })).map(fingerprint), expected.slice(startStep));
  }
});

test('an epoch visits each image at most once, in an order of its own; the incomplete batch is dropped', async ({ folder, samples }) => {
  const batches = await takeAll({ ...optionsOf(folder, samples), fields: {} });
  const epochs = [0, 1, 2].map((epoch) => batches.filter((batch) => batch.epoch === epoch).flatMap((batch) => batch.ids));
  for (const ids of epochs) {
    assert.is(ids.length, 8);
    assert.is(new Set(ids).size, 8);
  }
  assert.not.equal(epochs[0], epochs[1]);
  assert.equal(
    batches.map((batch) => batch.step),
    [0, 1, 2, 3, 4, 5],
  );
});

test('a split smaller than a batch fills it by starting over', async ({ folder, samples }) => {
  const [batch] = await takeAll({ ...optionsOf(folder, samples.slice(0, 3)), batchSize: 7, epochs: 1 });
  const count = (id: string) => batch.ids.filter((other) => other === id).length;
  assert.equal(['t0', 't1', 't2'].map(count).sort(), [2, 2, 3]);
  assert.is(batch.images.length, 7 * 20 * 20 * 3);
});

test('steps of an epoch are counted without the incomplete batch', () => {
  assert.equal(
    [
      [11, 4],
      [12, 4],
      [3, 4],
      [1, 16],
    ].map(([images, batch]) => countSteps(images, batch)),
    [2, 3, 1, 1],
  );
});

test('a batch holds what is asked for, in its shapes, and nothing else', async ({ folder, samples }) => {
  const [all] = await takeAll(optionsOf(folder, samples));
  const pixels = 4 * 20 * 20;
  assert.is(all.images.length, pixels * 3);
  for (const map of [all.scribble, all.pseudoLabel, all.scribbleDistance, all.classDistance]) assert.is(map?.length, pixels);
  assert.is(all.imageLabels?.length, 4 * 2);
  const [labelsOnly] = await takeAll({ ...optionsOf(folder, samples), fields: { imageLabels: true } });
  assert.equal(Object.keys(labelsOnly).sort(), ['epoch', 'ids', 'imageLabels', 'images', 'step']);
});

test('a crop of the whole image holds the image, its labels and the distance maps of the degraded scribble', async ({
  folder,
  samples,
}) => {
  const degradation = { shrink: 0.5, drop: 0.3, seed: 9 };
  const options = { ...optionsOf(folder, samples), augmentation: WHOLE, cropSize: 24, degradation, batchSize: IMAGES };
  const [batch] = await takeAll(options);
  for (const [position, id] of batch.ids.entries()) {
    const sample = samples.find((candidate) => candidate.id === id) as Sample;
    const scribble = degradeScribble(await readIndexPng(sample.scribble as string), degradation, degradation.seed, id);
    const pseudoLabel = await readIndexPng(sample.mask as string);
    // 24 × 16 pixels in a crop of 24 × 24: the image lies whole, somewhere between the upper and the lower edge.
    const start = position * 24 * 24;
    const top = (batch.pseudoLabel as Uint8Array).subarray(start, start + 24 * 24).findIndex((label) => label !== 255) / 24;
    const rows = (map: Uint8Array | undefined) => [...(map as Uint8Array).subarray(start + top * 24, start + (top + 16) * 24)];
    assert.equal(rows(batch.scribble), [...scribble.data], id);
    assert.equal(rows(batch.pseudoLabel), [...pseudoLabel.data], id);
    assert.equal(rows(batch.scribbleDistance), [...scribbleDistanceMap(scribble, 1).data], id);
    assert.equal(rows(batch.classDistance), [...classDistanceMap(pseudoLabel, 2).data], id);
    const image = batch.images.subarray(3 * (start + top * 24), 3 * (start + (top + 16) * 24));
    const { mean, deviation } = IMAGENET_NORMALISATION;
    (await readImage(sample.image)).data.forEach((value, i) =>
      assert.ok(Math.abs((value - mean[i % 3]) / deviation[i % 3] - image[i]) < 1e-5),
    );
    const labels = [1, 2].map((k) => (scribble.data.includes(k) ? 1 : 0));
    assert.equal([...(batch.imageLabels as Float32Array).subarray(2 * position, 2 * position + 2)], labels, id);
  }
});

test('image-level labels are those of the whole image, not of the crop', async ({ folder, samples }) => {
  const options = { ...optionsOf(folder, samples), cropSize: 2, augmentation: WHOLE, batchSize: IMAGES };
  const [batch] = await takeAll(options);
  const labels = batch.imageLabels as Float32Array;
  batch.ids.forEach((id, i) => assert.equal([...labels.subarray(2 * i, 2 * i + 2)], Number(id.slice(1)) % 2 === 0 ? [1, 0] : [0, 1]));
});

test('a bad file is reported at its step, naming it; the steps before are delivered', async ({ folder, samples }) => {
  const options = { ...optionsOf(folder, samples), fields: { scribble: true }, batchSize: 1, epochs: 1 };
  const order = (await takeAll(options)).map((batch) => batch.ids[0]);
  const broken = samples.map((sample) =>
    sample.id === order[4] ? { ...sample, scribble: join(folder.path, 'Scribbles/gone.png') } : sample,
  );
  const loader = createTrainingLoader({ ...options, samples: broken });
  const seen: string[] = [];
  let error: unknown;
  try {
    for (let batch = await loader.next(); batch !== undefined; batch = await loader.next()) seen.push(batch.ids[0]);
  } catch (caught) {
    error = caught;
  } finally {
    await loader.close();
  }
  assert.equal(seen, order.slice(0, 4));
  assert.instance(error, BadInputError);
  assert.is((error as BadInputError).file, join(folder.path, 'Scribbles/gone.png'));
});

const badFiles: [string, string, (folder: TestFolder) => Promise<unknown>, RegExp][] = [
  ['a missing pseudo-label', 'labels/t0.png', (folder) => rm(join(folder.path, 'labels/t0.png')), /does not exist/],
  [
    'a pseudo-label of another size',
    'labels/t0.png',
    (folder) => folder.writeLabels('labels/t0.png', 24, 15, [0]),
    /24×15 pixels, its image 24×16/,
  ],
  ['a pseudo-label with an unknown class', 'labels/t0.png', (folder) => folder.writeLabels('labels/t0.png', 24, 16, [0, 9]), /class 9/],
];
for (const [name, file, damage, message] of badFiles) {
  test(`${name} reaches next() as bad input`, async ({ folder, samples }) => {
    await folder.writeLabels('labels/t0.png', 24, 16, [0, 1]);
    await damage(folder);
    const fields = { pseudoLabels: join(folder.path, 'labels') };
    const options = { ...optionsOf(folder, samples.slice(0, 1)), fields, batchSize: 1, epochs: 1 };
    const error: unknown = await takeAll(options).catch((caught: unknown) => caught);
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).file, join(folder.path, file));
    assert.match((error as BadInputError).message, message);
  });
}

test('closing in the middle ends the threads; asking afterwards is an error', async ({ folder, samples }) => {
  const loader = createTrainingLoader({ ...optionsOf(folder, samples), epochs: 100 });
  assert.is((await loader.next())?.step, 0);
  assert.is(loader.stepsPerEpoch, 2);
  assert.is(loader.totalSteps, 200);
  assert.ok(loader.waitedSeconds > 0);
  await loader.close();
  await loader.close();
  // What was ready before may still be taken; then it ends.
  const failure = async () => {
    for (let i = 0; i < 10; i++) await loader.next();
  };
  assert.match(((await failure().catch((error: unknown) => error)) as Error).message, /closed/);
});

test.run();
