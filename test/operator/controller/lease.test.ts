import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { V1Lease } from '@kubernetes/client-node';
import { ApiError } from '../../../operator/controller/cluster.ts';
import { LeaderElection } from '../../../operator/controller/lease.ts';

const DURATION_SECONDS = 5;

/** One Lease with the API server's version check, and a clock that the test moves. */
function makeWorld() {
  let lease: V1Lease | undefined;
  let version = 0;
  let time = 0;
  let isAway = false;
  const store = (object: V1Lease) => {
    lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
    return lease;
  };
  const answer = async <T>(make: () => T): Promise<T> => {
    await Promise.resolve();
    if (isAway) throw new Error('connection refused');
    return make();
  };
  const cluster = {
    get: () =>
      answer(() => {
        if (lease === undefined) throw new ApiError(404, 'NotFound', 'no lease');
        return lease;
      }),
    create: (_path: string, object: V1Lease) =>
      answer(() => {
        if (lease !== undefined) throw new ApiError(409, 'AlreadyExists', 'there is one');
        return store(object);
      }),
    replace: (_path: string, object: V1Lease) =>
      answer(() => {
        if (object.metadata?.resourceVersion !== lease?.metadata?.resourceVersion) throw new ApiError(409, 'Conflict', 'changed');
        return store(object);
      }),
  };
  const replica = (identity: string) => {
    const said: string[] = [];
    const election = new LeaderElection({
      cluster: cluster as never,
      namespace: 'cdsp',
      name: 'operator',
      identity,
      durationSeconds: DURATION_SECONDS,
      renewMs: 1_000_000,
      onLeading: () => said.push('leads'),
      onLost: () => said.push('lost'),
      onError: (error) => said.push(String(error)),
      now: () => time,
    });
    return { election, said };
  };
  return {
    replica,
    holder: () => lease?.spec?.holderIdentity,
    pass: (seconds: number) => {
      time += 1000 * seconds;
    },
    setAway: (value: boolean) => {
      isAway = value;
    },
  };
}

test('the first replica leads, a second one waits and takes over when the first gives the lease back', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  await b.election.attempt();
  assert.equal([a.election.isLeading, b.election.isLeading], [true, false]);
  await a.election.stop();
  assert.is(world.holder(), '');
  await b.election.attempt();
  assert.equal(b.said, ['leads']);
  await b.election.stop();
});

test('a lease that is not renewed is taken over after its time, measured from when it was seen to change', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  await b.election.attempt();
  world.pass(DURATION_SECONDS - 1);
  await b.election.attempt();
  assert.not(b.election.isLeading);
  world.pass(1);
  await b.election.attempt();
  assert.ok(b.election.isLeading);
  await a.election.attempt();
  assert.equal(a.said, ['leads', 'lost']);
  await Promise.all([a.election.stop(), b.election.stop()]);
});

test('a renewed lease is not taken over, however long it is held', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  for (let round = 0; round < 5; round++) {
    await b.election.attempt();
    world.pass(DURATION_SECONDS - 1);
    await a.election.attempt();
  }
  assert.equal([a.said, b.said], [['leads'], []]);
  await Promise.all([a.election.stop(), b.election.stop()]);
});

test('a leader that cannot reach the API server stops leading no later than others may begin', async () => {
  const world = makeWorld();
  const a = world.replica('a');
  await a.election.attempt();
  world.setAway(true);
  world.pass(DURATION_SECONDS - 1);
  await a.election.attempt();
  assert.ok(a.election.isLeading);
  world.pass(1);
  await a.election.attempt();
  assert.is(a.said.at(-1), 'lost');
  await a.election.stop();
});

test('the same replica goes on with its lease after a restart, without waiting', async () => {
  const world = makeWorld();
  const before = world.replica('a');
  await before.election.attempt();
  const after = world.replica('a');
  await after.election.attempt();
  assert.ok(after.election.isLeading);
  await after.election.stop();
  await before.election.stop();
});

test.run();
