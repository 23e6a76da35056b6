import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { StatusWriter } from '../../../operator/controller/status-writer.ts';

/** A writer that has just told of so many experiments. */
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
  const tell = (name: string, progress: number, before?: number) =>
    writer.write(
      `lab/${name}`,
      { name, namespace: 'lab', uid: name },
      { phase: 'Running', progress },
      before === undefined ? undefined : { phase: 'Running', progress: before },
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

test('experiments that have ended make the numbers of others no rarer', async () => {
  const { tell, requeued, writer } = await makeWriter(200);
  for (let index = 1; index < 200; index++) writer.forget(`lab/e${index}`);
  await tell('e0', 1, 0);
  assert.equal(requeued, [5000]);
});

test.run();
