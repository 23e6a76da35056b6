// What an edit changes while stages run, and what experiments that share a claim owe each other.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { V1PersistentVolumeClaim, V1Pod } from '@kubernetes/client-node';
import { STAGES } from '../../../operator/api/experiment.ts';
import type { Experiment } from '../../../operator/api/experiment.ts';
import { ApiError } from '../../../operator/controller/cluster.ts';
import { World } from './world/world.ts';
import type { SpecInput } from './world/world.ts';

type Spec = Experiment['spec'];
const OURS = { storage: { claimName: 'ours' } };

async function runningWorld(settings: SpecInput = {}): Promise<World> {
  const world = new World();
  world.create('cats', settings);
  await world.step();
  return world;
}
const owners = (world: World) => world.jobOf('classify')?.metadata?.ownerReferences?.map(({ name }) => name);
const withEpochs = (spec: Spec): Spec => ({ ...spec, classify: { ...spec.classify, epochs: 3 } });
const onNode = (node: string) => (spec: Spec) => ({ ...spec, placement: { ...spec.placement, default: { nodeSelector: { node } } } });

test('the Job of a stage that an edit changes goes, and the stage starts anew', async () => {
  const world = await runningWorld();
  const before = world.jobOf('classify')?.metadata?.name;
  world.edit('cats', withEpochs);
  await world.step();
  const names = world.controllers.jobs().map(({ metadata }) => metadata?.name);
  assert.is(names.length, 1);
  assert.is.not(names[0], before);
});

test('an old Job that cannot be removed yet, while more than that is under way, is an error for the queue and for nobody else', async () => {
  const world = await runningWorld();
  world.edit('cats', (spec) => ({ ...withEpochs(spec), storage: { ...spec.storage, size: '30Gi' } }));
  const conflict = new ApiError(409, 'Conflict', 'it has been changed');
  world.api.refuse = (verb) => (verb === 'delete' ? conflict : undefined);
  world.show();
  assert.is(await world.reconcile().catch((error: unknown) => error), conflict);
  world.api.refuse = () => undefined;
  await world.step();
  assert.is(world.controllers.jobs().length, 1);
});

test('stages that an edit does not concern are kept', async () => {
  const world = await runningWorld();
  await world.end('classify');
  world.edit('cats', (spec) => ({ ...spec, evaluation: { ...spec.evaluation, flips: true } }));
  const requests = await world.requestsOf(() => world.step());
  assert.equal(requests, ['apply cdspexperiments/status']);
  assert.equal([world.stage('classify')?.state, world.stage('pseudo-label')?.state], ['Complete', 'Running']);
});

test('what an edit lets run again is no hand-over: nobody waited for the stage before it', async () => {
  const world = await runningWorld();
  for (const stage of ['classify', 'pseudo-label', 'segment', 'evaluate'] as const) await world.end(stage);
  const { length } = world.handOvers;
  world.edit('cats', (spec) => ({ ...spec, evaluation: { ...spec.evaluation, flips: true } }));
  await world.step();
  assert.equal(world.handOvers.slice(length), [{ stage: 'evaluate', upstream: [] }]);
});

test('of two experiments that share a stage, each hands over that has waited for it, and none that came later', async () => {
  const world = await runningWorld(OURS);
  world.create('dogs', { ...OURS, pseudoLabels: { backgroundThreshold: 0.6 } });
  await world.step('dogs');
  await world.end('classify');
  await world.step('dogs');
  const classify = world.jobOf('classify')?.metadata?.name;
  const handOver = { stage: 'pseudo-label', upstream: [classify] };
  assert.equal(world.handOvers.slice(1), [handOver, handOver]);
  world.create('mice', { ...OURS, pseudoLabels: { backgroundThreshold: 0.5 } });
  await world.step('mice');
  assert.equal(world.handOvers.slice(3), [{ stage: 'pseudo-label', upstream: [] }]);
});

test('an edited experiment leaves a Job that it shares to the other one', async () => {
  const world = await runningWorld(OURS);
  world.create('dogs', OURS);
  await world.step('dogs');
  assert.equal(owners(world), ['cats', 'dogs']);
  world.edit('cats', withEpochs);
  await world.step();
  const shared = world.controllers.jobs().map(({ metadata }) => metadata?.ownerReferences?.map(({ name }) => name));
  assert.equal(shared, [['dogs'], ['cats']]);
});

test('a stage that two share and that finds no place follows an edit of the one that has started it', async () => {
  const world = await runningWorld({ ...OURS, placement: { default: { nodeSelector: { node: 'none' } } } });
  world.create('dogs', OURS);
  await world.step('dogs');
  assert.equal(owners(world), ['cats', 'dogs']);
  world.edit('cats', onNode('here'));
  await world.step();
  assert.equal(world.controllers.jobs(), []);
  world.controllers.end(world.api.all<V1Pod>('pods')[0], 75);
  await world.step();
  await world.step('dogs');
  assert.equal(world.jobOf('classify')?.spec?.template.spec?.nodeSelector, { node: 'here' });
  assert.equal(owners(world), ['cats', 'dogs']);
});

test('an experiment that an edit brings to the data of another one tells their digest, and none of data that nobody has read', async () => {
  const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
  const told = () => world.status('cats')?.provenance?.datasetDigest;
  const drawn = (seed: number) => ({ dataset: { generator: { seed } } });
  const runAll = async (name: string, datasetDigest: string) => {
    for (const stage of STAGES) await world.end(stage, 0, JSON.stringify({ result: { datasetDigest } }), name);
    for (const { metadata } of world.controllers.jobs()) world.api.remove('jobs', metadata?.name ?? '');
  };
  const world = await runningWorld({ ...OURS, ...drawn(0) });
  await runAll('cats', digestOf('a'));
  assert.is(told(), digestOf('a'));
  world.create('dogs', { ...OURS, ...drawn(7) });
  await world.step('dogs');
  await runAll('dogs', digestOf('b'));
  const redraw = (seed: number) =>
    world.edit('cats', ({ dataset: { generator, ...dataset }, ...spec }) => {
      assert.ok(generator);
      return { ...spec, dataset: { ...dataset, generator: { ...generator, seed } } };
    });
  redraw(7);
  await world.step('cats');
  assert.equal([world.status('cats')?.phase, told()], ['Succeeded', digestOf('b')]);
  redraw(9);
  await world.step('cats');
  assert.equal([world.status('cats')?.phase, told()], ['Running', undefined]);
});

test('a deleted experiment that the cache still shows begins no stage that another one waits for', async () => {
  const world = await runningWorld({ ...OURS, suspend: true });
  world.create('dogs', { ...OURS, suspend: true });
  await world.step('dogs');
  world.edit('cats', (spec) => ({ ...spec, suspend: false }));
  world.show();
  world.api.remove('cdspexperiments', 'cats');
  await world.reconcile('cats');
  assert.equal(world.controllers.jobs(), [], 'it would go with its owner, in the middle of its work');
});

test('two experiments that become owners at once: the slower one tries again', async () => {
  const world = await runningWorld(OURS);
  world.create('dogs', OURS);
  world.create('mice', OURS);
  world.show();
  await world.reconcile('dogs');
  const conflict = await world.reconcile('mice').catch((error: unknown) => error);
  assert.ok(conflict instanceof ApiError && conflict.status === 409);
  await world.step('mice');
  assert.equal(owners(world), ['cats', 'dogs', 'mice']);
});

test('an experiment that is suspended does not stop what another one has a use for', async () => {
  const world = await runningWorld(OURS);
  world.create('dogs', OURS);
  await world.step('dogs');
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  await world.step('cats');
  assert.equal(owners(world), ['dogs']);
  assert.is.not(world.jobOf('classify')?.spec?.suspend, true);
  assert.is(world.status('cats')?.phase, 'Suspended');
  await world.step('cats');
  assert.is(world.stage('classify', 'cats')?.state, 'Pending');
  assert.is(world.stage('classify', 'dogs')?.state, 'Running');
});

test('a Job that another experiment has stopped goes on for whoever needs it, who becomes an owner at once', async () => {
  const world = await runningWorld(OURS);
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  await world.step();
  await world.end('classify', 75);
  world.create('dogs', OURS);
  await world.step('dogs');
  assert.equal([owners(world), world.jobOf('classify')?.spec?.suspend], [['cats', 'dogs'], false]);
  await world.step('cats');
  await world.step('cats');
  assert.equal([owners(world), world.jobOf('classify')?.spec?.suspend], [['dogs'], false]);
});

test('a Job whose pod waits for a place is made anew in the place that is wanted now', async () => {
  const world = await runningWorld(onNode('a')({} as Spec));
  world.edit('cats', onNode('b'));
  await world.step();
  assert.is(world.jobOf('classify'), undefined);
  const [pod] = world.api.all('pods');
  world.controllers.end(pod, 75);
  await world.step();
  assert.equal(world.jobOf('classify')?.spec?.template.spec?.nodeSelector, { node: 'b' });
});

test('a Job whose pod runs stays where it is', async () => {
  const world = await runningWorld();
  const pod = world.controllers.activePod(world.jobOf('classify')?.metadata?.name ?? '');
  assert.ok(pod);
  world.controllers.begin(pod);
  await world.step();
  world.edit('cats', onNode('b'));
  assert.equal(await world.requestsOf(() => world.step()), ['apply cdspexperiments/status']);
});

test('a stopped Job with another place is made anew when the experiment is resumed', async () => {
  const world = await runningWorld();
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  await world.step();
  await world.end('classify', 75);
  world.edit('cats', (spec) => onNode('b')({ ...spec, suspend: false }));
  for (let step = 0; step < 3; step++) await world.step();
  const job = world.jobOf('classify');
  assert.equal([job?.spec?.template.spec?.nodeSelector, job?.spec?.suspend], [{ node: 'b' }, undefined]);
});

test('retries and deadline are changed in the Job that is there', async () => {
  const world = await runningWorld();
  world.edit('cats', (spec) => ({
    ...spec,
    retries: 7,
    placement: { ...spec.placement, default: { deadlineSeconds: 600 } },
  }));
  await world.step();
  const { backoffLimit, activeDeadlineSeconds } = world.jobOf('classify')?.spec ?? {};
  assert.equal([backoffLimit, activeDeadlineSeconds], [7, 600]);
  assert.equal(await world.requestsOf(() => world.step()), []);
});

test('a Job in a queue starts suspended, says that it waits, and is never let go by the operator', async () => {
  const world = await runningWorld({ queueName: 'gpus' });
  assert.is(world.jobOf('classify')?.spec?.suspend, true);
  assert.equal([world.condition('Scheduled')?.reason, world.condition('Scheduled')?.status], ['Queued', 'False']);
  assert.equal(await world.requestsOf(() => world.step()), []);
  assert.is(world.jobOf('classify')?.spec?.suspend, true);
});

test('suspending removes a Job that its queue has admitted', async () => {
  const world = await runningWorld({ queueName: 'gpus' });
  const job = world.jobOf('classify');
  world.api.put('jobs', { ...job, spec: { ...job?.spec, suspend: false } });
  await world.step();
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  await world.step();
  assert.is(world.jobOf('classify'), undefined);
});

test('suspending takes a Job that waits in its queue out of it, and speaks of neither queue nor checkpoint; resuming queues anew', async () => {
  const world = await runningWorld({ queueName: 'gpus' });
  const { uid } = world.jobOf('classify')?.metadata ?? {};
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  world.show();
  await world.reconcile();
  assert.is(world.jobOf('classify'), undefined);
  const message = 'suspended; spec.suspend: false lets it go on';
  assert.equal([world.condition('Suspended')?.message, world.condition('Scheduled')], [message, undefined]);
  await world.step();
  assert.equal([world.status()?.phase, world.stage('classify')?.state], ['Suspended', 'Pending']);
  world.edit('cats', (spec) => ({ ...spec, suspend: false }));
  await world.step();
  assert.equal([world.jobOf('classify')?.spec?.suspend, world.condition('Scheduled')?.reason], [true, 'Queued']);
  assert.is.not(world.jobOf('classify')?.metadata?.uid, uid);
});

test('a Job that waits in its queue for others, too, stays there for them when one of them is suspended', async () => {
  const world = await runningWorld({ ...OURS, queueName: 'gpus' });
  world.create('dogs', { ...OURS, queueName: 'gpus' });
  await world.step('dogs');
  assert.equal(owners(world), ['cats', 'dogs']);
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  await world.step();
  assert.equal([owners(world), world.jobOf('classify')?.spec?.suspend], [['dogs'], true]);
  assert.is(world.status('cats')?.phase, 'Suspended');
});

test('a Job that waits in its queue stays there where another experiment has become its owner unseen', async () => {
  const world = await runningWorld({ ...OURS, queueName: 'gpus' });
  world.create('dogs', { ...OURS, queueName: 'gpus' });
  world.edit('cats', (spec) => ({ ...spec, suspend: true }));
  world.show();
  await world.reconcile('dogs');
  const refusal = await world.reconcile('cats').catch((error: unknown) => error);
  assert.ok(refusal instanceof ApiError && refusal.status === 409, 'the queue tries again, and knows better then');
  assert.equal(owners(world), ['cats', 'dogs']);
  await world.step('cats');
  assert.equal(owners(world), ['dogs']);
});

const claim = (world: World) => world.api.find<V1PersistentVolumeClaim>('persistentvolumeclaims', 'cdsp-cats');

test('a claim that may grow, or go with the experiment, is changed with it', async () => {
  const world = await runningWorld();
  world.edit('cats', (spec) => ({ ...spec, storage: { ...spec.storage, size: '30Gi', retention: 'Delete' } }));
  await world.step();
  assert.is(claim(world)?.spec?.resources?.requests?.storage, '30Gi');
  assert.equal(
    claim(world)?.metadata?.ownerReferences?.map(({ name }) => name),
    ['cats'],
  );
  assert.equal(world.status()?.storage, { claimName: 'cdsp-cats', size: '30Gi', retention: 'Delete' });
  assert.equal(await world.requestsOf(() => world.step()), []);
});

/** Of a claim as an experiment asks for it by default. */
const RWO = { accessModes: ['ReadWriteOnce'] };

test('an experiment that finds the claim that one of its name kept decides anew whether it goes', async () => {
  const world = new World();
  const labels = { 'app.kubernetes.io/managed-by': 'cdsp' };
  world.api.put('persistentvolumeclaims', { metadata: { name: 'cdsp-cats', namespace: 'lab', labels, ownerReferences: [] }, spec: RWO });
  world.create('cats', { storage: { retention: 'Delete' } });
  await world.step();
  assert.equal(
    claim(world)?.metadata?.ownerReferences?.map(({ name }) => name),
    ['cats'],
  );
});

for (const [what, kept, asked, left] of [
  ['smaller than', '100Gi', '20Gi', '100Gi'],
  ['as large as, in other words,', '2Gi', '2048Mi', '2Gi'],
  ['larger than', '20Gi', '100Gi', '100Gi'],
] as const) {
  test(`an experiment may ask for a claim ${what} the one that it finds, which never shrinks`, async () => {
    const world = new World();
    const metadata = { name: 'cdsp-cats', namespace: 'lab', labels: { 'app.kubernetes.io/managed-by': 'cdsp' }, ownerReferences: [] };
    world.api.put('persistentvolumeclaims', { metadata, spec: { ...RWO, resources: { requests: { storage: kept } } } });
    world.create('cats', { storage: { size: asked } });
    await world.step();
    assert.is(claim(world)?.spec?.resources?.requests?.storage, left);
    assert.equal([world.condition('Started'), world.stage('classify')?.state], [undefined, 'Running']);
  });
}

/** A claim that an experiment of the name cats has kept. */
function keepClaim(world: World, spec: V1PersistentVolumeClaim['spec']): void {
  const metadata = { name: 'cdsp-cats', namespace: 'lab', labels: { 'app.kubernetes.io/managed-by': 'cdsp' }, ownerReferences: [] };
  world.api.put('persistentvolumeclaims', { metadata, spec: { resources: { requests: { storage: '20Gi' } }, ...spec } });
}

for (const [why, kept, asked, words] of [
  [
    'of another storage class',
    { ...RWO, storageClassName: 'fast' },
    { storageClassName: 'standard' },
    /there already, with storage class "fast" and with access modes ReadWriteOnce, which is not what spec\.storage asks for; delete it/,
  ],
  ['of no storage class', RWO, { storageClassName: 'standard' }, /there already, without a storage class and with/],
  ['with fewer access modes', { ...RWO, storageClassName: 'fast' }, { accessModes: ['ReadWriteMany'] }, /access modes ReadWriteOnce,/],
] as const) {
  test(`a kept claim ${why} than is asked for is refused with a sentence; when it is deleted, one as asked for is made`, async () => {
    const world = new World();
    keepClaim(world, { ...kept, accessModes: [...kept.accessModes] });
    const before = claim(world);
    const settings = 'accessModes' in asked ? { accessModes: [...asked.accessModes] } : asked;
    world.create('cats', { storage: settings });
    await world.step();
    assert.is(world.condition('Started')?.reason, 'ClaimExists');
    assert.match(world.condition('Started')?.message ?? '', words);
    assert.equal(
      ['Stalled', 'Reconciling'].map((type) => world.condition(type)?.status),
      ['False', 'True'],
    );
    assert.equal([claim(world), world.controllers.jobs().length, world.status()?.storage], [before, 0, undefined]);
    world.api.remove('persistentvolumeclaims', 'cdsp-cats');
    world.uptime += 10_000;
    await world.step();
    assert.equal([world.condition('Started'), world.stage('classify')?.state], [undefined, 'Running']);
    assert.equal(claim(world)?.spec?.accessModes, settings.accessModes ?? ['ReadWriteOnce']);
    assert.is(claim(world)?.spec?.storageClassName, 'storageClassName' in asked ? asked.storageClassName : undefined);
  });
}

for (const [why, kept, asked] of [
  ['of any class where none is asked for', { ...RWO, storageClassName: 'fast' }, {}],
  [
    'with the same access modes in another order',
    { accessModes: ['ReadWriteMany', 'ReadWriteOnce'] },
    { accessModes: ['ReadWriteOnce' as const, 'ReadWriteMany' as const] },
  ],
  ['with more access modes', { accessModes: ['ReadWriteOnce', 'ReadWriteMany'] }, {}],
] as const) {
  test(`a kept claim ${why} serves`, async () => {
    const world = new World();
    keepClaim(world, { ...kept, accessModes: [...kept.accessModes] });
    world.create('cats', { storage: 'accessModes' in asked ? { accessModes: [...asked.accessModes] } : {} });
    await world.step();
    assert.equal([world.condition('Started'), world.stage('classify')?.state], [undefined, 'Running']);
  });
}

test('an experiment that an earlier operator has let begin on a claim of another kind goes on there, and may still be changed', async () => {
  const world = new World();
  world.create('cats', { storage: { storageClassName: 'standard' } });
  await world.step();
  keepClaim(world, { ...RWO, storageClassName: 'fast' });
  world.restart();
  assert.ok((await world.requestsOf(() => world.step())).every((request) => !request.endsWith('persistentvolumeclaims')));
  world.edit('cats', (spec) => ({ ...spec, storage: { ...spec.storage, retention: 'Delete' } }));
  await world.step();
  assert.equal([world.condition('Started'), world.status()?.storage?.retention], [undefined, 'Delete']);
  await world.end('classify');
  assert.is(world.stage('pseudo-label')?.state, 'Running');
});

for (const [why, words, isAdvised] of [
  ['its size', 'exceeded quota: quota, requested: requests.storage=20Gi, used: requests.storage=0, limited: requests.storage=10Gi', true],
  ['the size of any', 'forbidden: maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 20Gi', true],
  ['there being one', 'exceeded quota: quota, requested: persistentvolumeclaims=1, used: persistentvolumeclaims=0, limited: 0', false],
] as const) {
  test(`a claim that is forbidden for ${why} is told in the server’s words${isAdvised ? ', and how to ask for less' : ''}`, async () => {
    const world = new World();
    world.api.refuse = (verb, resource) =>
      verb === 'create' && resource === 'persistentvolumeclaims' ? new ApiError(403, 'Forbidden', words) : undefined;
    world.create();
    await world.step();
    const advice = '; to ask for less, delete the experiment and apply it with a smaller spec.storage.size';
    const { reason, message } = world.condition('Started') ?? {};
    assert.equal([reason, message], ['Forbidden', `the API server refuses it: ${words}${isAdvised ? advice : ''}`]);
  });
}

test('somebody else’s claim of the same name is refused with a sentence, and neither taken nor changed', async () => {
  const world = new World();
  const foreign = world.api.put('persistentvolumeclaims', { metadata: { name: 'cdsp-cats', namespace: 'lab' }, spec: {} });
  world.create();
  world.show();
  await world.reconcile().catch(() => {});
  assert.equal(world.condition('Started')?.reason, 'ClaimExists');
  assert.match(world.condition('Started')?.message ?? '', /name it in spec.storage.claimName to use it, or rename the experiment/);
  assert.equal(claim(world), foreign);
  assert.is(world.controllers.jobs().length, 0);
  assert.is(world.condition('Stalled')?.status, 'False', 'its owner may delete it');
});

test('an experiment whose predecessor’s claim is still being deleted waits for that, and is not stalled', async () => {
  const world = new World();
  const labels = { 'app.kubernetes.io/managed-by': 'cdsp' };
  const metadata = { name: 'cdsp-cats', namespace: 'lab', labels, deletionTimestamp: new Date(0) };
  world.api.put('persistentvolumeclaims', { metadata, spec: {} });
  world.create('cats', { storage: { retention: 'Delete' } });
  await world.step();
  assert.is(world.condition('Started')?.reason, 'ClaimEnding');
  assert.match(
    world.condition('Succeeded')?.message ?? '',
    /^classify does not run: the claim cdsp-cats is being deleted; it goes, and is made/,
  );
  assert.equal(
    ['Stalled', 'Reconciling'].map((type) => world.condition(type)?.status),
    ['False', 'True'],
  );
  world.api.remove('persistentvolumeclaims', 'cdsp-cats');
  world.uptime += 10_000;
  await world.step();
  assert.is(world.condition('Started'), undefined);
  assert.is(world.stage('classify')?.state, 'Running');
});

test('kept artifacts are found again by an experiment of the same name', async () => {
  const world = await runningWorld();
  world.api.remove('cdspexperiments', 'cats');
  world.create('cats');
  await world.step();
  await world.step();
  assert.is(world.api.all('persistentvolumeclaims').length, 1);
});

/** The scheduler finds no place for the pod of classify, for so long that it is worth a word. */
async function refusePlace(world: World, message: string): Promise<void> {
  const [pod] = world.api.all('pods');
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
  world.api.put('pods', { ...pod, status: { phase: 'Pending', conditions } });
  await world.step();
  world.uptime += 3000;
}

test('a claim that somebody has deleted is made again when a pod finds no place, whatever the scheduler says', async () => {
  const world = await runningWorld();
  world.api.remove('persistentvolumeclaims', 'cdsp-cats');
  await refusePlace(world, 'Für den Pod gibt es keinen Platz.');
  await world.step();
  assert.ok(claim(world));
});

test('a claim is looked for once for each thing that the scheduler says, and not made while it is there', async () => {
  const world = await runningWorld();
  await refusePlace(world, '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.');
  const requests = ['get persistentvolumeclaims', 'apply cdspexperiments/status', 'create events'];
  assert.equal(await world.requestsOf(() => world.step()), requests);
  assert.equal(await world.requestsOf(() => world.step()), []);
  await refusePlace(world, '0/4 nodes are available: 4 Insufficient nvidia.com/gpu.');
  assert.ok((await world.requestsOf(() => world.step())).every((request) => request !== 'create persistentvolumeclaims'));
});

test('a claim that cannot be looked for is looked for again', async () => {
  const world = await runningWorld();
  world.api.remove('persistentvolumeclaims', 'cdsp-cats');
  await refusePlace(world, 'no place');
  world.api.refuse = (verb, resource) => (verb === 'get' && resource === 'persistentvolumeclaims' ? new ApiError(500, '', '') : undefined);
  world.show();
  assert.instance(await world.reconcile().catch((error: unknown) => error), ApiError);
  world.api.refuse = () => undefined;
  await world.step();
  assert.ok(claim(world));
});

test.run();
