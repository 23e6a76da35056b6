import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { viewStage } from '../../../operator/controller/observe.ts';
import { condition, makeJob, makePod } from './objects.ts';

const RETRIES = 2;
const view = (job: Parameters<typeof viewStage>[0], pods: Parameters<typeof viewStage>[1] = [], record?: Parameters<typeof viewStage>[2]) =>
  viewStage(job, pods, record, RETRIES);

test('a stage without a Job or record is pending', () => {
  assert.equal(view(undefined), { state: { kind: 'Pending' }, attempts: 0 });
});

test('a stage is complete as soon as a pod has succeeded, before its Job says so, with the metrics that the pod left', () => {
  const pod = makePod('Succeeded', { exitCode: 0, message: JSON.stringify({ result: { meanIou: 0.7 } }) });
  const seen = view(makeJob({ active: 1 }), [pod]);
  assert.equal(seen.state, { kind: 'Complete' });
  assert.equal(seen.metrics, { meanIou: 0.7 });
  assert.is(seen.node, 'node-1');
});

test('a result that cannot be read leaves the stage complete: its manifest is what counts', () => {
  const seen = view(makeJob(), [makePod('Succeeded', { exitCode: 0, message: 'no JSON' })]);
  assert.equal(seen.state, { kind: 'Complete' });
  assert.equal(seen.metrics, {});
});

test('a Job that is complete stands for its pods, which may be gone', () => {
  assert.equal(view(makeJob({ conditions: [condition('Complete', 'CompletionsReached', '')] })).state, { kind: 'Complete' });
});

test('bad input is told in the stage’s own words, with file and field', () => {
  const error = { message: 'is truncated', file: 'a.jpg', field: 'spec.dataset' };
  const pod = makePod('Failed', { exitCode: 65, message: JSON.stringify({ error }) });
  const { state } = view(makeJob({ conditions: [condition('FailureTarget', 'PodFailurePolicy', 'rule 0')] }), [pod]);
  assert.equal(state, { kind: 'Failed', exitCode: 65, ...error, failures: 3, interruptions: 0, at: 9000 });
});

test('a Job without attempts left tells of its last pod', () => {
  const pods = [makePod('Failed', { exitCode: 1, message: 'first' }), makePod('Failed', { exitCode: 137, reason: 'OOMKilled' })];
  const { state } = view(makeJob({ failed: 3, conditions: [condition('Failed', 'BackoffLimitExceeded', 'no more')] }), pods);
  assert.ok(state.kind === 'Failed');
  assert.is(state.exitCode, 137);
  assert.match(state.message, /memory/);
  assert.is(state.failures, 3);
});

test('a deadline is named as the reason', () => {
  const { state } = view(makeJob({ conditions: [condition('Failed', 'DeadlineExceeded', 'was active longer than specified deadline')] }));
  assert.ok(state.kind === 'Failed');
  assert.match(state.message, /^took longer than its deadline/);
});

test('stops with a checkpoint do not count as failures, crashes do', () => {
  const pods = [
    makePod('Failed', { exitCode: 75 }),
    makePod('Failed', { exitCode: 143 }),
    makePod('Failed', { exitCode: 139 }),
    makePod('Running'),
  ];
  assert.equal(view(makeJob({ active: 1 }), pods).state, { kind: 'Running', failures: 1, interruptions: 0 });
});

test('a suspended Job is interrupted once no pod of it runs', () => {
  const job = makeJob({}, { suspend: true });
  assert.is(view(job, [makePod('Running')]).state.kind, 'Running');
  assert.is(view(job, [makePod('Failed', { exitCode: 75 })]).state.kind, 'Interrupted');
});

test('what keeps a pod from running is told in the words of the scheduler or the kubelet', () => {
  const unschedulable = makePod('Pending', undefined, {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.',
      },
    ],
    containerStatuses: undefined,
  });
  assert.equal(view(makeJob({ active: 1 }), [unschedulable]).trouble, {
    reason: 'Unschedulable',
    message: '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.',
  });
  const waiting = { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' } };
  const unpullable = makePod('Pending', undefined, {
    containerStatuses: [{ name: 'stage', state: waiting, image: '', imageID: '', ready: false, restartCount: 0 }],
  });
  assert.is(view(makeJob({ active: 1 }), [unpullable]).trouble?.reason, 'ImagePullBackOff');
});

test('a key completed elsewhere on the claim is cached, one of the experiment itself complete, Job or not', () => {
  assert.equal(view(undefined, [], { state: 'Complete', isOwn: false }).state, { kind: 'Cached' });
  assert.equal(view(undefined, [], { state: 'Complete', isOwn: true }).state, { kind: 'Complete' });
  assert.equal(view(makeJob({ conditions: [condition('Failed', 'x', 'y')] }), [], { state: 'Complete', isOwn: true }).state, {
    kind: 'Complete',
  });
});

test('a recorded failure holds when its Job is gone; a Job that is there speaks for itself', () => {
  const record = { state: 'Failed', isOwn: true, failure: { exitCode: 65, message: 'no', failures: 3, at: 0 } } as const;
  assert.equal(view(undefined, [], record).state, { kind: 'Failed', exitCode: 65, message: 'no', failures: 3, interruptions: 0, at: 0 });
  assert.is(view(makeJob({ active: 1 }), [], record).state.kind, 'Running');
});

test.run();
