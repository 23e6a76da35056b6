// A stage that does not find the artifacts of those before it: exit code 66.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { World } from './world/world.ts';

const OURS = { storage: { claimName: 'ours' } };

async function worldInSegment(): Promise<World> {
  const world = new World();
  world.create('cats', OURS);
  await world.step();
  await world.end('classify');
  await world.end('pseudo-label');
  return world;
}
/** The operator and the controllers do what there is to do, but no pod ends. */
async function rest(world: World, name = 'cats'): Promise<void> {
  for (let step = 0; step < 4; step++) await world.step(name);
}
const runs = (world: World) => world.controllers.made.map(({ job }) => /cdsp-(.*)-[0-9a-f]{16}-/.exec(job)?.[1]);

test('the stages before it run again, then it does', async () => {
  const world = await worldInSegment();
  await world.end('segment', 66, 'no manifest.json');
  assert.is(world.stage('classify')?.reason, 'ArtifactsGone');
  await rest(world);
  for (const stage of ['classify', 'pseudo-label', 'segment'] as const) {
    await world.end(stage);
    await rest(world);
  }
  await world.end('evaluate');
  assert.is(world.status()?.phase, 'Succeeded');
  const once = ['classify', 'pseudo-label', 'segment'];
  assert.equal(runs(world), [...once, ...once, 'evaluate']);
  assert.ok(world.stage('classify')?.remadeFor);
});

test('what made the lost artifacts does not count, however long its Job and pod stay', async () => {
  const world = await worldInSegment();
  const pod = world.controllers.activePod(world.jobOf('segment')?.metadata?.name ?? '');
  assert.ok(pod);
  world.controllers.end(pod, 66);
  world.controllers.work();
  world.show();
  await world.reconcile();
  assert.is(world.jobOf('classify'), undefined);
  // Neither the Job’s end nor its pods’ has reached the operator.
  world.show(['cdspexperiments']);
  await world.reconcile();
  assert.is(world.stage('classify')?.state, 'Pending');
  world.show(['jobs']);
  await world.reconcile();
  assert.is(world.stage('classify')?.state, 'Running');
  assert.ok(world.jobOf('classify'), 'another Job makes them, beside the pod of the one before it');
});

test('an operator that starts again in between goes on with it', async () => {
  const world = await worldInSegment();
  await world.end('segment', 66);
  await rest(world);
  world.restart();
  await world.end('classify');
  world.restart();
  await rest(world);
  assert.equal([world.stage('classify')?.state, world.stage('pseudo-label')?.state], ['Complete', 'Running']);
});

test('where that does not help the stage has failed, until the experiment is edited', async () => {
  const world = await worldInSegment();
  await world.end('segment', 66);
  await rest(world);
  for (const stage of ['classify', 'pseudo-label'] as const) {
    await world.end(stage);
    await rest(world);
  }
  await world.end('segment', 66, 'no manifest.json');
  assert.is(world.condition('Succeeded')?.reason, 'UpstreamMissing');
  assert.equal(await world.requestsOf(() => world.step()), []);
  world.edit('cats', (spec) => ({ ...spec, retries: 5 }));
  await rest(world);
  assert.is(world.stage('classify')?.state, 'Running');
});

test('an experiment that shares them does not make them a third time', async () => {
  const world = await worldInSegment();
  world.create('dogs', OURS);
  await world.step('dogs');
  await world.end('segment', 66);
  await rest(world, 'dogs');
  await rest(world, 'cats');
  await world.end('classify');
  await rest(world, 'dogs');
  await rest(world, 'cats');
  assert.equal(runs(world), ['classify', 'pseudo-label', 'segment', 'classify', 'pseudo-label']);
});

test('an experiment that has borrowed stages which had been made again before may still have them made again, once', async () => {
  const world = await worldInSegment();
  await world.end('segment', 66);
  await rest(world);
  for (const stage of ['classify', 'pseudo-label', 'segment', 'evaluate'] as const) {
    await world.end(stage);
    await rest(world);
  }
  world.create('dogs', { ...OURS, losses: { scribbleDistance: { lambda: 2 } } });
  await rest(world, 'dogs');
  assert.equal([world.stage('classify', 'dogs')?.state, world.stage('segment', 'dogs')?.state], ['Cached', 'Running']);
  world.show();
  const [running] = world.controllers.jobs().filter(({ metadata }) => metadata?.ownerReferences?.some(({ name }) => name === 'dogs'));
  const pod = world.controllers.activePod(running.metadata?.name ?? '');
  assert.ok(pod);
  world.controllers.end(pod, 66);
  await rest(world, 'dogs');
  assert.is(world.condition('Succeeded', 'dogs')?.reason, 'Running');
  assert.is(world.stage('classify', 'dogs')?.state, 'Running');
});

test.run();
