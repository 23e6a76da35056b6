import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExperiment } from '../../../../operator/api/parse.ts';
import { buildLocalReproduction } from '../../../../operator/cli/reproduce/local-reproduction.ts';
import type { LocalRun } from '../../../../operator/cli/reproduce/local-reproduction.ts';
import { renderReproduction } from '../../../../operator/cli/reproduce/reproduction.ts';
import { BadInputError } from '../../../../trainer-image/errors.ts';
import { DIGEST } from '../../api/manifests.ts';
import { experiment } from '../../plan/experiments.ts';

const FOLDER = { dataset: { folder: { path: '/data/voc' } }, model: { weights: '/w.pth' } };
const TODAY = { dataset: { classes: ['a', 'b'], train: 'sha256:1', val: 'sha256:2' }, weights: 'sha256:3' };

function run(spec: Record<string, unknown> = FOLDER, weights = TODAY.weights): LocalRun {
  return {
    experiment: 'cats',
    spec: experiment(spec).spec,
    storage: '/home/me/runs',
    stages: [{ name: 'segment', key: 'b'.repeat(64) }],
    inputs: { dataset: TODAY.dataset, model: { backbone: 'resnet50', weights } },
    manifest: { trainer: '0.1.0', metrics: { classes: ['a', 'b'], iou: [0.9, null], meanIou: 0.9, pixelAccuracy: null } },
  };
}
const repeat = (...[of, today = TODAY, options]: Parameters<typeof buildLocalReproduction> | [LocalRun]) => {
  const yaml = renderReproduction(buildLocalReproduction(of, today, options));
  return { yaml, ...parseExperiment(yaml, 'repro.yaml') };
};

test('the data get a digest, the same for the same data', () => {
  const [first, second] = [repeat(run()), repeat(run())].map(({ spec }) => spec.dataset.digest);
  assert.match(first ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.is(first, second);
  const others = { ...TODAY, dataset: { ...TODAY.dataset, val: 'sha256:9' } };
  assert.is.not(repeat({ ...run(), inputs: { ...run().inputs, dataset: others.dataset } }, others).spec.dataset.digest, first);
});

test('a digest that is given is kept; generated scenes have none', () => {
  assert.is(repeat(run({ ...FOLDER, dataset: { ...FOLDER.dataset, digest: DIGEST } })).spec.dataset.digest, DIGEST);
  assert.is(repeat(run({ model: FOLDER.model })).spec.dataset.digest, undefined);
});

test('weights that depend on what is installed are written out', () => {
  const lite = { ...FOLDER, model: { backbone: 'efficientnet-lite0' } };
  assert.is(repeat(run(lite)).spec.model.weights, 'ImageNet');
  assert.is(repeat(run(lite, 'none'), { ...TODAY, weights: 'none' }).spec.model.weights, 'None');
  assert.is(repeat(run()).spec.model.weights, '/w.pth');
});

test('the artifacts go to a folder beside that of the run, or to the same if asked for', () => {
  assert.is(repeat(run()).spec.storage.path, '/home/me/runs-cats-repro');
  const same = repeat(run(), TODAY, { sameStorage: true, name: 'again' });
  assert.equal([same.spec.storage.path, same.metadata.name], ['/home/me/runs', 'again']);
  assert.match(same.yaml, '# It shares the folder of that run');
});

test('the header names the run, the trainer, the weights, keys and results', () => {
  const { yaml } = repeat(run());
  for (const line of [
    '# Repeats the run of the CDSPExperiment cats whose artifacts are in /home/me/runs.',
    '# Trainer: version 0.1.0; another one has other stage keys, and may have other results.',
    '# Weights of the backbone: sha256:3.',
    `#   segment ${'b'.repeat(64)}`,
    '#   mIoU 0.9000',
    '#   IoU 0.9000 a',
  ]) {
    assert.ok(yaml.split('\n').includes(line), line);
  }
  assert.not.match(yaml, 'pixel accuracy');
});

test('a run without scores says so', () => {
  const { yaml } = repeat({ ...run(), manifest: { trainer: '0.1.0', metrics: {} } });
  assert.match(yaml, '# It has no results to compare with.');
});

const changes: [why: string, today: typeof TODAY, field: string, message: string][] = [
  [
    'the data',
    { ...TODAY, dataset: { ...TODAY.dataset, train: 'sha256:0' } },
    'spec.dataset',
    'the data are not those of the run any more',
  ],
  ['the weights', { ...TODAY, weights: 'sha256:0' }, 'spec.model.weights', 'weights are not those of the run any more'],
];
for (const [why, today, field, message] of changes) {
  test(`refused where others lie there now: ${why}`, () =>
    assert.throws(
      () => repeat(run(), today),
      (error: unknown) => error instanceof BadInputError && error.field === field && error.message.includes(message),
    ));
}

test.run();
