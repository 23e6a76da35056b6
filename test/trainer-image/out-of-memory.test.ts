import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { outOfMemoryError } from '../../trainer-image/out-of-memory.ts';

const said: [who: string, message: string][] = [
  ['TensorFlow', 'OOM when allocating tensor with shape[8,256,129,129] and type float on /job:localhost/replica:0/task:0/device:GPU:0'],
  ['the allocator of a GPU', 'Failed to allocate memory for input tensors'],
  ['Node', 'Array buffer allocation failed'],
  ['the system', 'ENOMEM: not enough memory, read'],
];
for (const [who, message] of said) {
  test(`that the memory does not suffice, as ${who} says it, names the setting to lower`, () => {
    const cause = new Error('a step failed', { cause: new Error(`${message}\nand much more`) });
    const error = outOfMemoryError(cause, 'segment');
    assert.is(error?.field, 'spec.segment.batchSize');
    assert.is(error?.message, `the memory does not suffice (${message}); lower batchSize or cropSize, or run on a machine with more`);
    assert.is(error?.cause, cause);
    assert.is(outOfMemoryError(cause, 'evaluate')?.field, 'spec.evaluation.scales');
  });
}

test('what Node says when an array is too large is recognised', () => {
  let thrown: unknown;
  try {
    new ArrayBuffer(2 ** 52);
  } catch (error) {
    thrown = error;
  }
  assert.is(outOfMemoryError(thrown, 'classify')?.field, 'spec.classify.batchSize');
});

test('other errors are none of these', () => {
  assert.is(outOfMemoryError(new Error('the room is full'), 'segment'), undefined);
  assert.is(outOfMemoryError('OOM when allocating', 'segment'), undefined);
});

test.run();
