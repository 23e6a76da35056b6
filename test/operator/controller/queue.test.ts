import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WorkQueue } from '../../../operator/controller/queue.ts';

/** A queue whose work waits until it is told to end. */
function makeQueue(parallelism: number, backoff?: (failures: number) => number, isHeldBack?: () => boolean) {
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
    isHeldBack,
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

test('what was to come later can be called off, and set anew', async () => {
  const { queue, log, finish } = makeQueue(1);
  queue.addAfter('a', 0);
  queue.cancel('a');
  queue.addAfter('b', 0);
  await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(log, ['b']);
  await finish('b');
  queue.addAfter('a', 0);
  await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(log, ['b', 'a']);
  await finish('a');
  await queue.close();
});

test('what is urgent comes first, and has workers that nothing else takes', async () => {
  const { queue, log, running, finish } = makeQueue(4);
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
  assert.equal([...running.keys()], ['a', 'b', 'c']);
  queue.add('e', 'urgent');
  queue.add('f', 'urgent');
  assert.equal([...running.keys()], ['a', 'b', 'c', 'e']);
  await finish('a');
  assert.equal(log, ['a', 'b', 'c', 'e', 'f']);
  for (const key of ['b', 'c', 'e', 'f', 'd']) await finish(key);
  await queue.close();
});

test('what may wait takes a quarter of the workers, and is not starved by the rest', async () => {
  const { queue, log, running, finish } = makeQueue(4);
  for (const key of ['a', 'b', 'c']) queue.add(key, 'patient');
  assert.equal([...running.keys()], ['a']);
  for (const key of ['d', 'e', 'f']) queue.add(key);
  assert.equal([...running.keys()], ['a', 'd', 'e']);
  await finish('a');
  assert.equal(log, ['a', 'd', 'e', 'b']);
  for (const key of ['b', 'd', 'e', 'c', 'f']) await finish(key);
  assert.equal(log, ['a', 'd', 'e', 'b', 'c', 'f']);
  await queue.close();
});

test('a key that waits goes over to a lane that is served sooner, and never back', async () => {
  const { queue, log, finish } = makeQueue(1);
  queue.add('a');
  queue.add('b');
  queue.add('c', 'patient');
  queue.add('c', 'urgent');
  queue.add('c');
  assert.is(queue.depth, 2);
  await finish('a');
  assert.equal(log, ['a', 'c']);
  await finish('c');
  await finish('b');
  assert.equal(log, ['a', 'c', 'b']);
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

test('what is patient waits as long as it is held back, and nothing else does', async () => {
  let isHeldBack = true;
  const { queue, log, finish } = makeQueue(8, undefined, () => isHeldBack);
  queue.add('new', 'patient');
  queue.add('handover', 'urgent');
  queue.add('running');
  assert.equal(log, ['handover', 'running']);
  await finish('running');
  assert.equal(log, ['handover', 'running']);
  isHeldBack = false;
  queue.dispatch();
  assert.equal(log, ['handover', 'running', 'new']);
  for (const key of ['handover', 'new']) await finish(key);
  await queue.close();
});

test('what is patient takes turns by namespace: the first of one is not behind all of another', async () => {
  const { queue, log, finish } = makeQueue(1);
  queue.add('other/busy', 'urgent');
  for (const key of ['a/1', 'a/2', 'a/3', 'b/1', 'c/1', 'b/2']) queue.add(key, 'patient');
  assert.is(queue.depth, 6);
  for (const key of ['other/busy', 'a/1', 'b/1']) await finish(key);
  queue.add('d/1', 'patient');
  for (const key of ['c/1', 'a/2', 'b/2', 'd/1', 'a/3']) await finish(key);
  assert.equal(log, ['other/busy', 'a/1', 'b/1', 'c/1', 'a/2', 'b/2', 'd/1', 'a/3']);
  await queue.close();
});

test('what is worked on and comes again leaves its namespace’s turn to the next one of it', async () => {
  let isHeldBack = false;
  const { queue, log, finish } = makeQueue(8, undefined, () => isHeldBack);
  queue.add('a/1', 'patient');
  isHeldBack = true;
  for (const key of ['a/1', 'a/2', 'b/1']) queue.add(key, 'patient');
  isHeldBack = false;
  queue.dispatch();
  assert.equal(log, ['a/1', 'a/2']);
  await finish('a/2');
  await finish('a/1');
  assert.equal(log, ['a/1', 'a/2', 'b/1', 'a/1']);
  for (const key of ['a/1', 'b/1']) await finish(key);
  await queue.close();
});

test.run();
