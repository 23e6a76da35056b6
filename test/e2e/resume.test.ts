import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../operator/api/experiment.ts';
import { Manifest } from '../../operator/api/stage-contract.ts';
import { createRandom } from '../../trainer-image/data/random.ts';
import { runStage, type SpecInput, type StageEnd, type StageRun } from './stage-process.ts';

// Interrupted at random moments, each stage ends with the same bytes as a run that was left alone. The moments are drawn from a
// seed and triggered by the stage's own progress.
const SEED = Number(process.env.RESUME_SEED ?? 1);
const IMAGES = { train: 12, val: 8 };
const TRAINING = { epochs: 2, batchSize: 3, cropSize: 64, warmupEpochs: 0.5, checkpointEvery: 3 };
const STEPS = TRAINING.epochs * (IMAGES.train / TRAINING.batchSize);

const spec = (segmentor: 'deeplabv2' | 'deeplabv3plus'): SpecInput => ({
  seed: 7,
  dataset: { generator: { ...IMAGES, size: 64, maxObjects: 2 } },
  model: { backbone: 'efficientnet-lite0', weights: 'None', segmentor },
  classify: TRAINING,
  segment: TRAINING,
  pseudoLabels: { scales: [1], refinement: { iterations: 3 } },
  // Slow enough to be interrupted.
  evaluation: { scales: [1, 2, 3], flips: true },
});

const root = mkdtempSync(join(tmpdir(), 'cdsp-resume-'));
test.after(() => rmSync(root, { recursive: true, force: true }));
const folder = (stage: string, run: string) => join(root, 'stages', stage, run);

/** Everything a stage wrote that must not depend on how often it was interrupted, by path. */
function bytesOf(output: string): Map<string, string> {
  const files = readdirSync(output, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => relative(output, join(entry.parentPath, entry.name))).sort();
  return new Map(
    paths.map((path) => {
      const bytes = readFileSync(join(output, path));
      if (path !== 'manifest.json') return [path, bytes.toString('base64')];
      const { files, metrics } = Manifest.parse(JSON.parse(bytes.toString()));
      // Times are what differs between runs.
      return [path, JSON.stringify({ files, metrics: { ...metrics, dataWaitShare: 0, secondsPerImage: 0 } })];
    }),
  );
}

function assertSameBytes(actual: string, expected: string): void {
  const [a, b] = [bytesOf(actual), bytesOf(expected)];
  assert.equal([...a.keys()], [...b.keys()], 'the same files');
  for (const [path, bytes] of b) assert.ok(a.get(path) === bytes, `${path} differs from that of the uninterrupted run`);
}

interface Interrupted {
  readonly name: string;
  readonly stage: StageName;
  readonly segmentor: 'deeplabv2' | 'deeplabv3plus';
  readonly upstream: StageRun['upstream'];
  /** What its progress counts up to. */
  readonly total: number;
}

const UNTOUCHED = 'untouched';
const cases: Interrupted[] = [
  { name: 'classify', stage: 'classify', segmentor: 'deeplabv2', upstream: {}, total: STEPS },
  {
    name: 'pseudo-label',
    stage: 'pseudo-label',
    segmentor: 'deeplabv2',
    upstream: { classify: folder('classify', UNTOUCHED) },
    total: 2 * IMAGES.train,
  },
  ...(['deeplabv2', 'deeplabv3plus'] as const).map((segmentor) => ({
    name: `segment ${segmentor}`,
    stage: 'segment' as const,
    segmentor,
    upstream: { pseudoLabel: folder('pseudo-label', UNTOUCHED) },
    total: STEPS,
  })),
  {
    name: 'evaluate',
    stage: 'evaluate',
    segmentor: 'deeplabv3plus',
    upstream: { segment: folder('segment deeplabv3plus', UNTOUCHED) },
    total: IMAGES.val,
  },
];

for (const { name, stage, segmentor, upstream, total } of cases) {
  const run = (output: string, stopAt?: StageRun['stopAt']) => runStage({ stage, spec: spec(segmentor), upstream, output, stopAt });
  const random = createRandom('resume', SEED, name);
  /** In the first half: progress is reported now and then only, and a signal sent after the last report comes too late. */
  const moment = () => 1 + Math.floor((random() * total) / 2);
  const untouched = folder(name, UNTOUCHED);

  test(`${name} runs to its end`, async () => {
    const end = await run(untouched);
    assert.is(end.code, 0, JSON.stringify(end.events.at(-1)) + end.stderr);
    assert.not(existsSync(join(untouched, 'checkpoint')), 'a complete stage keeps no checkpoint');
  });

  test(`${name}: killed, asked to stop and killed again at random moments, it ends with the same bytes`, async () => {
    const output = folder(name, 'interrupted');
    let interruptions = 0;
    let done = 0;
    /** Images that a stage without checkpoints of its own reported as done are not done again. */
    const assertGoesOn = (end: StageEnd) => {
      if (stage !== 'pseudo-label' && stage !== 'evaluate') return;
      const steps = end.events.flatMap((event) => (event.type === 'progress' ? [event.done] : []));
      assert.ok((steps[0] ?? total) > done || done === total, `goes on after ${done}, but reports ${steps.join(', ')}`);
      done = steps.at(-1) ?? done;
    };
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      const stopAt = { done: moment(), signal };
      const end = await run(output, stopAt);
      assertGoesOn(end);
      const last = end.events.at(-1);
      const what = `${signal} at ${stopAt.done}: ${JSON.stringify(last)}`;
      // Stopped after its very last step, a training has nothing left to do that could be interrupted.
      if (end.code === 0 && interruptions >= 2) break;
      assert.not(existsSync(join(output, 'manifest.json')), `${what}: not complete`);
      interruptions++;
      if (signal === 'SIGKILL') {
        assert.is(end.signal, signal, what);
        continue;
      }
      assert.is(end.code, 75, what);
      assert.match(last?.type === 'log' ? last.message : '', /^stopped /);
    }
    const end = await run(output);
    assert.is(end.code, 0, JSON.stringify(end.events.at(-1)) + end.stderr);
    assertGoesOn(end);
    assertSameBytes(output, untouched);
  });
}

test('segment deeplabv2: killed at its last step, it ends with the same bytes', async () => {
  const run = (stopAt?: StageRun['stopAt']) =>
    runStage({
      stage: 'segment',
      spec: spec('deeplabv2'),
      upstream: { pseudoLabel: folder('pseudo-label', UNTOUCHED) },
      output: folder('segment deeplabv2', 'late'),
      stopAt,
    });
  assert.is((await run({ done: STEPS, signal: 'SIGKILL' })).signal, 'SIGKILL');
  assert.is((await run()).code, 0);
  assertSameBytes(folder('segment deeplabv2', 'late'), folder('segment deeplabv2', UNTOUCHED));
});

test.run();
