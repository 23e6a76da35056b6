import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CoreV1Event } from '@kubernetes/client-node';
import { ApiError } from '../../../operator/controller/cluster.ts';
import { jobName } from '../../../operator/controller/names.ts';
import { World } from './world/world.ts';
import type { SpecInput } from './world/world.ts';

/** A world with one experiment, of which the operator has heard. */
function makeWorld(settings: SpecInput = {}): World {
  const world = new World();
  world.create('cats', settings);
  world.show();
  return world;
}

const STAGES = ['classify', 'pseudo-label', 'segment', 'evaluate'] as const;
const conditionsOf = (world: World) => world.status()?.conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`);

test('a new experiment gets its claim, the first stage’s Job, one status and one event', async () => {
  const world = makeWorld();
  await world.reconcile();
  assert.equal(world.api.requests, ['create persistentvolumeclaims', 'create jobs', 'apply cdspexperiments/status', 'create events']);
  assert.is(world.stage('classify')?.state, 'Running');
});

test('nothing is asked of the server where nothing changed, whether or not the caches show what was done', async () => {
  const world = makeWorld();
  await world.reconcile();
  const requests = await world.requestsOf(async () => {
    await world.reconcile();
    world.show();
    await world.reconcile();
  });
  assert.equal(requests, []);
});

test('four stages follow each other with three requests each (Job, status, event), and the result is told', async () => {
  const world = makeWorld();
  await world.step();
  for (const stage of STAGES) await world.end(stage);
  assert.is(world.controllers.made.length, 4);
  assert.is(world.status()?.phase, 'Succeeded');
  assert.is(world.status()?.meanIou, 0.5);
  assert.ok(world.api.requests.length <= 15, `${world.api.requests.length} requests`);
});

test('a hand-over names the Jobs that were waited for, and what is waited for is followed until the end', async () => {
  const world = makeWorld();
  await world.step();
  assert.is(world.followed.get('lab/cats')?.length, 4);
  for (const stage of STAGES) await world.end(stage);
  const classify = world.jobOf('classify')?.metadata?.name;
  assert.equal(world.handOvers[0], { stage: 'classify', upstream: [] });
  assert.equal(world.handOvers[1], { stage: 'pseudo-label', upstream: [classify] });
  assert.equal(world.followed.get('lab/cats'), []);
});

test('bad input ends the experiment with the stage’s own words, and it stays ended when its Job is gone', async () => {
  const world = makeWorld();
  await world.step();
  const error = { message: 'is truncated', file: 'a.jpg', field: 'spec.dataset' };
  await world.end('classify', 65, JSON.stringify({ error }));
  const { failure } = world.stage('classify') ?? {};
  assert.equal([failure?.file, failure?.field, world.status()?.phase], ['a.jpg', 'spec.dataset', 'Failed']);
  assert.equal(conditionsOf(world), [
    'Succeeded False BadInput',
    'Reconciling False BadInput',
    'Stalled True BadInput',
    'Suspended False BadInput',
  ]);
  world.api.remove('jobs', world.jobOf('classify')?.metadata?.name ?? '');
  assert.equal(await world.requestsOf(() => world.step()), []);
  world.restart();
  assert.equal(await world.requestsOf(() => world.step()), []);
});

test('a failure counts until the experiment is edited; then it gets a new Job', async () => {
  const world = makeWorld({ retries: 0 });
  await world.step();
  await world.end('classify', 1);
  assert.is(world.condition('Succeeded')?.reason, 'RetriesExhausted');
  world.edit('cats', (spec) => ({ ...spec, retries: 1 }));
  await world.step();
  await world.step();
  await world.step();
  assert.is(world.status()?.phase, 'Running');
  for (const stage of STAGES) await world.end(stage);
  assert.is(world.status()?.phase, 'Succeeded');
});

test('a failed attempt is told while the next one runs', async () => {
  const world = makeWorld();
  await world.step();
  await world.end('classify', 1, 'out of luck');
  assert.is(world.stage('classify')?.reason, 'Retrying');
  assert.is(world.stage('classify')?.message, 'attempt 2 of 3 after: out of luck');
});

test('a suspended experiment starts nothing', async () => {
  const world = makeWorld({ suspend: true });
  await world.reconcile();
  assert.equal(world.api.requests, ['apply cdspexperiments/status', 'create events']);
  assert.is(world.status()?.phase, 'Suspended');
});

test('a running stage of an experiment that is suspended is asked to stop, and goes on when it is resumed', async () => {
  const world = makeWorld();
  await world.step();
  const pod = world.controllers.activePod(world.jobOf('classify')?.metadata?.name ?? '');
  assert.ok(pod);
  world.controllers.begin(pod);
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  await world.step();
  assert.is(world.jobOf('classify')?.spec?.suspend, true);
  assert.match(world.condition('Suspended')?.message ?? '', /is writing its checkpoint/);
  await world.end('classify', 75);
  assert.is(world.condition('Suspended')?.message, 'suspended; spec.suspend: false lets it go on');
  world.edit('cats', (spec) => ({ ...spec, suspend: false }));
  await world.step();
  await world.step();
  assert.is(world.jobOf('classify')?.spec?.suspend, false);
  for (const stage of STAGES) await world.end(stage);
  assert.is(world.status()?.phase, 'Succeeded');
});

test('a refused request is an error for the queue; the next try does what is left', async () => {
  const world = makeWorld();
  world.api.faults.push({ when: 'before', status: 429 });
  const refusal = await world.reconcile().catch((error: unknown) => error);
  assert.instance(refusal, ApiError);
  assert.is(world.status(), undefined, 'trouble of the cluster says nothing about the experiment');
  await world.reconcile();
  assert.is(world.controllers.jobs().length, 1);
});

const refuseJobs =
  (status: number, reason: string, fields: readonly string[] = []) =>
  (verb: string, resource: string) =>
    verb === 'create' && resource === 'jobs' ? new ApiError(status, reason, 'exceeded quota: jobs', undefined, fields) : undefined;
const jobsAskedFor = async (world: World, act: () => Promise<void>) =>
  (await world.requestsOf(act)).filter((request) => request === 'create jobs').length;

/** What validation blames. */
const FIELDS = ['spec.template.spec.priority'];

for (const [who, status, reason, fields, told, isStalled] of [
  ['a quota', 403, 'Forbidden', [], 'Forbidden', 'False'],
  ['validation', 422, 'Invalid', FIELDS, 'Invalid', 'True'],
  ['an admission policy', 422, 'Invalid', [], 'Invalid', 'False'],
  ['the decoder', 400, 'BadRequest', [], 'BadRequest', 'True'],
  ['a proxy', 400, '', [], 'Refused', 'False'],
] as const) {
  test(`a Job that ${who} refuses with ${status} is told as the condition Started, and made when it is taken`, async () => {
    const world = makeWorld();
    world.api.refuse = refuseJobs(status, reason, fields);
    await world.reconcile();
    assert.equal(
      world.errors.map((error) => error instanceof ApiError && error.status),
      [status],
    );
    const started = world.condition('Started');
    assert.equal([started?.status, started?.reason], ['False', told]);
    assert.is(started?.message, 'the API server refuses it: exceeded quota: jobs');
    assert.is(world.condition('Succeeded')?.message, 'classify does not run: the API server refuses it: exceeded quota: jobs');
    // A quota may be freed, and a policy changed, without an edit of the experiment.
    assert.equal(
      ['Stalled', 'Reconciling', 'Succeeded'].map((type) => world.condition(type)?.status),
      [isStalled, isStalled === 'True' ? 'False' : 'True', 'Unknown'],
    );
    world.api.refuse = () => undefined;
    world.uptime += 10_000;
    await world.step();
    assert.is(world.condition('Started'), undefined);
    assert.equal([world.condition('Stalled')?.status, world.stage('classify')?.state], ['False', 'Running']);
  });
}

for (const [what, status, fields, longest] of [
  ['forbidden', 403, [], 60_000],
  ['refused by a policy', 422, [], 60_000],
  ['not valid', 422, FIELDS, 300_000],
] as const) {
  test(`what is ${what} is asked for ever more seldom, whatever else brings the experiment up, every ${longest / 1000} s at last`, async () => {
    const world = makeWorld();
    world.api.refuse = refuseJobs(status, 'Refused', fields);
    for (const delayMs of [10_000, 20_000, 40_000, Math.min(80_000, longest), Math.min(160_000, longest), longest, longest]) {
      assert.is(await jobsAskedFor(world, () => world.reconcile()), 1);
      assert.equal(world.requeued.at(-1), { key: 'lab/cats', delayMs });
      world.show();
      world.uptime += delayMs - 1;
      assert.equal(await world.requestsOf(() => world.reconcile()), []);
      assert.equal(world.requeued.at(-1), { key: 'lab/cats', delayMs: 1 });
      assert.is(world.condition('Started')?.status, 'False');
      world.uptime += 1;
    }
  });
}

test('an edit of the spec is tried at once, and what is refused then is asked for soon again', async () => {
  const world = makeWorld();
  world.api.refuse = refuseJobs(422, 'Invalid');
  for (const delayMs of [10_000, 20_000]) {
    await world.reconcile();
    world.uptime += delayMs;
  }
  await world.reconcile();
  world.edit('cats', (spec) => ({ ...spec, retries: 9 }));
  world.show();
  assert.is(await jobsAskedFor(world, () => world.reconcile()), 1);
  assert.equal(world.requeued.at(-1), { key: 'lab/cats', delayMs: 10_000 });
  world.api.refuse = () => undefined;
  world.edit('cats', (spec) => ({ ...spec, retries: 8 }));
  await world.step();
  assert.is(world.stage('classify')?.state, 'Running');
});

test('a change of the claim that is refused is told beside the stage that runs on', async () => {
  const world = makeWorld();
  await world.step();
  world.edit('cats', (spec) => ({ ...spec, storage: { ...spec.storage, size: '2Ti' } }));
  world.api.refuse = (verb, resource) =>
    verb === 'merge' && resource === 'persistentvolumeclaims' ? new ApiError(403, 'Forbidden', 'it cannot grow') : undefined;
  world.show();
  await world.reconcile();
  const words = 'the API server refuses the change of the claim: it cannot grow';
  const toldOf = () => [world.condition('StorageReady')?.reason, world.condition('StorageReady')?.message];
  assert.equal(toldOf(), ['Forbidden', words]);
  assert.equal(world.api.all<CoreV1Event>('events').at(-1)?.message, `storage: ${words}`);
  assert.equal([world.condition('Started'), world.condition('Succeeded')?.message], [undefined, 'classify: waits for its pod to begin']);
  assert.is(world.status()?.observedGeneration, world.experiment()?.metadata?.generation);
  for (const stage of STAGES) await world.end(stage);
  assert.equal([world.status()?.phase, world.stage('evaluate')?.reason], ['Succeeded', 'Complete']);
  assert.equal(toldOf(), ['Forbidden', words]);
  world.api.refuse = () => undefined;
  world.uptime += 60_000;
  await world.step();
  assert.is(world.condition('StorageReady'), undefined, 'it is tried again although the experiment has ended');
  assert.is(world.status()?.storage?.size, '2Ti');
});

test('a webhook that the API server cannot reach is told, is tried again as soon as any trouble of the cluster, and heals', async () => {
  const world = makeWorld();
  await world.step();
  const words =
    'Internal error occurred: failed calling webhook "mjob.kb.io": failed to call webhook: read tcp 10.0.0.2:51630->10.0.0.9:443: connection reset';
  const error = new ApiError(500, 'InternalError', words);
  world.api.refuse = (verb, resource) => (verb === 'create' && resource === 'jobs' ? error : undefined);
  const pod = world.controllers.activePod(world.jobOf('classify')?.metadata?.name ?? '');
  assert.ok(pod);
  world.controllers.end(pod, 0);
  world.show();
  assert.is(await world.reconcile().catch((thrown: unknown) => thrown), error);
  const told = `the API server fails at it: ${words.replace(/read tcp \S+ /, '')}`;
  assert.equal([world.condition('Started')?.reason, world.condition('Started')?.message], ['WebhookFailed', told]);
  assert.equal([world.stage('classify')?.state, world.stage('pseudo-label')?.state], ['Complete', 'Pending']);
  world.api.refuse = () => undefined;
  await world.step();
  assert.equal([world.condition('Started'), world.stage('pseudo-label')?.state], [undefined, 'Running']);
});

test('a claim that somebody deletes is made again when it is gone, whatever the scheduler says last', async () => {
  const world = makeWorld();
  await world.step();
  const claim = world.api.find('persistentvolumeclaims', 'cdsp-cats');
  assert.ok(claim);
  const ending = { ...claim, metadata: { ...claim.metadata, deletionTimestamp: new Date(0) } };
  world.api.put('persistentvolumeclaims', ending);
  const pod = world.controllers.activePod(world.jobOf('classify')?.metadata?.name ?? '');
  const message = '0/2 nodes are available: persistentvolumeclaim "cdsp-cats" is being deleted.';
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
  world.api.put('pods', { ...pod, status: { phase: 'Pending', conditions } });
  await world.step();
  world.uptime += 3000;
  await world.step();
  assert.ok(world.api.find('persistentvolumeclaims', 'cdsp-cats')?.metadata?.deletionTimestamp, 'it is left to go');
  assert.match(world.condition('Succeeded')?.message ?? '', 'is being deleted');
  world.api.remove('persistentvolumeclaims', 'cdsp-cats');
  world.uptime += 10_000;
  await world.reconcile();
  const made = world.api.find('persistentvolumeclaims', 'cdsp-cats');
  assert.ok(made !== undefined && made.metadata?.deletionTimestamp === undefined);
});

test('a Job of somebody else that has the name of a stage’s is told and left alone; the stage runs when it is gone', async () => {
  const world = makeWorld({ suspend: true });
  await world.step();
  const stage = world.stage('classify');
  const name = jobName('classify', stage?.key ?? '', 'cdsp-cats');
  const foreign = world.api.put('jobs', { metadata: { name, namespace: 'lab' }, spec: {} });
  world.edit('cats', (spec) => ({ ...spec, suspend: false }));
  world.show(['cdspexperiments']);
  await world.reconcile();
  assert.match(world.condition('Started')?.message ?? '', `the Job ${name} is there and not the operator's`);
  assert.equal(world.api.find('jobs', name), foreign);
  world.api.remove('jobs', name);
  world.uptime += 10_000;
  await world.step();
  assert.is(world.condition('Started'), undefined);
  assert.is(world.stage('classify')?.state, 'Running');
});

test('a Job that somebody deletes before the caches have shown it is made again', async () => {
  const world = makeWorld();
  await world.reconcile();
  world.api.remove('jobs', world.jobOf('classify')?.metadata?.name ?? '');
  await world.step();
  assert.is(world.controllers.jobs().length, 1);
});

test('a Job that somebody deletes is made again when the pod that it leaves has ended, and not before', async () => {
  const world = makeWorld();
  await world.step();
  const job = world.jobOf('classify')?.metadata?.name ?? '';
  world.api.remove('jobs', job);
  world.controllers.work();
  // The Jobs' cache is ahead of that of the pods, as separate watches can be.
  world.show(['jobs']);
  await world.step();
  assert.is(world.jobOf('classify'), undefined);
  assert.is(world.stage('classify')?.reason, 'Ending');
  const pod = world.controllers.activePod(job);
  assert.ok(pod);
  world.controllers.end(pod, 75);
  await world.step();
  await world.step();
  assert.is(world.controllers.podsOf(job).length, 1);
});

test('before a second Job the pods are asked for, since their cache may lag behind', async () => {
  const world = makeWorld();
  await world.step();
  // A pod of which the operator has not heard yet.
  world.restart();
  const job = world.jobOf('classify')?.metadata?.name ?? '';
  const pod = world.controllers.activePod(job);
  assert.ok(pod);
  world.api.remove('pods', pod.metadata?.name ?? '');
  world.show();
  world.controllers.work();
  world.api.remove('jobs', job);
  world.show(['jobs']);
  const requests = ['get cdspexperiments', 'list pods', 'apply cdspexperiments/status'];
  assert.equal(await world.requestsOf(() => world.reconcile()), requests);
});

/** The Jobs go, and their pods with them. */
function removeJobs({ api, controllers }: World): void {
  for (const { metadata } of controllers.jobs()) api.remove('jobs', metadata?.name ?? '');
  for (const { metadata } of api.all('pods')) api.remove('pods', metadata?.name ?? '');
}

for (const [what, act] of [
  ['deleted', (world: World) => world.api.remove('cdspexperiments', 'cats')],
  ['edited', (world: World) => world.edit('cats', (spec) => ({ ...spec, seed: 7 }))],
] as const) {
  test(`a Job that went with its experiment, which was ${what}, is not made again, whatever cache is behind`, async () => {
    const world = makeWorld();
    await world.step();
    act(world);
    removeJobs(world);
    world.show(['jobs', 'pods']);
    await world.reconcile();
    assert.equal(world.controllers.jobs(), []);
  });

  test(`nor does an operator make it that begins just before its experiment is ${what}`, async () => {
    const world = makeWorld();
    await world.step();
    removeJobs(world);
    world.restart();
    act(world);
    await world.reconcile();
    assert.equal(world.controllers.jobs(), []);
  });
}

test('an operator that starts again in the middle asks for nothing that is there', async () => {
  const world = makeWorld();
  await world.step();
  await world.end('classify');
  world.time += 10_000;
  await world.step();
  world.restart();
  assert.equal(await world.requestsOf(() => world.reconcile()), []);
});

test('an experiment that is gone or being deleted is left alone', async () => {
  const world = makeWorld();
  world.api.remove('cdspexperiments', 'cats');
  world.show();
  await world.reconcile();
  assert.equal(world.api.requests, []);
  assert.equal(world.followed.get('lab/cats'), []);
});

test.run();
