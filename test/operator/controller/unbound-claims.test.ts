// A pod that finds no place since one of its claims has no volume: the cause, which is in the claim's events alone, is told.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CoreV1Event } from '@kubernetes/client-node';
import { World } from './world/world.ts';

const CLAIM = 'cdsp-cats';
const UNBOUND = '0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.';
const NOT_FOUND = 'storageclass.storage.k8s.io "fast" not found';

async function runningWorld(): Promise<World> {
  const world = new World();
  world.create();
  await world.step();
  return world;
}

/** What the scheduler says of the pod of classify. */
function refuseNode(world: World, message = UNBOUND): void {
  const [pod] = world.api.all('pods');
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
  const volumes = [{ name: 'storage', persistentVolumeClaim: { claimName: CLAIM } }];
  world.api.put('pods', { ...pod, spec: { volumes }, status: { phase: 'Pending', conditions } });
}

function setPhase(world: World, phase: string): void {
  world.api.put('persistentvolumeclaims', { ...world.api.find('persistentvolumeclaims', CLAIM), status: { phase } });
}

let events = 0;
/** An event about the claim, or about another object. */
function tell(
  world: World,
  type: string,
  reason: string,
  message: string,
  uid = world.api.find('persistentvolumeclaims', CLAIM)?.metadata?.uid,
) {
  const event: CoreV1Event = {
    metadata: { name: `told-${++events}`, namespace: 'lab' },
    involvedObject: { kind: 'PersistentVolumeClaim', name: CLAIM, uid },
    lastTimestamp: new Date(world.time + events),
    type,
    reason,
    message,
  };
  world.api.put('events', event);
}

function pass(world: World, milliseconds: number): void {
  world.time += milliseconds;
  world.uptime += milliseconds;
}

/** Time passes; what is asked then is answered, and told as soon as that is no milestone's turn: after five seconds. */
async function wait(world: World, milliseconds: number): Promise<void> {
  pass(world, milliseconds - 5000);
  await world.step();
  await world.api.answered();
  pass(world, 5000);
  await world.step();
}

function runPod(world: World): void {
  const containerStatuses = [{ name: 'stage', state: { running: {} } }];
  world.api.put('pods', { ...world.api.all('pods')[0], status: { phase: 'Running', containerStatuses } });
}

/** A pod without a place and a claim without a volume. */
async function unboundWorld(): Promise<World> {
  const world = await runningWorld();
  setPhase(world, 'Pending');
  refuseNode(world);
  await world.step();
  return world;
}

const told = (world: World) => world.condition('Scheduled')?.message;

test('why a claim has no volume is told after the scheduler’s words, and no more when it has one', async () => {
  const world = await unboundWorld();
  tell(world, 'Warning', 'ProvisioningFailed', 'too early to count');
  tell(world, 'Warning', 'ProvisioningFailed', NOT_FOUND);
  await wait(world, 15_000);
  assert.is(told(world), `${UNBOUND.slice(0, -1)}; claim cdsp-cats is not bound: ${NOT_FOUND}`);
  assert.match(world.condition('Succeeded')?.message ?? '', /^classify does not run: .*claim cdsp-cats is not bound/);
  assert.equal(await world.requestsOf(() => world.step()), []);
  setPhase(world, 'Bound');
  refuseNode(world, '0/2 nodes are available: 2 Insufficient cpu.');
  await wait(world, 5000);
  assert.is(told(world), '0/2 nodes are available: 2 Insufficient cpu.', 'other words of the scheduler are another matter');
  runPod(world);
  await world.step();
  assert.is(told(world), undefined);
});

for (const [why, prepare] of [
  ['that waits for its pod, as it is meant to', (world: World) => tell(world, 'Normal', 'WaitForFirstConsumer', 'waiting for its pod')],
  [
    'that waits for its pod after an earlier trouble',
    (world: World) => {
      tell(world, 'Warning', 'ProvisioningFailed', NOT_FOUND);
      tell(world, 'Normal', 'WaitForPodScheduled', 'waiting for pod cats to be scheduled');
    },
  ],
  ['of which nothing is known', () => {}],
  ['of whose name another one was', (world: World) => tell(world, 'Warning', 'ProvisioningFailed', NOT_FOUND, 'another-one')],
] as const) {
  test(`of a claim ${why} nothing is told`, async () => {
    const world = await unboundWorld();
    prepare(world);
    await wait(world, 15_000);
    assert.is(told(world), UNBOUND);
  });
}

test('what a storage system that is at work says does not hide its trouble', async () => {
  const world = await unboundWorld();
  tell(world, 'Warning', 'ProvisioningFailed', 'out of space');
  tell(world, 'Normal', 'ExternalProvisioning', 'waiting for a volume to be created');
  await wait(world, 15_000);
  assert.match(told(world) ?? '', 'claim cdsp-cats is not bound: out of space');
});

test('a claim that has its volume is asked for once, and its events never', async () => {
  const world = await runningWorld();
  setPhase(world, 'Bound');
  refuseNode(world, 'Insufficient nvidia.com/gpu');
  await world.step();
  const requests = await world.requestsOf(() => wait(world, 15_000));
  // The other one is the look for a claim that somebody has deleted.
  const asked = ['get persistentvolumeclaims', 'get persistentvolumeclaims'];
  assert.equal(
    requests.filter((request) => !/status|create/.test(request)),
    asked,
  );
  assert.equal(await world.requestsOf(() => wait(world, 3_600_000)), []);
});

test('nothing is asked of a pod that has its place within ten seconds', async () => {
  const world = await unboundWorld();
  pass(world, 9000);
  await world.step();
  runPod(world);
  const requests = await world.requestsOf(() => wait(world, 60_000));
  assert.equal(
    requests.filter((request) => /^(get|list)/.test(request)),
    [],
  );
});

test('a claim that waits for long is asked for ever more seldom', async () => {
  const world = await unboundWorld();
  await wait(world, 15_000);
  const asked: number[] = [];
  for (let times = 0; times < 6; times++) {
    const requests = await world.requestsOf(() => wait(world, 10_000));
    asked.push(requests.filter((request) => request === 'list events').length);
  }
  assert.equal(asked, [0, 1, 0, 0, 0, 1]);
});

test.run();
