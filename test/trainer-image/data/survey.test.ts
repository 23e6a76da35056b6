import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataset } from '../../../trainer-image/data/dataset.ts';
import { surveyScribbles } from '../../../trainer-image/data/survey.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { createTestFolder, fillFolder } from './folders.ts';
import type { TestFolder } from './folders.ts';

const test = suite<{ folder: TestFolder }>('scribble survey');

test.before.each(async (context) => {
  context.folder = await createTestFolder();
  await fillFolder(context.folder, 3, 1);
});
test.after.each(({ folder }) => folder.remove());

test('scribbled pixels and image-level labels of the training split are found', async ({ folder }) => {
  const survey = await surveyScribbles(await openDataset(folder.settings));
  assert.is(survey.annotatedShare, (16 * 11) / (16 * 24));
  assert.equal([...(survey.imageLabels.get('t0') ?? [])], [1, 0]);
  assert.equal([...(survey.imageLabels.get('t1') ?? [])], [0, 1]);
  assert.equal(survey.unannotated, []);
});

test('an image without annotation is allowed and reported', async ({ folder }) => {
  await folder.writeLabels('Scribbles/t2.png', 24, 16, []);
  const survey = await surveyScribbles(await openDataset(folder.settings));
  assert.equal(survey.unannotated, ['t2']);
  assert.equal([...(survey.imageLabels.get('t2') ?? [])], [0, 0]);
});

test('dropped strokes are no more counted, and classes that are lost with them are no error', async ({ folder }) => {
  const survey = await surveyScribbles(await openDataset(folder.settings), { degradation: { shrink: 0, drop: 1, seed: 0 } });
  assert.is(survey.annotatedShare, 0);
  assert.equal(survey.unannotated, ['t0', 't1', 't2']);
});

/** Enough for worker threads. */
const MANY = 600;

test('many images are read by worker threads, with the same outcome, in the order of the split', async ({ folder }) => {
  await folder.writeLabels('Scribbles/t2.png', 24, 16, []);
  const dataset = await openDataset(folder.settings);
  const few = await surveyScribbles(dataset);
  const train = Array.from({ length: MANY }, (_, index) => ({ ...dataset.train[index % 3], id: `${index}` }));
  const reports: number[] = [];
  const many = await surveyScribbles({ ...dataset, train }, { onImage: (done, total) => reports.push(done, total) });
  assert.is(many.annotatedShare, few.annotatedShare);
  assert.equal([...many.imageLabels.keys()], [...train.keys()].map(String));
  for (const [index, { id }] of train.entries()) assert.equal(many.imageLabels.get(id), few.imageLabels.get(`t${index % 3}`));
  assert.is(many.unannotated.length, MANY / 3);
  assert.equal([reports.slice(0, 4), reports.length], [[1, MANY, 2, MANY], 2 * MANY]);
});

test('of several bad files the first is named, also by worker threads, and what the caller throws ends the survey', async ({ folder }) => {
  const dataset = await openDataset(folder.settings);
  const train = Array.from({ length: MANY }, (_, index) => ({ ...dataset.train[index % 3], id: `${index}` }));
  const stop = new Error('stopped');
  const survey = (done: number) =>
    surveyScribbles(
      { ...dataset, train },
      {
        onImage: (now) => {
          if (now === done) throw stop;
        },
      },
    ).catch((caught: unknown) => caught);
  assert.is(await survey(5), stop);
  for (const name of ['t1', 't2']) await folder.write(`Scribbles/${name}.png`, 'oops');
  const error = await survey(0);
  assert.instance(error, BadInputError);
  assert.is((error as BadInputError).file, join(folder.path, 'Scribbles/t1.png'));
  assert.match((error as BadInputError).message, /; 399 more files cannot be used:\n(- .*t[12]\.png: .*\n){5}- and 394 more$/);
});

type Refusal = [why: string, damage: (folder: TestFolder) => Promise<unknown>, file: string | undefined, message: RegExp];
const refusals: Refusal[] = [
  [
    'a class without a single image',
    (folder) => folder.write('ImageSets/train.txt', 't0\nt2\n'),
    undefined,
    /no training image has a scribble of "dog"/,
  ],
  [
    'a class index beyond the list',
    (folder) => folder.writeLabels('Scribbles/t1.png', 24, 16, [0, 3, 3]),
    'Scribbles/t1.png',
    /2 pixels of class 3, but there are 3 classes/,
  ],
  [
    'a scribble of another size',
    (folder) => folder.writeLabels('Scribbles/t1.png', 23, 16, [0]),
    'Scribbles/t1.png',
    /is 23×16 pixels, its image 24×16$/,
  ],
  ['a scribble turned by 90°', (folder) => folder.writeLabels('Scribbles/t1.png', 16, 24, [0]), 'Scribbles/t1.png', /EXIF orientation\?$/],
  ['a damaged scribble', (folder) => folder.write('Scribbles/t0.png', 'oops'), 'Scribbles/t0.png', /not a readable PNG/],
  ['a damaged image', (folder) => folder.write('JPEGImages/t0.png', 'oops'), 'JPEGImages/t0.png', /not a readable image/],
];
for (const [why, damage, file, message] of refusals) {
  test(`${why}: refused`, async ({ folder }) => {
    await damage(folder);
    const dataset = await openDataset(folder.settings);
    const error: unknown = await surveyScribbles(dataset).catch((caught: unknown) => caught);
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).file, file === undefined ? undefined : join(folder.path, file));
    assert.match((error as BadInputError).message, message);
  });
}

/** Bad files that a training would meet in its middle. */
const laterFaults: [why: string, damage: (folder: TestFolder) => Promise<unknown>, file: string, message: RegExp][] = [
  [
    'a validation mask with an unknown class',
    (f) => f.writeLabels('SegmentationClass/v0.png', 24, 16, [7]),
    'SegmentationClass/v0.png',
    /class 7/,
  ],
  ['a validation mask of another size', (f) => f.writeLabels('SegmentationClass/v0.png', 20, 16, [1]), 'SegmentationClass/v0.png', /20×16/],
  ['a validation mask in colours', (f) => f.writeImage('SegmentationClass/v0.png', 24, 16), 'SegmentationClass/v0.png', /colour channels/],
  [
    'a training mask with an unknown class',
    (f) => f.writeLabels('SegmentationClass/t1.png', 24, 16, [7]),
    'SegmentationClass/t1.png',
    /class 7/,
  ],
  ['a validation image that ends early', (f) => cutShort(f, 'JPEGImages/v0.png'), 'JPEGImages/v0.png', /damaged or incomplete/],
  ['a training image that ends early', (f) => cutShort(f, 'JPEGImages/t2.png'), 'JPEGImages/t2.png', /damaged or incomplete/],
];
const cutShort = async (folder: TestFolder, name: string) => {
  const bytes = await readFile(join(folder.path, name));
  await folder.write(name, bytes.subarray(0, Math.floor(0.7 * bytes.length)));
};
for (const [why, damage, file, message] of laterFaults) {
  test(`${why}: refused where every file is looked at`, async ({ folder }) => {
    await damage(folder);
    const dataset = await openDataset(folder.settings);
    assert.equal((await surveyScribbles(dataset)).unannotated, [], 'else nobody looks');
    const error: unknown = await surveyScribbles(dataset, { everyFile: true }).catch((caught: unknown) => caught);
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).file, join(folder.path, file));
    assert.match((error as BadInputError).message, message);
  });
}

test('every bad file of both splits is told at once', async ({ folder }) => {
  await folder.write('JPEGImages/t0.png', 'oops');
  await folder.writeLabels('SegmentationClass/t1.png', 24, 16, [7]);
  await folder.writeLabels('Scribbles/t1.png', 23, 16, [0]);
  await folder.writeLabels('SegmentationClass/v0.png', 24, 16, [9]);
  const dataset = await openDataset(folder.settings);
  const error: unknown = await surveyScribbles(dataset, { everyFile: true }).catch((caught: unknown) => caught);
  const { file, message } = error as BadInputError;
  assert.is(file, join(folder.path, 'JPEGImages/t0.png'));
  const [first, ...others] = message.split('\n');
  assert.match(first, /not a readable image.*; 3 more files cannot be used:$/);
  assert.equal(
    others.map((line) => /^- .*\/(\w+\/\w+\.png): /.exec(line)?.[1]),
    ['SegmentationClass/t1.png', 'Scribbles/t1.png', 'SegmentationClass/v0.png'],
  );
});

test('an image that disappears after opening is named', async ({ folder }) => {
  const dataset = await openDataset(folder.settings);
  await rm(join(folder.path, 'JPEGImages/t0.png'));
  const error: unknown = await surveyScribbles(dataset).catch((caught: unknown) => caught);
  assert.instance(error, BadInputError);
  assert.is((error as BadInputError).file, join(folder.path, 'JPEGImages/t0.png'));
});

test.run();
