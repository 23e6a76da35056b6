import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Manifest } from '../../operator/api/stage-contract.ts';
import { errorOf, runStage, type SpecInput, type StageEnd, type StageRun } from './stage-process.ts';

// Real processes that share a stage on one folder: whatever becomes of some of them, the others end with the bytes of one process.
const IMAGES = { train: 10, val: 7 };
const TRAINING = { epochs: 1, batchSize: 2, cropSize: 48, warmupEpochs: 0 };
const spec: SpecInput = {
  dataset: { generator: { ...IMAGES, size: 48, maxObjects: 2 } },
  model: { backbone: 'efficientnet-lite0', weights: 'None' },
  classify: TRAINING,
  segment: TRAINING,
  pseudoLabels: { scales: [1], flips: false, refinement: { iterations: 2, minProbability: 0.5 } },
  evaluation: { scales: [1, 2], flips: true },
};

const root = mkdtempSync(join(tmpdir(), 'cdsp-shards-'));
test.after(() => rmSync(root, { recursive: true, force: true }));
const folder = (stage: string, run: string) => join(root, 'stages', stage, run);
const ALONE = 'alone';
const upstreams = {
  'pseudo-label': { classify: folder('classify', ALONE) },
  evaluate: { segment: folder('segment', ALONE) },
} as const;
type Shared = keyof typeof upstreams;

const run = (stage: Shared, name: string, shard?: [number: number, of: number], stopAt?: StageRun['stopAt']) =>
  runStage({
    stage,
    spec,
    upstream: upstreams[stage],
    output: folder(stage, name),
    ...(shard === undefined ? {} : { shards: shard[1], environment: { JOB_COMPLETION_INDEX: String(shard[0]) } }),
    stopAt,
  });

const said = (end: StageEnd) => JSON.stringify(end.events.at(-1)) + end.stderr;
const metricsOf = (end: StageEnd) => end.events.flatMap((event) => (event.type === 'result' ? [event.metrics] : [])).at(-1) ?? {};
/** Times are what differs between runs. */
const timeless = (metrics: Record<string, unknown>) => ({ ...metrics, secondsPerImage: undefined, reused: undefined });
const manifestOf = (stage: Shared, name: string) =>
  Manifest.parse(JSON.parse(readFileSync(join(folder(stage, name), 'manifest.json'), 'utf8')));

function assertAsAlone(stage: Shared, name: string): void {
  const [shared, alone] = [manifestOf(stage, name), manifestOf(stage, ALONE)];
  assert.equal(shared.files, alone.files);
  assert.equal(timeless(shared.metrics), timeless(alone.metrics));
  const names = (of: string) => readdirSync(folder(stage, of)).sort();
  assert.equal(names(name), names(ALONE), 'nothing else is left in the folder');
}

function assertResult(stage: Shared, end: StageEnd): void {
  assert.is(end.code, 0, said(end));
  assert.equal(timeless(metricsOf(end)), timeless(manifestOf(stage, ALONE).metrics));
}

test('the stages before, and each shared stage by one process', async () => {
  const classify = await runStage({ stage: 'classify', spec, output: folder('classify', ALONE) });
  assert.is(classify.code, 0, said(classify));
  const labels = await run('pseudo-label', ALONE);
  assert.is(labels.code, 0, said(labels));
  const upstream = { pseudoLabel: folder('pseudo-label', ALONE) };
  const segment = await runStage({ stage: 'segment', spec, upstream, output: folder('segment', ALONE) });
  assert.is(segment.code, 0, said(segment));
  const evaluate = await run('evaluate', ALONE);
  assert.is(evaluate.code, 0, said(evaluate));
});

for (const stage of ['pseudo-label', 'evaluate'] as const) {
  for (const count of [1, 2, 3]) {
    test(`${stage}: ${count} processes at once make what one makes, and each ends with the result`, async () => {
      const ends = await Promise.all(Array.from({ length: count }, (_, number) => run(stage, `of-${count}`, [number, count])));
      for (const end of ends) assertResult(stage, end);
      assertAsAlone(stage, `of-${count}`);
    });
  }

  test(`${stage}: one process of three comes to the end without the others; who comes late has nothing to do`, async () => {
    assertResult(stage, await run(stage, 'one-of-three', [1, 3]));
    assertAsAlone(stage, 'one-of-three');
    const late = await run(stage, 'one-of-three', [2, 3]);
    assertResult(stage, late);
    assert.is(metricsOf(late).reused, true);
    assert.not(late.events.some(({ type }) => type === 'progress'));
    assertAsAlone(stage, 'one-of-three');
  });

  test(`${stage}: killed, asked to stop and started again while another works, it makes the same`, async () => {
    const other = run(stage, 'killed', [0, 2]);
    const killed = await run(stage, 'killed', [1, 2], { done: 2, signal: 'SIGKILL' });
    assert.ok(killed.signal === 'SIGKILL' || killed.code === 0, said(killed));
    const stopped = await run(stage, 'killed', [1, 2], { done: 4, signal: 'SIGTERM' });
    assert.ok(stopped.code === 75 || stopped.code === 0, said(stopped));
    assertResult(stage, await run(stage, 'killed', [1, 2]));
    assertResult(stage, await other);
    assertAsAlone(stage, 'killed');
  });

  test(`${stage}: what all processes left when they were killed is gone on with by fewer`, async () => {
    const killed = [0, 1].map((number) => run(stage, 'fewer', [number, 2], { done: 2, signal: 'SIGKILL' }));
    for (const end of await Promise.all(killed)) assert.ok(end.signal === 'SIGKILL' || end.code === 0, said(end));
    assertResult(stage, await run(stage, 'fewer'));
    assertAsAlone(stage, 'fewer');
  });
}

test('a shard number that is none ends with 65 and names the variable; nothing is touched', async () => {
  const end = await run('evaluate', 'bad', [3, 3]);
  assert.is(end.code, 65, said(end));
  assert.is(errorOf(end)?.field, 'JOB_COMPLETION_INDEX');
  assert.match(errorOf(end)?.message ?? '', /3 shards/);
  assert.not(existsSync(folder('evaluate', 'bad')));
});

test.run();
