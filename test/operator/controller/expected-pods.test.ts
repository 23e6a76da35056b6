import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExpectedPods } from '../../../operator/controller/expected-pods.ts';

test.before.each(() => mock.timers.enable({ apis: ['setTimeout'] }));
test.after.each(() => mock.timers.reset());

function makeExpected() {
  const told: number[] = [];
  const expected: ExpectedPods = new ExpectedPods(() => told.push(expected.count));
  return { expected, told };
}

test('a Job counts from when it was made to when its pod is there, which is told', () => {
  const { expected, told } = makeExpected();
  expected.add('lab/a');
  expected.add('lab/b');
  expected.add('lab/b');
  assert.is(expected.count, 2);
  expected.podCame('lab/a');
  expected.podCame('lab/a');
  expected.delete('lab/c');
  assert.equal(told, [1]);
});

test('a Job that a quota keeps from having a pod holds nobody back for longer than ten seconds', () => {
  const { expected, told } = makeExpected();
  expected.add('lab/a');
  mock.timers.tick(9999);
  assert.is(expected.count, 1);
  mock.timers.tick(1);
  assert.equal([expected.count, told], [0, [0]]);
});

test('as long as one is overdue, no other Job of its namespace counts, and each of other namespaces does', () => {
  const { expected } = makeExpected();
  expected.add('lab/a');
  mock.timers.tick(5000);
  expected.add('lab/b');
  expected.add('office/a');
  assert.is(expected.count, 3);
  mock.timers.tick(5000);
  assert.is(expected.count, 1);
  expected.add('lab/c');
  assert.is(expected.count, 1);
  expected.delete('office/a');
  assert.is(expected.count, 0);
});

for (const [why, ends] of [
  ['the overdue Job has a pod', (expected) => expected.podCame('lab/a')],
  ['any Job of it has a new pod', (expected) => expected.podCame('lab/long-since-running')],
  ['the overdue Job is gone', (expected) => expected.delete('lab/a')],
] satisfies [string, (expected: ExpectedPods) => void][]) {
  test(`Jobs of a namespace count again when ${why}`, () => {
    const { expected } = makeExpected();
    expected.add('lab/a');
    mock.timers.tick(10_000);
    expected.add('lab/b');
    assert.is(expected.count, 0);
    ends(expected);
    assert.is(expected.count, 1);
    expected.add('lab/c');
    assert.is(expected.count, 2);
  });
}

test('a pod in another namespace says nothing about the one where a Job is overdue', () => {
  const { expected } = makeExpected();
  expected.add('lab/a');
  mock.timers.tick(10_000);
  expected.add('lab/b');
  expected.podCame('office/a');
  assert.is(expected.count, 0);
});

test('nothing is told when all is forgotten', () => {
  const { expected, told } = makeExpected();
  expected.add('lab/a');
  expected.clear();
  mock.timers.tick(20_000);
  assert.equal([expected.count, told], [0, []]);
});

test.run();
