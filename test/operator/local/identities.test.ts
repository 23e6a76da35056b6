import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Experiment } from '../../../operator/api/experiment.ts';
import { openDigestCache } from '../../../operator/local/digest-cache.ts';
import { resolveIdentities } from '../../../operator/local/identities.ts';
import { resolvePaths } from '../../../operator/local/paths.ts';
import { canonicalJson } from '../../../operator/plan/canonical-json.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { DIGEST } from '../api/manifests.ts';
import { experiment } from '../plan/experiments.ts';
import { withFolder } from './temporary-folder.ts';

/** A data set of which nothing is ever decoded: one image a split, and one in neither. */
function writeDataset(root: string): void {
  for (const folder of ['JPEGImages', 'Scribbles', 'SegmentationClass', 'ImageSets/Segmentation'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const id of ['a', 'b', 'd']) {
    writeFileSync(join(root, 'JPEGImages', `${id}.jpg`), `image ${id}`);
    writeFileSync(join(root, 'Scribbles', `${id}.png`), `scribble ${id}`);
    writeFileSync(join(root, 'SegmentationClass', `${id}.png`), `mask ${id}`);
  }
  writeFileSync(join(root, 'ImageSets/Segmentation/train.txt'), 'a\n');
  writeFileSync(join(root, 'ImageSets/Segmentation/val.txt'), 'b\n');
  writeFileSync(join(root, 'ImageSets/Segmentation/other.txt'), 'd\n');
  writeFileSync(join(root, 'labels.txt'), '0 background\n1 cat\n');
}

const identitiesOf = (made: Experiment, root: string, builtIn?: string) =>
  resolveIdentities(resolvePaths(made, root), openDigestCache(join(root, 'digests.json')), () => builtIn);
const folderExperiment = (dataset: Record<string, unknown> = {}) => experiment({ dataset: { folder: { path: 'voc' }, ...dataset } });
const dataOf = async (made: Experiment, root: string) => canonicalJson((await identitiesOf(made, root)).dataset);

const edits: [why: string, edit: (root: string) => void, changes: boolean][] = [
  ['an image', (root) => writeFileSync(join(root, 'JPEGImages/a.jpg'), 'other'), true],
  ['a scribble', (root) => writeFileSync(join(root, 'Scribbles/a.png'), 'other'), true],
  ['a mask', (root) => writeFileSync(join(root, 'SegmentationClass/b.png'), 'other'), true],
  ['a class name', (root) => writeFileSync(join(root, 'labels.txt'), '0 background\n1 dog\n'), true],
  ['the training list', (root) => writeFileSync(join(root, 'ImageSets/Segmentation/train.txt'), 'a\nd\n'), true],
  ['a scribble of no training image', (root) => rmSync(join(root, 'Scribbles/b.png')), true],
  ['an image that no list names', (root) => writeFileSync(join(root, 'JPEGImages/c.jpg'), 'new'), false],
  ['blank lines in a list', (root) => writeFileSync(join(root, 'ImageSets/Segmentation/train.txt'), '\na\n\n'), false],
];
for (const [why, edit, changes] of edits) {
  test(`${changes ? 'another data set' : 'the same data set'} after an edit of ${why}`, () =>
    withFolder(async (root) => {
      writeDataset(join(root, 'voc'));
      const before = await dataOf(folderExperiment(), root);
      edit(join(root, 'voc'));
      assert.is((await dataOf(folderExperiment(), root)) !== before, changes);
    }));
}

test('a data set is its content: moved and with other folder names it is the same', () =>
  withFolder(async (root) => {
    writeDataset(join(root, 'voc'));
    cpSync(join(root, 'voc'), join(root, 'copy'), { recursive: true });
    renameSync(join(root, 'copy/JPEGImages'), join(root, 'copy/photos'));
    const copy = experiment({ dataset: { folder: { path: 'copy', images: 'photos' } } });
    assert.is(await dataOf(copy, root), await dataOf(folderExperiment(), root));
  }));

test('a digest stands for the content, and the lists tell which part of it is used', () =>
  withFolder(async (root) => {
    writeDataset(join(root, 'voc'));
    const before = await dataOf(folderExperiment({ digest: DIGEST }), root);
    writeFileSync(join(root, 'voc/JPEGImages/a.jpg'), 'other');
    assert.is(await dataOf(folderExperiment({ digest: DIGEST }), root), before);
    const otherList = experiment({ dataset: { folder: { path: 'voc', trainSplit: 'ImageSets/Segmentation/other.txt' }, digest: DIGEST } });
    assert.is.not(await dataOf(otherList, root), before);
  }));

test('the generator is its settings and version', () =>
  withFolder(async (root) => {
    const made = await dataOf(experiment(), root);
    assert.match(made, '"train":240');
    assert.match(made, '"version":');
    assert.is.not(await dataOf(experiment({ dataset: { generator: { seed: 1 } } }), root), made);
  }));

test('weights are their content', () =>
  withFolder(async (root) => {
    writeFileSync(join(root, 'one.pth'), 'w');
    writeFileSync(join(root, 'two.pth'), 'w');
    writeFileSync(join(root, 'three.pth'), 'v');
    const weightsOf = async (model: Record<string, unknown>, builtIn?: string) =>
      (await identitiesOf(experiment({ model }), root, builtIn)).weights;
    assert.is(await weightsOf({ weights: 'one.pth' }), await weightsOf({ weights: 'two.pth' }));
    assert.is.not(await weightsOf({ weights: 'one.pth' }), await weightsOf({ weights: 'three.pth' }));
    assert.is(await weightsOf({}), 'none');
    const lite = { backbone: 'efficientnet-lite0' };
    const builtIn = join(root, 'one.pth');
    assert.is(await weightsOf(lite), 'none');
    assert.is(await weightsOf(lite, builtIn), await weightsOf({ weights: 'one.pth' }));
    assert.is(await weightsOf({ ...lite, weights: 'ImageNet' }, builtIn), await weightsOf(lite, builtIn));
    assert.is(await weightsOf({ ...lite, weights: 'None' }, builtIn), 'none');
    assert.is(await weightsOf({ backbone: 'resnet50' }, builtIn), 'none');
  }));

test('external labels are the content of those that belong to training images', () =>
  withFolder(async (root) => {
    writeDataset(join(root, 'voc'));
    mkdirSync(join(root, 'labels'));
    for (const id of ['a', 'b']) writeFileSync(join(root, 'labels', `${id}.png`), id);
    const made = experiment({ dataset: { folder: { path: 'voc' } }, pseudoLabels: { source: 'External', external: { path: 'labels' } } });
    const labelsOf = async () => (await identitiesOf(made, root)).externalLabels;
    const before = await labelsOf();
    writeFileSync(join(root, 'labels/b.png'), 'other');
    assert.is(await labelsOf(), before);
    writeFileSync(join(root, 'labels/a.png'), 'other');
    assert.is.not(await labelsOf(), before);
  }));

const missing: [why: string, spec: Record<string, unknown>, field: string][] = [
  ['a data set', { dataset: { folder: { path: 'nowhere' } } }, 'spec.dataset.folder.path'],
  ['weights', { model: { weights: 'nowhere.pth' } }, 'spec.model.weights'],
  ['external labels', { pseudoLabels: { source: 'External', external: { path: 'nowhere' } } }, 'spec.pseudoLabels.external.path'],
];
for (const [why, spec, field] of missing) {
  test(`what is not there is bad input that names file and field: ${why}`, () =>
    withFolder(async (root) => {
      const error: unknown = await identitiesOf(experiment(spec), root).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof BadInputError);
      assert.is(error.field, field);
      assert.match(error.file ?? '', 'nowhere');
    }));
}

test.run();
