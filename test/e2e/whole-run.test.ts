// What a newcomer does, with the real trainer on tiny scenes: run, look at the report, run again, edit, plan, predict.
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../operator/cli/cli-process.ts';

const root = mkdtempSync(join(tmpdir(), 'cdsp-whole-run-'));
test.after(() => rmSync(root, { recursive: true, force: true }));

const training = 'epochs: 1, batchSize: 3, cropSize: 48, warmupEpochs: 0';
const experiment = (lambda: number) => `apiVersion: cdsp.dev/v1alpha1
kind: CDSPExperiment
metadata:
  name: tiny
spec:
  dataset:
    generator: { train: 6, val: 3, size: 48 }
  model: { backbone: efficientnet-lite0, weights: None }
  classify: { ${training} }
  segment: { ${training}, maxGradientNorm: 1 }
  pseudoLabels: { scales: [1], flips: false, refinement: { iterations: 2 } }
  losses: { classDistance: { lambda: ${lambda} } }
`;
const cdsp = (...args: string[]) => runCli(args, { cwd: root });

let report = '';
test('a run goes through all stages and prints a table of IoU and where everything is', async () => {
  writeFileSync(join(root, 'tiny.yaml'), experiment(6));
  const { code, stdout, stderr } = await cdsp('run', 'tiny.yaml');
  assert.is(code, 0, stderr);
  for (const stage of ['classify', 'pseudo-label', 'segment', 'evaluate']) assert.match(stderr, `${stage}: complete, `);
  assert.match(stdout, /^\nclass +IoU %\n/);
  for (const name of ['background', 'cat', 'dog', 'bird', 'car', 'flower', 'mIoU']) {
    assert.match(stdout, new RegExp(`^${name} +(\\d+\\.\\d|-)`, 'm'));
  }
  assert.match(stdout, /\nreport {3}runs\/reports\/tiny\.html\n/);
  report = readFileSync(join(root, 'runs/reports/tiny.html'), 'utf8');
});

const charts = [
  'class-iou',
  'confusion',
  'segment-loss',
  'mean-iou',
  'segment-rate',
  'segment-gradient',
  'classify-loss',
  'classify-rate',
  'threshold',
  'quality',
  'stage-times',
];
test('the report has every chart', () => {
  for (const id of charts) assert.match(report, `id="chart-${id}"`);
});

test('where gradients are scaled down, the history holds the norm of each', () => {
  const historyOf = (stage: string) => {
    const [file] = globSync(`runs/stages/${stage}/*/history.jsonl`, { cwd: root });
    const lines = readFileSync(join(root, file), 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as { gradientNorm?: number });
  };
  const norms = historyOf('segment').map(({ gradientNorm }) => gradientNorm);
  assert.is(norms.length, 2);
  for (const norm of norms) assert.ok(norm !== undefined && norm > 0 && Number.isFinite(norm), `a norm of ${norm}`);
  for (const line of historyOf('classify')) assert.not.ok('gradientNorm' in line);
});

test('the report names every term of the loss', () => {
  const summary = /Loss over 2 steps; at the end: [^"]*/.exec(report)?.[0] ?? '';
  for (const term of ['Scribble ', 'Pseudo-label ', 'Scribble distance ', 'Class distance ', 'LoRM ']) assert.match(summary, term);
});

test('the report shows image, scribbles, activation, pseudo-label, both distance maps for several λ, prediction and truth', () => {
  const titles = new Set([...report.matchAll(/<figcaption>([^<]*)<\/figcaption>/g)].map(([, title]) => title));
  for (const title of ['Image', 'Scribbles', 'Activation (CAM)', 'Pseudo-label', 'Prediction', 'Truth'])
    assert.ok(titles.has(title), title);
  for (const lambda of [4, 5, 6, 7, 8]) assert.ok(titles.has(`λc = ${lambda}`), `λc = ${lambda}`);
  for (const lambda of ['−1', 0, 1, 2, 3]) assert.ok(titles.has(`λs = ${lambda}`), `λs = ${lambda}`);
  assert.not.match(report, 'Not everything could be read');
});

test('nothing runs twice, and an edit runs what it affects', async () => {
  assert.match((await cdsp('plan', 'tiny.yaml')).stdout, /Nothing to do: every stage is complete\.\n$/);
  writeFileSync(join(root, 'tiny.yaml'), experiment(7));
  const { stdout } = await cdsp('plan', 'tiny.yaml');
  assert.match(stdout, /losses\.classDistance\.lambda 6 → 7\n[^]*Would run: segment, evaluate\.\n$/);
});

test('the trained model predicts', async () => {
  const [model] = globSync('runs/stages/segment/*', { cwd: root });
  const [images] = globSync('runs/data/*/JPEGImages', { cwd: root });
  const { code, stdout, stderr } = await cdsp('predict', model, images, '--output', 'predictions', '--overlay');
  assert.is(code, 0, stderr);
  assert.is(stdout, '9 predictions in predictions\n');
  assert.is(globSync('predictions/*-overlay.png', { cwd: root }).length, 9);
});

test.run();
