import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keepJob, keepPod } from '../../../operator/controller/caches.ts';
import { viewStage } from '../../../operator/controller/observe.ts';
import type { StageFacts } from '../../../operator/controller/observe.ts';
import { condition, makeJob, makePod } from './objects.ts';

const RETRIES = 2;
/** Seen through what the caches keep, which has to tell as much as the whole objects. */
function view(job: StageFacts['job'], pods: StageFacts['pods'] = [], record?: StageFacts['record'], more: Partial<StageFacts> = {}) {
  const facts = { record, retries: RETRIES, uid: 'uid-1', countsFailure: true, template: undefined, ...more };
  const seen = viewStage({ ...facts, job: job && keepJob(job), pods: pods.map(keepPod) });
  const { obsoleteJob, ...whole } = viewStage({ ...facts, job, pods });
  assert.equal(seen, { ...whole, ...(obsoleteJob === undefined ? {} : { obsoleteJob: keepJob(obsoleteJob) }) });
  return seen;
}

test('a stage without a Job or record is pending', () => {
  assert.equal(view(undefined), { state: { kind: 'Pending' }, attempts: 0 });
});

test('a stage is complete as soon as a pod has succeeded, before its Job says so, with the result that the pod left', () => {
  const pod = makePod('Succeeded', { exitCode: 0, message: JSON.stringify({ result: { meanIou: 0.7 } }) });
  const seen = view(makeJob({ active: 1 }), [pod]);
  assert.equal(seen.state, { kind: 'Complete' });
  assert.equal(seen.result, { meanIou: 0.7 });
  assert.is(seen.node, 'node-1');
});

test('a result that cannot be read leaves the stage complete: its manifest is what counts', () => {
  const seen = view(makeJob(), [makePod('Succeeded', { exitCode: 0, message: 'no JSON' })]);
  assert.equal(seen.state, { kind: 'Complete' });
  assert.equal(seen.result, {});
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

test('a deadline is named as the reason, with what the stage waited for last; attempts that were not made are not told', () => {
  const late = makeJob({ conditions: [condition('Failed', 'DeadlineExceeded', 'was active longer than specified deadline')] });
  const job = { ...late, spec: { activeDeadlineSeconds: 15 } as StageFacts['job'] & object };
  const { state, attempts } = view(job as never, [], undefined, { lastTrouble: 'Insufficient nvidia.com/gpu' });
  assert.ok(state.kind === 'Failed');
  assert.is(state.message, 'took longer than deadlineSeconds (15 s); it waited: Insufficient nvidia.com/gpu');
  assert.equal([state.isLate, state.failures, attempts], [true, 0, 0]);
  const record = { state: 'Failed', isOwn: true, failure: { ...state, isLate: true } } as const;
  assert.is((view(job as never, [], record).state as typeof state).message, state.message, 'what was told stays');
});

test('attempts are those that failed and the one under way: shards are one together, one that was interrupted goes on', () => {
  const running = () => makePod('Running');
  const failed = makePod('Failed', { exitCode: 1 });
  const interrupted = makePod('Failed', { exitCode: 75 });
  const attempts = (status: Parameters<typeof makeJob>[0], ...pods: StageFacts['pods']) => view(makeJob(status), pods).attempts;
  assert.is(attempts({ active: 3 }, running(), running(), running()), 1);
  assert.is(attempts({ active: 1 }, interrupted, running()), 1);
  assert.is(attempts({ active: 1, failed: 1 }, failed, running()), 2);
  assert.is(attempts({ failed: 1 }, failed), 1, 'the next one has not begun');
  assert.is(attempts({ failed: 2, succeeded: 1, conditions: [condition('Complete', '', '')] }), 3);
  assert.is(attempts({ failed: 3, conditions: [condition('Failed', 'BackoffLimitExceeded', '')] }, failed), 3);
  assert.is(attempts({}), 0);
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
    condition: 'Scheduled',
    reason: 'Unschedulable',
    message: '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.',
  });
});

const waiting = (reason: string, message: string) =>
  makePod('Pending', undefined, {
    containerStatuses: [{ name: 'stage', state: { waiting: { reason, message } }, image: '', imageID: '', ready: false, restartCount: 0 }],
  });
const DENIED = 'failed to pull and unpack image "x:1": 401 Unauthorized: no token';

const unpullable: [why: string, reason: string, message: string, told: string][] = [
  ['after a try', 'ErrImagePull', DENIED, DENIED],
  ['while the kubelet waits and says why', 'ImagePullBackOff', `Back-off pulling image "x:1": ErrImagePull: ${DENIED}`, DENIED],
  ['where the registry cannot be reached', 'RegistryUnavailable', DENIED, DENIED],
  [
    'while the kubelet waits for a signature to become right',
    'ImagePullBackOff',
    `Back-off pulling image "x:1": SignatureValidationFailed: ${DENIED}`,
    DENIED,
  ],
  ['in words that this operator does not know', 'ImagePullBackOff', 'no such luck', 'no such luck'],
];
for (const [why, reason, message, told] of unpullable) {
  test(`an image that cannot be pulled is one trouble in the registry’s words: ${why}`, () =>
    assert.equal(view(makeJob({ active: 1 }), [waiting(reason, message)]).trouble, {
      condition: 'Started',
      reason: 'ImagePullBackOff',
      message: told,
    }));
}

test('a kubelet that waits with an image and does not say why is known for it', () =>
  assert.equal(view(makeJob({ active: 1 }), [waiting('ImagePullBackOff', 'Back-off pulling image "x:1"')]).trouble, {
    condition: 'Started',
    reason: 'ImagePullBackOff',
    message: 'Back-off pulling image "x:1"',
    isBare: true,
  }));

const unplaced = () =>
  makePod('Pending', undefined, {
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes are available.' }],
    containerStatuses: undefined,
  });
const running = () =>
  makePod('Running', undefined, {
    containerStatuses: [{ name: 'stage', state: { running: {} }, image: '', imageID: '', ready: true, restartCount: 0 }],
  });

for (const [order, ...makers] of [
  ['the newest', running, running, unplaced],
  ['in the middle', running, unplaced, running],
  ['the oldest', unplaced, running, running],
] as const) {
  test(`a shard that waits for a place while others run is a note and no trouble: ${order}`, () => {
    const pods = makers.map((make) => make());
    const seen = view(makeJob({ active: 3 }, { completions: 3 }), pods);
    assert.equal([seen.state.kind, seen.hasBegun, seen.trouble, seen.silence], ['Running', true, undefined, undefined]);
    assert.is(seen.note, '2 of 3 shards run; the others: 0/2 nodes are available.');
    const shown = pods.find(({ metadata }) => metadata?.name === seen.pod);
    assert.is(shown?.status?.phase, 'Running', 'the pod that is named is one that runs');
  });

  test(`shards of which none has begun are in the trouble of the one that says so: ${order}`, () => {
    const pods = makers.map((make) => (make === unplaced ? unplaced() : makePod('Pending', undefined, { containerStatuses: undefined })));
    const seen = view(makeJob({ active: 3 }, { completions: 3 }), pods);
    assert.equal([seen.hasBegun, seen.trouble?.reason, seen.note], [undefined, 'Unschedulable', undefined]);
    assert.is(seen.pod, pods.find(({ status }) => status?.conditions !== undefined)?.metadata?.name);
  });
}

test('shards that all run say nothing more, also where an attempt has failed since; of those without a pod the note counts, too', () => {
  const quiet = view(makeJob({ active: 2 }, { completions: 2 }), [running(), running(), makePod('Failed', { exitCode: 75 })]);
  assert.equal([quiet.trouble, quiet.note, quiet.silence], [undefined, undefined, undefined]);
  const seen = view(makeJob({ active: 2 }, { completions: 3 }), [running(), unplaced()]);
  assert.is(seen.note, '1 of 3 shards runs; the others: 0/2 nodes are available.');
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

test('pods that outlive a Job which somebody deleted keep the stage from starting twice; one that has succeeded has completed it', () => {
  assert.equal(view(undefined, [makePod('Running')]).state.kind, 'Running');
  assert.equal(view(undefined, [makePod('Failed', { exitCode: 75 })]).state.kind, 'Pending');
  const done = view(undefined, [makePod('Succeeded', { exitCode: 0, message: '{"result":{"meanIou":0.4}}' })]);
  assert.equal([done.state.kind, done.result], ['Complete', { meanIou: 0.4 }]);
});

test('pods of an earlier Job of the same name count for nothing in the present one', () => {
  const old = makePod('Failed', { exitCode: 1 });
  const job = { ...makeJob({ active: 1 }), metadata: { ...makeJob().metadata, uid: 'a-later-one' } };
  assert.equal(view(job, [old]).state, { kind: 'Running', failures: 0, interruptions: 0 });
});

test('a Job that failed before the experiment was edited has to go; its failure is not this generation’s', () => {
  const job = makeJob({ conditions: [condition('Failed', 'BackoffLimitExceeded', '')] });
  const seen = view(job, [], undefined, { countsFailure: false });
  assert.equal([seen.state.kind, seen.obsoleteJob], ['Pending', keepJob(job)]);
});

test('a Job that waits for another place than its first owner wants has to go; one that runs, or that others have started, stays', () => {
  const job = (owners: string[]) => {
    const made = makeJob({ active: 1 });
    const ownerReferences = owners.map((uid) => ({ apiVersion: '', kind: '', name: uid, uid }));
    return { ...made, metadata: { ...made.metadata, annotations: { 'cdsp.dev/template': 'old' }, ownerReferences } };
  };
  const waiting = makePod('Pending', undefined, { containerStatuses: undefined });
  const running = makePod('Running', undefined, {
    containerStatuses: [{ name: 'stage', state: { running: {} }, image: '', imageID: '', ready: true, restartCount: 0 }],
  });
  const wanted = { template: 'new' };
  assert.is(view(job(['uid-1']), [waiting], undefined, wanted).state.kind, 'Pending');
  assert.is(view(job(['uid-1']), [running], undefined, wanted).state.kind, 'Running');
  assert.is(view(job(['uid-1', 'uid-2']), [waiting], undefined, wanted).state.kind, 'Pending');
  assert.is(view(job(['uid-2', 'uid-1']), [waiting], undefined, wanted).state.kind, 'Running');
  assert.is(view(job(['uid-1']), [waiting], undefined, { template: 'old' }).state.kind, 'Running');
  const unschedulable = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'Insufficient nvidia.com/gpu' };
  const blocked = makePod('Pending', undefined, { containerStatuses: undefined, conditions: [unschedulable] });
  const told = (...owners: string[]) => view(job(owners), [blocked], undefined, { template: 'other' }).trouble?.message;
  assert.is(told('uid-2', 'uid-1'), 'Insufficient nvidia.com/gpu; experiment uid-2 has started the stage, with its own placement');
  const same = view(job(['uid-2', 'uid-1']), [blocked], undefined, { template: 'old' });
  assert.is(same.trouble?.message, 'Insufficient nvidia.com/gpu', 'it is what this one asks for, too');
});

test('a Job in a queue that is not admitted says so; it is neither interrupted nor to be resumed', () => {
  const made = makeJob({}, { suspend: true });
  const job = { ...made, metadata: { ...made.metadata, labels: { 'kueue.x-k8s.io/queue-name': 'lab' } } };
  const seen = view(job);
  assert.equal([seen.state.kind, seen.trouble?.reason], ['Running', 'Queued']);
  assert.match(seen.trouble?.message ?? '', /queue lab/);
});

test('a running attempt tells why the one before it failed', () => {
  const pods = [makePod('Failed', { exitCode: 1, message: 'out of cheese' }), makePod('Running')];
  assert.is(view(makeJob({ active: 1, failed: 1 }), pods).lastFailure, 'out of cheese');
});

test.run();
