import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resolvePaths } from '../../../operator/local/paths.ts';
import { experiment } from '../plan/experiments.ts';

const resolved = (spec: Record<string, unknown>) => resolvePaths(experiment(spec), '/home/me/cats').spec;

test('every path starts at the folder of the YAML file', () => {
  const spec = resolved({
    dataset: { folder: { path: 'voc' } },
    pseudoLabels: { source: 'External', external: { path: '../labels' } },
    model: { weights: 'r50.pth' },
    storage: { path: './out' },
  });
  assert.is(spec.dataset.folder?.path, '/home/me/cats/voc');
  assert.is(spec.pseudoLabels.external?.path, '/home/me/labels');
  assert.is(spec.model.weights, '/home/me/cats/r50.pth');
  assert.is(spec.storage.path, '/home/me/cats/out');
});

test('absolute paths stay, and ~ is the home folder', () => {
  const spec = resolved({ dataset: { folder: { path: '/data/voc' } }, storage: { path: '~/runs' } });
  assert.is(spec.dataset.folder?.path, '/data/voc');
  assert.is(spec.storage.path, join(homedir(), 'runs'));
});

test('names of sub-folders stay relative to the data set', () => {
  assert.is(resolved({ dataset: { folder: { path: 'voc' } } }).dataset.folder?.images, 'JPEGImages');
});

test('words for weights are no paths', () => {
  assert.is(resolved({ model: { weights: 'None' } }).model.weights, 'None');
  assert.is(resolved({ model: { backbone: 'efficientnet-lite0', weights: 'ImageNet' } }).model.weights, 'ImageNet');
});

test('artifacts go to runs beside the YAML file, unless said otherwise', () => assert.is(resolved({}).storage.path, '/home/me/cats/runs'));

test('what is resolved can be resolved again', () => {
  const once = resolvePaths(experiment({ dataset: { folder: { path: 'voc' } } }), '/home/me/cats');
  assert.equal(resolvePaths(once, '/elsewhere'), once);
});

test.run();
