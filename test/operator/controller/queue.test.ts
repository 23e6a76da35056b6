import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WorkQueue } from '../../../operator/controller/queue.ts';

/** A queue whose work waits until it is told to end. */
function makeQueue(parallelism: number, backoff?: (failures: number) => number) {
  const running = new Map<string, (error?: Error) => void>();
  const log: string[] = [];
  const errors: string[] = [];
  const queue = new WorkQueue({
    parallelism,
    work: (key) => {
      log.push(key);
      return new Promise((resolve, reject) => {
        running.set(key, (error) => {
          running.delete(key);
          if (error === undefined) resolve();
          else reject(error);
        });
      });
    },
    onError: (key, error) => errors.push(`${key}: ${(error as Error).message}`),
    backoff,
  });
  const finish = async (key: string, error?: Error) => {
    running.get(key)?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, log, errors, running, finish };
}

test('a key that is added while it waits is worked on once', async () => {
  const { queue, log, finish } = makeQueue(1);
  queue.add('a');
  queue.add('b');
  queue.add('b');
  await finish('a');
  await finish('b');
  assert.equal(log, ['a', 'b']);
  await queue.close();
});

test('a key that is added while it is worked on comes again afterwards, never twice at a time', async () => {
  const { queue, log, running, finish } = makeQueue(4);
  queue.add('a');
  queue.add('a');
  assert.equal(log, ['a']);
  await finish('a');
  assert.equal(log, ['a', 'a']);
  assert.is(running.size, 1);
  await finish('a');
  assert.equal(log, ['a', 'a']);
  await queue.close();
});

test('no more keys are worked on at a time than the queue allows; a busy key does not hold up others', async () => {
  const { queue, log, running, finish } = makeQueue(2);
  for (const key of ['a', 'a', 'b', 'c']) queue.add(key);
  assert.equal([...running.keys()], ['a', 'b']);
  assert.is(queue.depth, 2);
  await finish('b');
  assert.equal([...running.keys()], ['a', 'c']);
  await finish('a');
  await finish('c');
  await finish('a');
  assert.equal(log, ['a', 'b', 'c', 'a']);
  await queue.close();
});

test('a failure is told and tried again after a delay that grows with the failures', async () => {
  const delays: number[] = [];
  const { queue, errors, log, finish } = makeQueue(1, (failures) => {
    delays.push(failures);
    return 0;
  });
  queue.add('a');
  await finish('a', new Error('first'));
  await new Promise((resolve) => setTimeout(resolve, 2));
  await finish('a', new Error('second'));
  await new Promise((resolve) => setTimeout(resolve, 2));
  await finish('a');
  assert.equal(log, ['a', 'a', 'a']);
  assert.equal(errors, ['a: first', 'a: second']);
  assert.equal(delays, [1, 2]);
  await queue.close();
});

test('closing waits for the work under way and begins none', async () => {
  const { queue, log, finish } = makeQueue(1);
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 0);
  let isClosed = false;
  const closing = queue.close().then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.not(isClosed);
  await finish('a');
  await closing;
  queue.add('d');
  assert.equal(log, ['a']);
});

test.run();
