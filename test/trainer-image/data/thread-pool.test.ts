import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWorkerPool, dataThreads, mapInWorkers } from '../../../trainer-image/data/thread-pool.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';

const setup = (job: string, context?: unknown) => ({ module: new URL('./pool-jobs.ts', import.meta.url).href, job, context });
const failureOf = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error);

for (const workers of [1, 2, 3]) {
  test(`${workers} threads give the results in the order of the items`, async () => {
    const turns = [40, 0, 30, 5, 20, 10, 0, 15];
    const results: number[] = [];
    for await (const result of mapInWorkers<number, number>(setup('wait'), turns, workers)) results.push(result);
    assert.equal(results, turns);
  });
}

test('two threads prepare data on small machines, half of the cores on large ones, eight at most', () => {
  assert.equal([1, 2, 4, 5, 6, 16, 64].map(dataThreads), [2, 2, 2, 2, 3, 8, 8]);
});

test('the context reaches every call', async () => {
  const results: number[] = [];
  for await (const result of mapInWorkers<number, number>(setup('multiply', 10), [1, 2, 3], 2)) results.push(result);
  assert.equal(results, [10, 20, 30]);
});

test('no items: no results', async () => {
  for await (const result of mapInWorkers<number, number>(setup('multiply', 1), [], 2)) assert.unreachable(`${result}`);
  assert.ok(true);
});

test('items are taken only as results are', async () => {
  let taken = 0;
  const items = function* () {
    for (; taken < 1000; taken++) yield taken;
  };
  for await (const result of mapInWorkers<number, number>(setup('multiply', 1), items(), 2)) {
    assert.ok(taken <= result + 5, `${taken} items taken at result ${result}`);
    if (result === 20) break;
  }
  assert.ok(taken < 30);
});

test('bad input keeps its file and field across threads, and later tasks go on', async () => {
  const pool = createWorkerPool<number, number>(setup('refuse'), 2);
  try {
    const outcomes = await Promise.allSettled([1, 2, 3, 4, 5, 6].map((task) => pool.run(task)));
    assert.equal(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    );
    const [bad, other] = [outcomes[2], outcomes[4]].map((outcome) => (outcome as PromiseRejectedResult).reason as unknown);
    assert.instance(bad, BadInputError);
    assert.equal(
      [(bad as BadInputError).message, (bad as BadInputError).file, (bad as BadInputError).field],
      ['three is bad', 'three.txt', 'spec.three'],
    );
    assert.not.instance(other, BadInputError);
    assert.match((other as Error).message, /five broke/);
  } finally {
    await pool.close();
  }
});

test('an error comes at its item’s turn', async () => {
  const seen: number[] = [];
  const error = await failureOf(
    (async () => {
      for await (const result of mapInWorkers<number, number>(setup('refuse'), [0, 1, 2, 3, 4], 2)) seen.push(result);
    })(),
  );
  assert.instance(error, BadInputError);
  assert.equal(seen, [0, 1, 2]);
});

test('a thread that dies fails the tasks under way and all later ones', async () => {
  const pool = createWorkerPool<number, number>(setup('die'), 1);
  const [first, second, third] = [1, 2, 3].map((task) => pool.run(task).catch((error: unknown) => error));
  assert.is(await first, 1);
  assert.match(((await second) as Error).message, /ended with code 7/);
  assert.match(((await third) as Error).message, /ended with code 7/);
  assert.match(((await failureOf(pool.run(4))) as Error).message, /ended with code 7/);
  await pool.close();
});

const broken: [string, { module: string; job: string }][] = [
  ['a module that does not exist', { module: new URL('./no-such-module.ts', import.meta.url).href, job: 'x' }],
  ['a job that does not exist', setup('noSuchJob')],
];
for (const [name, bad] of broken) {
  test(`${name} is an error, not a wait for ever`, async () => {
    const pool = createWorkerPool<number, number>(bad, 1);
    assert.instance(await failureOf(pool.run(1)), Error);
    await pool.close();
  });
}

test('a task that cannot be copied is refused and the thread stays of use', async () => {
  const pool = createWorkerPool<unknown, number>(setup('multiply', 2), 1);
  assert.match(((await failureOf(pool.run(() => 1))) as Error).message, /cannot be copied/);
  assert.is(await pool.run(4), 8);
  await pool.close();
});

test('buffers are handed over', async () => {
  const pool = createWorkerPool<number, { data: Float32Array }>(setup('buffer'), 1);
  const { data } = await pool.run(1000);
  assert.is(data.length, 1000);
  assert.is(data[999], 1.5);
  await pool.close();
});

test('closing ends threads that are busy, rejects their tasks, and may be repeated', async () => {
  const pool = createWorkerPool<number, number>(setup('neverReturn'), 2);
  const tasks = [1, 2, 3].map((task) => failureOf(pool.run(task)));
  await pool.close();
  await pool.close();
  for (const error of await Promise.all(tasks)) assert.match((error as Error).message, /closed/);
  assert.match(((await failureOf(pool.run(4))) as Error).message, /closed/);
});

test('shared memory is one for all threads', async () => {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const seen: number[] = [];
  for await (const before of mapInWorkers<{ counter: Int32Array }, number>(setup('countUp'), Array(20).fill({ counter }), 2))
    seen.push(before);
  assert.is(counter[0], 20);
  assert.is(new Set(seen).size, 20);
});

test.run();
