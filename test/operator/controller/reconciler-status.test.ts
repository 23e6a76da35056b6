// What a status says, when it is written, and which events tell of it.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CoreV1Event, V1Pod } from '@kubernetes/client-node';
import type { RawExperiment } from '../../../operator/controller/caches.ts';
import { ApiError } from '../../../operator/controller/cluster.ts';
import type { Stored } from './world/api-server.ts';
import { World } from './world/world.ts';
import type { SpecInput } from './world/world.ts';

const OURS = { storage: { claimName: 'ours' } };
const STAGES = ['classify', 'pseudo-label', 'segment', 'evaluate'] as const;

async function runningWorld(settings: SpecInput = {}): Promise<World> {
  const world = new World();
  world.create('cats', settings);
  await world.step();
  return world;
}
const eventsOf = (world: World) => world.api.all<CoreV1Event>('events').map(({ type, reason }) => `${type} ${reason}`);
const podOf = (world: World, stage: (typeof STAGES)[number] = 'classify') => {
  const pod = world.controllers.activePod(world.jobOf(stage)?.metadata?.name ?? '');
  assert.ok(pod);
  return pod;
};

const RESULTS: Record<(typeof STAGES)[number], object> = {
  classify: { loss: 0.3, datasetDigest: `sha256:${'d'.repeat(64)}` },
  'pseudo-label': { meanIou: 0.55 },
  segment: { loss: 0.2, meanIou: 0.6 },
  evaluate: { meanIou: 0.64, pixelAccuracy: 0.9, iou: [0.9, null, 0.4], classes: ['background', 'cat', 'dog'] },
};
async function runAll(world: World, name = 'cats'): Promise<void> {
  for (const stage of STAGES) await world.end(stage, 0, JSON.stringify({ result: RESULTS[stage] }), name);
}

test('results and provenance are those that the stages left', async () => {
  const world = await runningWorld({ seed: 7 });
  await runAll(world);
  assert.equal(world.status()?.results, {
    meanIou: 0.64,
    pixelAccuracy: 0.9,
    pseudoLabelMeanIou: 0.55,
    classes: [{ name: 'background', iou: 0.9 }, { name: 'cat' }, { name: 'dog', iou: 0.4 }],
  });
  assert.equal(world.status()?.provenance, {
    seed: 7,
    trainerImage: 'trainer:1',
    trainerImageFrom: 'Operator',
    image: 'trainer@sha256:1',
    datasetDigest: `sha256:${'d'.repeat(64)}`,
  });
});

test('columns show four digits, stages and results all; what cannot be rounded is shown as it is', async () => {
  const world = await runningWorld();
  for (const [loss, shown] of [
    [0.6793591976165771, 0.6794],
    [Number.MAX_VALUE, Number.MAX_VALUE],
  ]) {
    world.live.set('classify', { done: 1, total: 2, loss });
    world.time += 5000;
    await world.step();
    assert.equal([world.status()?.loss, world.stage('classify')?.loss], [shown, loss]);
  }
  world.live.clear();
  for (const stage of STAGES) await world.end(stage, 0, '{"result":{"meanIou":0.057914664678479104}}');
  assert.equal([world.status()?.meanIou, world.status()?.results?.meanIou], [0.05791, 0.057914664678479104]);
});

test('the loss is that of the stage that trains; beside one that tells none it is the last that was told', async () => {
  const world = await runningWorld();
  await world.end('classify', 0, '{"result":{"loss":0.5}}');
  assert.equal([world.status()?.stage, world.status()?.loss], ['pseudo-label', 0.5]);
  await world.end('pseudo-label');
  world.live.set('segment', { done: 1, total: 2, loss: 3 });
  world.time += 5000;
  await world.step();
  assert.equal([world.status()?.stage, world.status()?.loss], ['segment', 3]);
});

test('the loss of a stage that trains again is not that of a stage after it', async () => {
  const world = await runningWorld();
  for (const stage of ['classify', 'pseudo-label'] as const) await world.end(stage, 0, JSON.stringify({ result: RESULTS[stage] }));
  await world.end('segment', 66);
  world.live.set('classify', { done: 1, total: 2, loss: 7 });
  world.live.set('segment', { done: 1, total: 2, loss: 3 });
  for (let step = 0; step < 4; step++) {
    world.time += 5000;
    await world.step();
  }
  assert.equal([world.status()?.stage, world.status()?.loss], ['classify', 7]);
});

test('an experiment whose stages another one has completed tells their results, and asks for them once', async () => {
  const world = await runningWorld(OURS);
  await runAll(world);
  world.create('dogs', OURS);
  const requests = await world.requestsOf(() => world.step('dogs'));
  assert.equal(
    STAGES.map((stage) => world.stage(stage, 'dogs')?.state),
    ['Cached', 'Cached', 'Cached', 'Cached'],
  );
  assert.equal(world.status('dogs')?.results, world.status('cats')?.results);
  assert.is(world.stage('classify', 'dogs')?.job, world.stage('classify', 'cats')?.job);
  assert.is(requests.filter((request) => request === 'get cdspexperiments').length, 4);
  assert.equal(await world.requestsOf(() => world.step('dogs')), []);
});

/** Later than all that ends in this world. */
const LATER = 3_600_000;

for (const left of ['with', 'without'] as const) {
  test(`what was completed on a claim that somebody has made anew since, empty, runs again: ${left} the old Jobs`, async () => {
    const world = await runningWorld(OURS);
    await runAll(world);
    if (left === 'without') for (const { metadata } of world.controllers.jobs()) world.api.remove('jobs', metadata?.name ?? '');
    world.api.remove('persistentvolumeclaims', 'ours');
    world.makeClaim('ours', LATER);
    world.create('dogs', OURS);
    await world.step('dogs');
    await world.step('dogs');
    assert.is(world.status('dogs')?.phase, 'Running');
    assert.equal(
      STAGES.map((stage) => world.stage(stage, 'dogs')?.state),
      ['Running', 'Pending', 'Pending', 'Pending'],
    );
    assert.equal(
      world.jobOf('classify')?.metadata?.ownerReferences?.map(({ name }) => name),
      ['dogs'],
    );
    assert.is(world.status('cats')?.phase, 'Succeeded', 'a record of what was');
  });
}

test('an experiment that is deleted and made again with its claim asks for the age of the new claim, whatever it knew of the old one', async () => {
  const world = await runningWorld(OURS);
  await runAll(world);
  world.create('dogs', OURS);
  await world.step('dogs');
  assert.is(world.stage('classify', 'dogs')?.state, 'Cached');
  world.api.remove('cdspexperiments', 'dogs');
  world.api.remove('persistentvolumeclaims', 'ours');
  world.makeClaim('ours', LATER);
  world.create('dogs', OURS);
  await world.step('dogs');
  await world.step('dogs');
  assert.is(world.stage('classify', 'dogs')?.state, 'Running');
});

test('nothing is complete on a claim that is not there, whatever others tell of it; its end is waited for, and nothing borrowed then either', async () => {
  const world = await runningWorld(OURS);
  await runAll(world);
  world.api.remove('persistentvolumeclaims', 'ours');
  world.api.put('cdspexperiments', { ...world.experiment('cats'), metadata: { name: 'dogs', namespace: 'lab' }, status: undefined });
  await world.step('dogs');
  await world.step('dogs');
  assert.is(world.stage('classify', 'dogs')?.state, 'Running');
  world.makeClaim('ours', LATER);
  await world.step('dogs');
  assert.is(world.stage('pseudo-label', 'dogs')?.state, 'Pending');
});

test('an experiment that is gone leaves its artifacts, but not its words', async () => {
  const world = await runningWorld(OURS);
  await runAll(world);
  world.create('dogs', OURS);
  world.show();
  world.api.remove('cdspexperiments', 'cats');
  await world.reconcile('dogs');
  assert.is(world.status('dogs')?.phase, 'Succeeded');
  assert.is(world.status('dogs')?.results, undefined);
});

test('an operator with another trainer image leaves what runs at the old one; what begins afterwards takes the new one', async () => {
  const world = await runningWorld();
  await world.end('classify');
  world.trainerImage = 'trainer:2';
  world.restart();
  await world.end('pseudo-label');
  await world.end('segment');
  await world.end('evaluate');
  assert.is(world.status()?.provenance?.trainerImage, 'trainer:1');
  assert.is(world.controllers.made.length, 4);
  world.edit('cats', (spec) => ({ ...spec, seed: 1 }));
  await world.step();
  assert.is(world.status()?.provenance?.trainerImage, 'trainer:2');
});

test('an operator with another trainer image runs nothing again for an edit that changes no stage of what has succeeded', async () => {
  const world = await runningWorld();
  for (const stage of STAGES) await world.end(stage);
  world.trainerImage = 'trainer:2';
  world.restart();
  const edits: ((spec: RawExperiment['spec']) => RawExperiment['spec'])[] = [
    (spec) => ({ ...spec, ttlSecondsAfterFinished: 60 }),
    (spec) => ({ ...spec, retries: 7 }),
    (spec) => ({ ...spec, suspend: true }),
    (spec) => ({ ...spec, suspend: false }),
  ];
  for (const edit of edits) {
    world.edit('cats', edit);
    await world.step();
    await world.step();
    assert.is(world.status()?.phase, 'Succeeded');
  }
  assert.is(world.status()?.provenance?.trainerImage, 'trainer:1');
  assert.equal([world.controllers.made.length, world.status()?.observedGeneration], [4, world.experiment()?.metadata?.generation]);
  world.edit('cats', (spec) => ({ ...spec, evaluation: { ...spec.evaluation, flips: true } }));
  await world.step();
  assert.equal([world.status()?.provenance?.trainerImage, world.stage('classify')?.state], ['trainer:2', 'Running']);
});

test('findings are told as InvalidSpec, nothing goes on running, and a mended experiment begins', async () => {
  const world = await runningWorld();
  world.findings = [{ field: 'spec.image', message: 'is not allowed here' }];
  world.edit('cats', (spec) => ({ ...spec, retries: 5 }));
  await world.step();
  assert.equal(world.condition('Succeeded')?.reason, 'InvalidSpec');
  assert.is(world.condition('Stalled')?.message, 'spec.image: is not allowed here');
  assert.is(world.controllers.jobs().length, 0);
  assert.equal(await world.requestsOf(() => world.step()), []);
  world.findings = [];
  world.edit('cats', (spec) => ({ ...spec, retries: 6 }));
  world.controllers.end(world.api.all('pods')[0], 75);
  await world.step();
  await world.step();
  assert.is(world.stage('classify')?.state, 'Running');
});

test('each failure has a time of its own, also one that follows another; a success whose edit runs nothing keeps its time', async () => {
  const ended = (world: World) => world.status()?.completionTime;
  const timeOf = (world: World) => new Date(world.time).toISOString().replace('.000Z', 'Z');
  const failing = await runningWorld({ retries: 0 });
  assert.is(ended(failing), undefined);
  await failing.end('classify', 65);
  assert.equal([failing.status()?.phase, ended(failing)], ['Failed', timeOf(failing)]);
  failing.findings = [{ field: 'spec.image', message: 'is not allowed here' }];
  for (const image of ['own:1', 'own:2']) {
    failing.time += 3600_000;
    failing.edit('cats', (spec) => ({ ...spec, image }));
    await failing.step();
    assert.equal([failing.condition('Succeeded')?.reason, ended(failing)], ['InvalidSpec', timeOf(failing)]);
  }
  failing.findings = [];
  failing.edit('cats', (spec) => ({ ...spec, image: undefined }));
  await failing.step();
  assert.equal([failing.status()?.phase, ended(failing)], ['Running', undefined]);
  const done = await runningWorld();
  for (const stage of STAGES) await done.end(stage);
  const before = ended(done);
  assert.is(before, timeOf(done));
  done.time += 3600_000;
  done.edit('cats', (spec) => ({ ...spec, retries: 7 }));
  await done.step();
  assert.equal([done.status()?.observedGeneration, ended(done)], [done.experiment()?.metadata?.generation, before]);
});

test('what an operator before this one has refused without telling when keeps the time of its condition', async () => {
  const world = new World();
  world.findings = [{ field: 'spec.image', message: 'is not allowed here' }];
  world.create();
  await world.step();
  const { completionTime, ...status } = world.status() ?? {};
  world.api.put('cdspexperiments', { ...world.experiment(), status });
  world.time += 3600_000;
  world.restart();
  await world.reconcile();
  assert.is(world.status()?.completionTime, completionTime);
});

/** Evaluate ends while no operator looks, and its pod goes with its node. @returns the pod as it was at its end */
async function losePodOfEvaluate(): Promise<{ world: World; pod: V1Pod }> {
  const world = await runningWorld();
  for (const stage of ['classify', 'pseudo-label', 'segment'] as const) await world.end(stage);
  world.controllers.end(podOf(world, 'evaluate'), 0);
  world.controllers.work();
  const [pod] = world.controllers.podsOf(world.jobOf('evaluate')?.metadata?.name ?? '');
  world.api.remove('pods', pod.metadata?.name ?? '');
  return { world, pod };
}

test('results that nobody saw before the pod was gone are read from the artifacts again', async () => {
  const { world } = await losePodOfEvaluate();
  world.restart();
  await world.reconcile();
  assert.equal([world.stage('evaluate')?.state, world.stage('evaluate')?.reason], ['Pending', 'ResultLost']);
  assert.is(world.status()?.phase, 'Running');
  await world.step();
  await world.end('evaluate', 0, '{"result":{"meanIou":0.75,"reused":true}}');
  assert.equal([world.status()?.phase, world.status()?.results?.meanIou, world.status()?.stage], ['Succeeded', 0.75, 'evaluate']);
  assert.is(world.controllers.made.length, 5);
});

test('a pod that the cache does not show yet has not lost its result', async () => {
  const { world, pod } = await losePodOfEvaluate();
  world.show();
  world.api.put('pods', pod);
  assert.not((await world.requestsOf(() => world.reconcile())).includes('delete jobs'));
  assert.is(world.stage('evaluate')?.state, 'Running');
  await world.step();
  assert.equal([world.status()?.phase, world.controllers.made.length], ['Succeeded', 4]);
});

test('what one operator refuses is looked at again by the next one, which writes nothing where it finds the same', async () => {
  const world = new World();
  world.findings = [{ field: 'spec.image', message: 'is not allowed here' }];
  world.create();
  await world.step();
  await world.step();
  assert.is(world.checks, 1, 'once for each spec');
  world.restart();
  assert.equal(await world.requestsOf(() => world.reconcile()), []);
  assert.is(world.checks, 2);
  world.findings = [];
  world.restart();
  await world.reconcile();
  assert.is(world.stage('classify')?.state, 'Running');
  assert.is(world.condition('Succeeded')?.reason, 'Running');
});

test('what had failed before a refusal is tried again after it', async () => {
  const world = await runningWorld({ retries: 0 });
  await world.end('classify', 1);
  world.findings = [{ field: 'spec.image', message: 'is not allowed here' }];
  world.edit('cats', (spec) => ({ ...spec, retries: 1 }));
  await world.step();
  assert.is(world.condition('Succeeded')?.reason, 'InvalidSpec');
  world.findings = [];
  world.restart();
  for (let step = 0; step < 3; step++) await world.step();
  assert.is(world.stage('classify')?.state, 'Running');
});

const imagesOf = (world: World) => world.controllers.jobs().map(({ spec }) => spec?.template.spec?.containers[0].image);

test('an image that is removed from the spec runs no more: what begins takes the operator’s', async () => {
  const world = await runningWorld({ image: 'own:1' });
  assert.equal([imagesOf(world), world.status()?.provenance?.trainerImageFrom], [['own:1'], 'Experiment']);
  await world.end('classify');
  world.edit('cats', (spec) => ({ ...spec, image: undefined }));
  await world.step();
  await world.step();
  const { trainerImage, trainerImageFrom } = world.status()?.provenance ?? {};
  assert.equal([trainerImage, trainerImageFrom], ['trainer:1', 'Operator']);
  assert.is(world.stage('classify')?.state, 'Running', 'its artifacts are those of another trainer');
  assert.is(imagesOf(world).at(-1), 'trainer:1');
});

test('an experiment that is mended after a refusal goes on with the image that it began with', async () => {
  const world = await runningWorld();
  await world.end('classify');
  world.findings = [{ field: 'spec.image', message: 'is not allowed here' }];
  world.edit('cats', (spec) => ({ ...spec, retries: 5 }));
  await world.step();
  world.findings = [];
  world.trainerImage = 'trainer:2';
  world.restart();
  world.edit('cats', (spec) => ({ ...spec, retries: 6 }));
  await world.step();
  assert.is(world.status()?.provenance?.trainerImage, 'trainer:1');
  assert.is(world.stage('classify')?.state, 'Complete');
});

test('the stages of an experiment that is refused are told as they are: stopped, or not started; what was complete stays so', async () => {
  const world = await runningWorld();
  await world.end('classify');
  world.live.set('pseudo-label', { done: 1, total: 2 });
  world.time += 5000;
  await world.step();
  assert.is(world.status()?.progress, 50);
  world.findings = [{ field: 'spec.image', message: 'is not allowed here' }];
  world.edit('cats', (spec) => ({ ...spec, retries: 5 }));
  const requests = await world.requestsOf(() => world.step());
  assert.equal(requests, ['delete jobs', 'apply cdspexperiments/status', 'create events']);
  assert.equal(
    world.status()?.stages?.map(({ name, state, reason, progress }) => [name, state, reason, progress]),
    [
      ['classify', 'Complete', 'Complete', 100],
      ['pseudo-label', 'Interrupted', 'InvalidSpec', undefined],
      ['segment', 'Pending', 'InvalidSpec', undefined],
      ['evaluate', 'Pending', 'InvalidSpec', undefined],
    ],
  );
  assert.is(world.stage('pseudo-label')?.message, 'stopped: the experiment is refused as it is');
  assert.equal([world.status()?.stage, world.status()?.progress], ['pseudo-label', undefined]);
});

test('a stage whose pod has not begun is told to wait for it, in the same write as its beginning', async () => {
  const world = await runningWorld();
  assert.is(world.condition('Succeeded')?.message, 'classify: waits for its pod to begin');
  world.time += 5000;
  await world.step();
  world.controllers.begin(podOf(world));
  assert.equal(await world.requestsOf(() => world.step()), [], 'it waits for the numbers, which are written now and then');
  world.time += 5000;
  assert.equal(await world.requestsOf(() => world.step()), ['apply cdspexperiments/status']);
  assert.is(world.condition('Succeeded')?.message, 'classify: running');
  assert.is(world.stage('classify')?.message, 'running');
});

test('class names of the data set that a status cannot hold are told as numbers', async () => {
  const classes = ['cat\u007f', 'cat\u0080', 'dog'];
  const world = await runningWorld({ dataset: { folder: { path: '.' }, classes } });
  for (const stage of STAGES) await world.end(stage, 0, JSON.stringify({ result: { iou: [0.9, 0.5, 0.4] } }));
  assert.equal(
    world.status()?.results?.classes?.map(({ name }) => name),
    ['class 0', 'class 1', 'class 2'],
  );
});

test('words of others that a status cannot hold are told as far as they go', async () => {
  const world = await runningWorld();
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'R'.repeat(300), message: `\u007f${'m'.repeat(40_000)}` }];
  world.api.put('pods', { ...podOf(world), status: { phase: 'Pending', conditions } });
  await world.step();
  world.uptime += 3000;
  await world.step();
  assert.is(world.condition('Scheduled')?.reason, 'R'.repeat(256));
  assert.match(world.condition('Scheduled')?.message ?? '', /^\ufffdm{3999}…$/);
});

test('numbers are written at most every five seconds; where an experiment stands, at once', async () => {
  const world = await runningWorld();
  await world.step();
  const tell = (done: number) => world.live.set('classify', { done, total: 100, loss: 1 / done });
  tell(10);
  assert.equal(await world.requestsOf(() => world.reconcile()), []);
  assert.equal(world.requeued.at(-1), { key: 'lab/cats', delayMs: 5000 });
  world.time += 5000;
  assert.equal(await world.requestsOf(() => world.step()), ['apply cdspexperiments/status']);
  assert.is(world.status()?.progress, 10);
  tell(20);
  await world.end('classify');
  assert.is(world.stage('classify')?.state, 'Complete');
});

test('numbers do not wait for an hour where the clock is set back by one', async () => {
  const world = await runningWorld();
  world.live.set('classify', { done: 10, total: 100 });
  world.time -= 3_600_000;
  assert.equal(await world.requestsOf(() => world.step()), ['apply cdspexperiments/status']);
});

test('events tell of the beginning, of each complete stage and of the end', async () => {
  const world = await runningWorld();
  await runAll(world);
  assert.equal(eventsOf(world), [
    'Normal Running',
    'Normal StageComplete',
    'Normal StageComplete',
    'Normal StageComplete',
    'Normal Succeeded',
  ]);
});

test('a stage that tells of no loss terms has none in its status, not an empty list', async () => {
  const world = await runningWorld();
  world.live.set('classify', { done: 1, total: 100, losses: [] });
  world.time += 5000;
  await world.step();
  assert.equal([world.stage('classify')?.progress, world.stage('classify')?.losses], [1, undefined]);
  world.live.set('classify', { done: 2, total: 100, losses: [{ name: 'scribble', value: 0.5 }] });
  world.time += 5000;
  await world.step();
  assert.equal(world.stage('classify')?.losses, [{ name: 'scribble', value: 0.5 }]);
});

const NO_GPU = '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.';
/** The scheduler finds no node for the pod of classify. */
function refuseNode(world: World, message = NO_GPU): void {
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
  world.api.put('pods', { ...podOf(world), status: { phase: 'Pending', conditions } });
}

const isAsked = ({ requeued }: World, delayMs: number) => requeued.some((asked) => asked.delayMs === delayMs);

test('a pod that has no node for a moment is not worth a word', async () => {
  const world = await runningWorld();
  await world.step();
  refuseNode(world, '0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.');
  assert.equal(await world.requestsOf(() => world.step()), []);
  assert.ok(isAsked(world, 10_000), 'a volume is made meanwhile');
  world.uptime += 2000;
  refuseNode(world);
  assert.equal(await world.requestsOf(() => world.step()), []);
  assert.ok(isAsked(world, 1000));
  world.api.put('pods', { ...podOf(world), status: { phase: 'Running' } });
  world.uptime += 1000;
  await world.step();
  assert.equal(eventsOf(world), ['Normal Running']);
});

test('the three seconds are those of each pod, whatever its clock says, and a clock that is set shortens them as little', async () => {
  const world = await runningWorld();
  refuseNode(world);
  world.time += 3_600_000;
  await world.step();
  assert.is(world.condition('Scheduled'), undefined);
  world.uptime += 2999;
  world.controllers.end(podOf(world), 75);
  world.controllers.work();
  refuseNode(world);
  await world.step();
  world.uptime += 2999;
  await world.step();
  assert.is(world.condition('Scheduled'), undefined);
  world.uptime += 1;
  await world.step();
  assert.is(world.condition('Scheduled')?.message, NO_GPU);
});

test('what has been told stays told after a restart of the operator', async () => {
  const world = await runningWorld();
  refuseNode(world);
  await world.step();
  world.uptime += 3000;
  await world.step();
  world.restart();
  world.uptime = 0;
  assert.equal(await world.requestsOf(() => world.step()), ['get persistentvolumeclaims']);
  assert.is(world.condition('Scheduled')?.message, NO_GPU);
});

test('trouble is a warning, once, and its end is told, too', async () => {
  const world = await runningWorld();
  const message = NO_GPU;
  refuseNode(world);
  await world.step();
  world.uptime += 3000;
  await world.step();
  await world.step();
  assert.is(world.condition('Scheduled')?.message, message);
  assert.is(world.condition('Succeeded')?.message, `classify does not run: ${message}`);
  world.api.put('pods', { ...podOf(world), status: { phase: 'Running' } });
  await world.step();
  assert.is(world.condition('Scheduled'), undefined);
  assert.equal(eventsOf(world), ['Normal Running', 'Warning Unschedulable', 'Normal Running']);
});

/** The pod of classify waits for its image, in the kubelet's words. */
const refuseImage = (world: World, reason: string, message: string) => {
  const state = { waiting: { reason, message } };
  const containerStatuses = [{ name: 'stage', state, image: '', imageID: '', ready: false, restartCount: 0 }];
  world.api.put('pods', { ...podOf(world), status: { phase: 'Pending', containerStatuses } });
};
const BACKOFF = 'Back-off pulling image "x:1"';
const DENIED = 'failed to pull image "x:1": 401 Unauthorized';

for (const [kubelet, message] of [
  ['that says why it waits', `${BACKOFF}: ErrImagePull: ${DENIED}`],
  ['that only says that it waits', BACKOFF],
]) {
  test(`an image that cannot be pulled is told once, in the registry’s words, of a kubelet ${kubelet}`, async () => {
    const world = await runningWorld();
    refuseImage(world, 'ErrImagePull', DENIED);
    await world.step();
    for (const [reason, words] of [
      ['ImagePullBackOff', message],
      ['ErrImagePull', DENIED],
      ['ImagePullBackOff', message],
    ]) {
      // Long enough for numbers, and other words, to be written.
      world.time += 10_000;
      refuseImage(world, reason, words);
      assert.equal(await world.requestsOf(() => world.step()), [], reason);
    }
    const { reason, message: told } = world.condition('Started') ?? {};
    assert.equal([reason, told, world.stage('classify')?.message], ['ImagePullBackOff', DENIED, DENIED]);
    assert.equal(eventsOf(world), ['Normal Running', 'Warning ImagePullBackOff']);
  });
}

test('what was told of one pod is not told of the next one, whose image may be missing for another reason', async () => {
  const world = await runningWorld();
  refuseImage(world, 'ErrImagePull', DENIED);
  await world.step();
  world.controllers.end(podOf(world), 75);
  world.controllers.work();
  refuseImage(world, 'ImagePullBackOff', BACKOFF);
  world.time += 10_000;
  await world.step();
  assert.is(world.condition('Started')?.message, BACKOFF);
});

test('a stage that failed tells when its Job gave it up', async () => {
  const world = await runningWorld();
  await world.end('classify', 65);
  const job = world.jobOf('classify');
  const failed = job?.status?.conditions?.find(({ type }) => type === 'Failed');
  assert.is(world.stage('classify')?.state, 'Failed');
  assert.ok(failed?.lastTransitionTime !== undefined);
  assert.is(world.stage('classify')?.completionTime, new Date(failed.lastTransitionTime).toISOString());
});

test('waiting in a queue is an event like any other, and no warning', async () => {
  const world = await runningWorld({ queueName: 'gpus' });
  assert.is(world.condition('Scheduled')?.reason, 'Queued');
  assert.equal(eventsOf(world), ['Normal Queued']);
});

test('a stage of which some shards run says how many and what the others wait for, and that is no trouble', async () => {
  const world = await runningWorld({ placement: { pseudoLabel: { shards: 2 } } });
  await world.end('classify');
  const first = podOf(world, 'pseudo-label');
  world.controllers.begin(first);
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: NO_GPU }];
  const metadata = { ...first.metadata, name: 'second', uid: undefined, creationTimestamp: new Date(9_000_000) };
  world.api.put('pods', { ...first, metadata, status: { phase: 'Pending', conditions } });
  await world.step();
  world.uptime += 3000;
  world.time += 5000;
  await world.step();
  assert.is(world.condition('Succeeded')?.message, `pseudo-label: 1 of 2 shards runs; the others: ${NO_GPU}`);
  assert.equal([world.condition('Scheduled'), world.stage('pseudo-label')?.reason], [undefined, 'Running']);
  assert.is(world.stage('pseudo-label')?.pod, first.metadata?.name);
  assert.ok(eventsOf(world).every((event) => event.startsWith('Normal')));
});

test('words that are longer than the schema takes are cut, wherever they come from', async () => {
  const world = await runningWorld({ retries: 0 });
  await world.end('classify', 1, 'x'.repeat(10_000));
  assert.is(world.status()?.phase, 'Failed');
  assert.ok((world.stage('classify')?.failure?.message.length ?? 0) <= 4096);
  const [event] = world.api.all<CoreV1Event>('events').slice(-1);
  assert.ok((event.message?.length ?? 0) <= 1024);
});

test('a hundred findings make a condition that the schema takes', async () => {
  const world = new World();
  world.findings = Array.from({ length: 100 }, (_, index) => ({ field: `spec.${index}`, message: 'y'.repeat(500) }));
  world.create();
  await world.step();
  assert.is(world.condition('Succeeded')?.reason, 'InvalidSpec');
});

test('fields that a newer version has written into the status are no change, and lead to no write', async () => {
  const world = await runningWorld();
  world.time += 10_000;
  await world.step();
  const experiment = world.experiment();
  const status = { ...experiment?.status, moods: ['hopeful'], stages: experiment?.status?.stages?.map((stage) => ({ ...stage, mood: 1 })) };
  world.api.put('cdspexperiments', { ...experiment, status });
  assert.equal(await world.requestsOf(() => world.step()), []);
  world.restart();
  assert.equal(await world.requestsOf(() => world.step()), []);
});

const warning = (uid: string | undefined, message: string, about: object = { uid }): Stored => ({
  metadata: { name: `warning-${uid}`, namespace: 'lab' },
  ...{ involvedObject: about, type: 'Warning', reason: 'FailedCreate', message, lastTimestamp: new Date(9e9) },
});

/** The operator looks at the experiment, has the answer to what it asked beside that, and looks again where it wants to. */
async function reconcileTwice(world: World): Promise<void> {
  await world.reconcile();
  await world.api.answered();
  if (world.requeued.at(-1)?.delayMs === 0) await world.reconcile();
}

test('a Job without a pod tells after ten seconds what its events say, asking ever more seldom', async () => {
  const world = new World();
  world.create();
  world.show();
  await world.reconcile();
  world.show();
  assert.equal(world.requeued.at(-1), { key: 'lab/cats', delayMs: 10_000 });
  world.api.put('events', warning(world.jobOf('classify')?.metadata?.uid, 'exceeded quota: pods=0'));
  world.time += 9000;
  assert.equal(await world.requestsOf(() => reconcileTwice(world)), []);
  world.time += 1000;
  const requests = ['list events', 'apply cdspexperiments/status', 'create events'];
  assert.equal(await world.requestsOf(() => reconcileTwice(world)), requests);
  assert.equal([world.condition('Started')?.reason, world.condition('Started')?.status], ['FailedCreate', 'False']);
  assert.is(world.condition('Started')?.message, 'exceeded quota: pods=0');
  world.show();
  world.time += 10_000;
  assert.equal(await world.requestsOf(() => reconcileTwice(world)), []);
  assert.equal(world.requeued.at(-1), { key: 'lab/cats', delayMs: 10_000 });
  world.controllers.work();
  await world.step();
  assert.is(world.condition('Started'), undefined);
});

test('a pod that has a node and does not begin is asked for in the same way', async () => {
  const world = await runningWorld();
  await world.step();
  world.api.put('events', warning(podOf(world).metadata?.uid, 'MountVolume.SetUp failed'));
  world.time += 10_000;
  world.show();
  await reconcileTwice(world);
  assert.is(world.condition('Started')?.message, 'MountVolume.SetUp failed');
  world.controllers.begin(podOf(world));
  await world.step();
  assert.is(world.condition('Started'), undefined);
});

for (const [what, reason, isOver] of [
  ['has turned to the images, is over', 'Pulling', true],
  ['has made the sandbox anew, is not over', 'SandboxChanged', false],
] as const) {
  test(`what the kubelet warned of in the same second, before it ${what}`, async () => {
    const world = await runningWorld();
    await world.step();
    const uid = podOf(world).metadata?.uid;
    const early = warning(uid, 'failed to sync configmap cache');
    world.api.put('events', early);
    world.api.put('events', { ...early, metadata: { name: 'then', namespace: 'lab' }, ...{ type: 'Normal', reason } });
    world.time += 10_000;
    await reconcileTwice(world);
    assert.is(world.condition('Started')?.message, isOver ? undefined : 'failed to sync configmap cache');
  });
}

/** The scheduler says nothing of the pod of classify. */
function overlook(world: World, spec: object): void {
  world.api.put('pods', { ...podOf(world), spec: { containers: [], ...spec }, status: { phase: 'Pending' } });
}

for (const [why, spec, words] of [
  ['that no scheduler looks at', { schedulerName: 'volcano' }, 'its schedulerName is volcano'],
  [
    'whose volume is being made',
    { schedulerName: 'default-scheduler', volumes: [{ name: 'artifacts', persistentVolumeClaim: { claimName: 'cdsp-cats' } }] },
    'its schedulerName is default-scheduler, and it waits where the volume of cdsp-cats is not made yet',
  ],
  [
    'that waits for a claim which is not there',
    { schedulerName: 'default-scheduler', resourceClaims: [{ name: 'gpu', resourceClaimName: 'big' }] },
    'its schedulerName is default-scheduler, and it needs the resource claim big',
  ],
  [
    'that waits for a claim which nobody has made from its template',
    { schedulerName: 'default-scheduler', resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'big' }] },
    'its schedulerName is default-scheduler, and it needs the resource claim of the template big',
  ],
] as const) {
  test(`a pod ${why} is told after half a minute`, async () => {
    const world = await runningWorld();
    overlook(world, spec);
    world.show();
    await reconcileTwice(world);
    for (const delayMs of [10_000, 20_000]) {
      assert.is(world.condition('Scheduled'), undefined);
      world.time += delayMs;
      await reconcileTwice(world);
    }
    const { reason, message } = world.condition('Scheduled') ?? {};
    assert.equal([reason, message], ['NotScheduled', `no scheduler has said where pod ${podOf(world).metadata?.name} may run; ${words}`]);
    assert.is(world.condition('Succeeded')?.reason, 'NotScheduled');
    refuseNode(world);
    world.uptime += 3000;
    world.show();
    await world.reconcile();
    world.uptime += 3000;
    await world.reconcile();
    assert.is(world.condition('Scheduled')?.reason, 'Unschedulable', 'the scheduler’s own words lead');
    world.api.put('pods', { ...podOf(world), spec: { nodeName: 'node-1', containers: [] }, status: { phase: 'Running' } });
    await world.step();
    assert.is(world.condition('Scheduled'), undefined);
  });
}

test('where an event tells why no scheduler looks at a pod, its words are told', async () => {
  const world = await runningWorld();
  overlook(world, { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'big' }] });
  world.show();
  await world.reconcile();
  const message = 'PodResourceClaim gpu: resourceclaimtemplate "big" not found';
  world.api.put('events', warning(podOf(world).metadata?.uid, message));
  world.time += 10_000;
  await reconcileTwice(world);
  assert.is(world.condition('Scheduled')?.message, message);
});

test('where an event of its claim tells why the scheduler says nothing of a pod, its words are told', async () => {
  const world = await runningWorld();
  overlook(world, { volumes: [{ name: 'artifacts', persistentVolumeClaim: { claimName: 'cdsp-cats' } }] });
  world.show();
  await world.reconcile();
  const message = 'failed to provision volume: quota of disks exceeded';
  world.api.put('events', warning('claim-1', message, { kind: 'PersistentVolumeClaim', name: 'cdsp-cats', uid: 'claim-1' }));
  for (const delayMs of [10_000, 20_000]) {
    world.time += delayMs;
    await reconcileTwice(world);
  }
  assert.is(world.condition('Scheduled')?.message, message);
});

for (const [why, status, told] of [
  ['fails', 500, 1],
  ['is forbidden', 403, 0],
] as const) {
  test(`a question for events that ${why} keeps no experiment from going on`, async () => {
    const world = await runningWorld();
    overlook(world, { schedulerName: 'volcano' });
    world.show();
    await world.reconcile();
    const noEvents = new ApiError(status, 'Fault', 'no events today');
    world.api.refuse = (verb, resource) => (verb === 'list' && resource === 'events' ? noEvents : undefined);
    world.time += 10_000;
    world.live.set('classify', { done: 10, total: 100 });
    await world.reconcile();
    assert.is(world.status()?.progress, 10, 'what is known is written without waiting for an answer');
    await world.api.answered();
    assert.is(world.errors.filter((error) => error === noEvents).length, told);
    await world.reconcile();
    assert.equal(world.requeued.at(-1), { key: 'lab/cats', delayMs: 20_000 });
    world.time += 20_000;
    await reconcileTwice(world);
    assert.is(world.condition('Scheduled')?.reason, 'NotScheduled', 'what is known without events is told');
  });
}

test('a Job that waits before it tries again is not blamed for what was before', async () => {
  const world = await runningWorld();
  const old = { ...warning(world.jobOf('classify')?.metadata?.uid, 'exceeded quota'), lastTimestamp: new Date(1) };
  world.api.put('events', old);
  world.controllers.end(podOf(world), 1);
  world.show();
  await world.reconcile();
  world.time += 10_000;
  await reconcileTwice(world);
  assert.is(world.condition('Started'), undefined);
});

test('Jobs may go when their end is told, not before; nothing runs again when they have gone', async () => {
  const world = await runningWorld({ ttlSecondsAfterFinished: 0 });
  assert.is(world.jobOf('classify')?.spec?.ttlSecondsAfterFinished, undefined);
  for (const stage of STAGES) {
    await world.end(stage);
    const job = world.jobOf(stage);
    assert.is(job?.spec?.ttlSecondsAfterFinished, 0);
    world.api.remove('jobs', job?.metadata?.name ?? '');
    world.controllers.work();
    await world.step();
  }
  assert.is(world.status()?.phase, 'Succeeded');
  assert.is(world.controllers.made.length, 4);
});

const noTtl = (verb: string, _resource: string, { spec = {} }: Stored) =>
  verb === 'merge' && 'ttlSecondsAfterFinished' in spec ? new ApiError(500, 'Fault', 'not now') : undefined;

for (const [why, meanwhile] of [
  ['is asked for again', () => {}],
  ['is asked for by the next operator', (world: World) => world.restart()],
] as const) {
  test(`the going of the last Job, once refused, ${why}`, async () => {
    const world = await runningWorld({ ttlSecondsAfterFinished: 60 });
    for (const stage of STAGES.slice(0, -1)) await world.end(stage);
    world.api.refuse = noTtl;
    await world.end('evaluate').catch(() => {});
    assert.is(world.status()?.phase, 'Succeeded');
    assert.is(world.jobOf('evaluate')?.spec?.ttlSecondsAfterFinished, undefined);
    world.show();
    assert.instance(await world.reconcile().catch((error: unknown) => error), ApiError, 'it stays an error for the queue');
    world.api.refuse = () => undefined;
    meanwhile(world);
    world.show();
    assert.equal(await world.requestsOf(() => world.reconcile()), ['merge jobs']);
    assert.is(world.jobOf('evaluate')?.spec?.ttlSecondsAfterFinished, 60);
    world.show();
    assert.equal(await world.requestsOf(() => world.reconcile()), []);
  });
}

test('of two experiments that share a Job the first says how long it stays, and they do not argue about it', async () => {
  const world = await runningWorld({ ...OURS, ttlSecondsAfterFinished: 60 });
  world.create('dogs', { ...OURS, ttlSecondsAfterFinished: 5 });
  await world.step('dogs');
  await world.end('classify');
  const job = world.jobOf('classify');
  assert.equal([job?.metadata?.ownerReferences?.length, job?.spec?.ttlSecondsAfterFinished], [2, 60]);
  await world.step('dogs');
  assert.is(world.jobOf('classify')?.spec?.ttlSecondsAfterFinished, 60);
});

test('an edit that takes the time to live away lets Jobs stay; one that somebody else has set is theirs', async () => {
  const world = await runningWorld({ ttlSecondsAfterFinished: 60 });
  await world.end('classify');
  assert.is(world.jobOf('classify')?.spec?.ttlSecondsAfterFinished, 60);
  await world.end('pseudo-label');
  const job = world.jobOf('pseudo-label');
  world.api.put('jobs', {
    ...job,
    metadata: { ...job?.metadata, annotations: {} },
    spec: { ...job?.spec, ttlSecondsAfterFinished: 7 },
  });
  world.edit('cats', (spec) => ({ ...spec, ttlSecondsAfterFinished: undefined }));
  await world.step();
  assert.is(world.jobOf('classify')?.spec?.ttlSecondsAfterFinished, undefined);
  assert.is(world.jobOf('pseudo-label')?.spec?.ttlSecondsAfterFinished, 7);
  assert.equal(await world.requestsOf(() => world.step()), []);
});

test('where nothing is to be done an experiment is looked at once', async () => {
  const world = await runningWorld();
  await world.step();
  const before = world.looks;
  assert.equal(await world.requestsOf(() => world.reconcile()), []);
  assert.is(world.looks - before, 1);
});

test.run();
