import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentStatus } from '../../../operator/api/status.ts';
import { StatusWriter } from '../../../operator/controller/status-writer.ts';

type Stage = NonNullable<ExperimentStatus['stages']>[number];

const AT_WORK: Stage = { name: 'classify', state: 'Running', node: 'node-1' };
/** Of experiments that wait. */
const SUSPENDED: Stage = { name: 'classify', state: 'Interrupted' };
const QUEUED: Stage = { name: 'classify', state: 'Running', reason: 'Queued' };
const REFUSED: Stage = { name: 'classify', state: 'Pending', reason: 'InvalidSpec' };

/** A writer that has just told of so many experiments at work. */
async function makeWriter(experiments: number) {
  let time = 0;
  const written: string[] = [];
  const requeued: number[] = [];
  const writer = new StatusWriter({
    cluster: {
      apply: (path: string) => {
        written.push(path);
        return Promise.resolve({ metadata: { resourceVersion: '1' } } as never);
      },
      create: () => Promise.resolve({} as never),
    },
    now: () => time,
    requeueAfter: (_key, delayMs) => void requeued.push(delayMs),
  });
  const statusOf = (progress: number, stage: Stage): ExperimentStatus => ({ phase: 'Running', progress, stages: [stage] });
  const tell = (name: string, progress: number, before?: number, stage = AT_WORK, stageBefore = stage) =>
    writer.write(
      `lab/${name}`,
      { name, namespace: 'lab', uid: name },
      statusOf(progress, stage),
      before === undefined ? undefined : statusOf(before, stageBefore),
      () => undefined,
    );
  for (let index = 0; index < experiments; index++) await tell(`e${index}`, 0);
  written.length = 0;
  return { tell, written, requeued, writer, pass: (milliseconds: number) => (time += milliseconds) };
}

for (const [experiments, period] of [
  [1, 5000],
  [50, 5000],
  [200, 20_000],
] as const) {
  test(`numbers of ${experiments} experiments at work are written every ${period / 1000} s`, async () => {
    const { tell, written, requeued, pass } = await makeWriter(experiments);
    await tell('e0', 1, 0);
    assert.equal(requeued, [period]);
    pass(period - 1);
    await tell('e0', 1, 0);
    assert.equal([requeued.at(-1), written.length], [1, 0]);
    pass(1);
    await tell('e0', 1, 0);
    assert.is(written.length, 1);
  });
}

test('as long as hundreds begin, numbers are written every 20 s, and then as before', async () => {
  const { tell, requeued, pass } = await makeWriter(1);
  for (let index = 0; index < 51; index++) await tell(`n${index}`, 0, undefined, QUEUED);
  await tell('e0', 1, 0);
  pass(4999);
  await tell('e0', 1, 0);
  assert.equal(requeued, [20_000, 15_001]);
  pass(1);
  await tell('e0', 1, 0);
  await tell('e0', 2, 1);
  assert.equal(requeued.slice(2), [5000]);
});

test('experiments that have ended make the numbers of others no rarer', async () => {
  const { tell, requeued, writer, pass } = await makeWriter(200);
  for (let index = 1; index < 200; index++) writer.forget(`lab/e${index}`);
  pass(5000);
  await tell('e0', 1, 0);
  await tell('e0', 2, 1);
  assert.equal(requeued, [5000]);
});

for (const [what, stage] of [
  ['suspended', SUSPENDED],
  ['queued', QUEUED],
  ['invalid', REFUSED],
] as const) {
  test(`a thousand experiments that are ${what} make the numbers of one at work no rarer, and wait for each other`, async () => {
    const { tell, requeued, pass } = await makeWriter(1);
    for (let index = 0; index < 1000; index++) await tell(`w${index}`, 0, undefined, stage);
    pass(5000);
    await tell('e0', 1, 0);
    await tell('e0', 2, 1);
    await tell('w0', 1, 0, stage);
    assert.equal(requeued, [5000, 95_100]);
  });
}

test('an experiment that worked and waits now counts no more; one that begins again has its numbers written soon', async () => {
  const { tell, requeued, pass } = await makeWriter(200);
  for (let index = 1; index < 200; index++) await tell(`e${index}`, 0, 0, SUSPENDED, AT_WORK);
  pass(5000);
  await tell('e0', 1, 0);
  await tell('e0', 2, 1);
  await tell('e1', 0, 0, QUEUED, SUSPENDED);
  await tell('e1', 0, 0, { ...AT_WORK, reason: 'Queued' }, QUEUED);
  assert.equal(requeued, [5000, 5000]);
});

test.run();
