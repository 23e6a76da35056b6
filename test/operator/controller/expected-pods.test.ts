import { mock } from 'node:test';
import type { V1Job } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExpectedPods, isServed } from '../../../operator/controller/expected-pods.ts';

test.before.each(() => mock.timers.enable({ apis: ['setTimeout'] }));
test.after.each(() => mock.timers.reset());

function makeExpected() {
  const told: number[] = [];
  const expected: ExpectedPods = new ExpectedPods(() => told.push(expected.count));
  return { expected, told };
}

test('a Job counts from when it was made to when it is served, which is told', () => {
  const { expected, told } = makeExpected();
  expected.add('lab/a');
  expected.add('lab/b');
  expected.add('lab/b');
  assert.is(expected.count, 2);
  expected.delete('lab/a');
  expected.delete('lab/a');
  expected.delete('lab/c');
  assert.equal(told, [1]);
});

test('a Job to which nobody comes counts for a minute', () => {
  const { expected, told } = makeExpected();
  expected.add('lab/a');
  mock.timers.tick(59_999);
  assert.is(expected.count, 1);
  mock.timers.tick(1);
  assert.equal([expected.count, told], [0, [0]]);
});

for (const [what, job, isSo] of [
  ['is new', { status: {} }, false],
  ['has a start time', { status: { startTime: new Date(0) } }, true],
  ['is suspended', { spec: { suspend: true, template: {} } }, true],
] satisfies [string, V1Job, boolean][]) {
  test(`a Job that ${what} is ${isSo ? '' : 'not '}served`, () => assert.is(isServed(job), isSo));
}

test('nothing is told when all is forgotten', () => {
  const { expected, told } = makeExpected();
  expected.add('lab/a');
  expected.clear();
  mock.timers.tick(120_000);
  assert.equal([expected.count, told], [0, []]);
});

test.run();
