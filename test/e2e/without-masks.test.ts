// Someone with images and scribbles, and nothing else: init, run, report, with the real trainer.
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { runCli } from '../operator/cli/cli-process.ts';
import { createTestFolder, fillFolder } from '../trainer-image/data/folders.ts';

const folder = await createTestFolder();
test.before(async () => {
  await fillFolder(folder, 4, 0);
  for (const name of ['SegmentationClass', 'ImageSets']) await rm(join(folder.path, name), { recursive: true });
});
test.after(() => folder.remove());
const cdsp = (...args: string[]) => runCli(args, { cwd: folder.path });
const experiment = join(folder.path, 'cdsp.yaml');

test('init asks for neither masks nor lists, and says what goes without them', async () => {
  const { code, stdout } = await cdsp('init', '.');
  assert.is(code, 0, stdout);
  assert.match(stdout, /masks +not found\n/);
  assert.match(stdout, /\nWrote cdsp\.yaml: 4 training images, /);
  assert.match(stdout, /\nNo masks: the run trains and predicts, but nothing is scored\./);
  assert.match((await cdsp('validate', 'cdsp.yaml')).stdout, /4 training and 0 validation images \(nothing will be scored: no masks\)/);
});

test('run trains every stage and says in one sentence why there are no numbers', async () => {
  const short = readFileSync(experiment, 'utf8').replaceAll(/(epochs|warmupEpochs|iterations): \d+/gi, '$1: 1');
  // From scratch, so that the test needs no weights; then there are no statistics to freeze.
  const unfrozen = short.replaceAll('freezeBatchNorm: true', 'freezeBatchNorm: false').replace('  model:', '  model:\n    weights: None');
  writeFileSync(experiment, unfrozen.replaceAll(/cropSize: \d+/g, 'cropSize: 32'));
  const { code, stdout, stderr } = await cdsp('run', 'cdsp.yaml');
  assert.is(code, 0, stderr);
  for (const stage of ['classify', 'pseudo-label', 'segment', 'evaluate']) assert.match(stderr, `${stage}: complete`);
  assert.match(stdout, /^\nNothing was scored: the data set has no validation split\.\n\nstage +time\n/);
  assert.not.match(stdout, /NaN|mIoU/);
  assert.is(stderr.split('spec.segment.validateEvery has no effect').length, 2, 'said once');
  const [evaluation] = globSync(`runs/stages/evaluate/*/${ARTIFACTS.evaluate.evaluation}`, { cwd: folder.path });
  assert.equal(JSON.parse(readFileSync(join(folder.path, evaluation), 'utf8')), {
    classes: ['background', 'cat', 'dog'],
    confusion: null,
    iou: null,
    meanIou: null,
    pixelAccuracy: null,
    images: 0,
  });
  assert.equal(globSync('runs/stages/*/*/validation.jsonl', { cwd: folder.path }), []);
});

test('the report says so, too, and draws no empty chart', () => {
  const [page] = globSync('runs/reports/*.html', { cwd: folder.path });
  const report = readFileSync(join(folder.path, page), 'utf8');
  assert.match(report, 'Nothing was scored: the data set has no validation split.');
  for (const id of ['class-iou', 'confusion', 'mean-iou', 'classify-precision', 'quality']) assert.not.match(report, `id="chart-${id}"`);
  for (const id of ['segment-loss', 'classify-loss', 'threshold']) assert.match(report, `id="chart-${id}"`);
  assert.not.match(report, 'Not everything could be read');
  assert.ok(!existsSync(join(folder.path, 'ImageSets')), 'nothing is written into the data');
});

test.run();
