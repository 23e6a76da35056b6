import { setImmediate } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { V1Lease } from '@kubernetes/client-node';
import { ApiError } from '../../../operator/controller/cluster.ts';
import { LeaderElection } from '../../../operator/controller/lease.ts';

const DURATION_SECONDS = 5;
const RENEW_MS = 1500;

/** One Lease with the API server's version check, and a clock that the test moves. */
function makeWorld() {
  let lease: V1Lease | undefined;
  let version = 0;
  let time = 0;
  let isSetBy = 0;
  let isAway = false;
  /** How long a request takes to the server, and its answer back. */
  let delay = { there: 0, back: 0 };
  const store = (object: V1Lease) => {
    lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
    return lease;
  };
  let requests = 0;
  const answer = async <T>(make: () => T): Promise<T> => {
    requests++;
    await Promise.resolve();
    time += delay.there;
    if (isAway) throw new Error('connection refused');
    const result = make();
    time += delay.back;
    return result;
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
      renewMs: RENEW_MS,
      onLeading: () => said.push('leads'),
      onLost: () => said.push('lost'),
      onError: (error) => said.push(String(error)),
      now: () => time + isSetBy,
      elapsed: () => time,
    });
    return { election, said };
  };
  return {
    replica,
    holder: () => lease?.spec?.holderIdentity,
    async requestsOf(act: () => Promise<void>): Promise<number> {
      const before = requests;
      await act();
      return requests - before;
    },
    /** Somebody else writes it. */
    touch: (holderIdentity = lease?.spec?.holderIdentity) => store({ ...lease, spec: { ...lease?.spec, holderIdentity } }),
    pass: (seconds: number) => {
      time += 1000 * seconds;
    },
    setClock: (seconds: number) => {
      isSetBy = 1000 * seconds;
    },
    setAway: (value: boolean) => {
      isAway = value;
    },
    setDelay: (there: number, back: number) => {
      delay = { there: 1000 * there, back: 1000 * back };
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

test('a leader renews its lease by one request, and looks again where it was changed beside it', async () => {
  const world = makeWorld();
  const { election, said } = world.replica('a');
  await election.attempt();
  assert.is(await world.requestsOf(() => election.attempt()), 1);
  world.touch();
  assert.is(await world.requestsOf(() => election.attempt()), 3, 'a conflict, a look, a renewal');
  assert.is(await world.requestsOf(() => election.attempt()), 1);
  assert.equal(said, ['leads']);
  await election.stop();
});

test('a replica that waits looks three times for each renewal, and when the lease ends', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  await b.election.attempt();
  assert.is(a.election.nextAttempt(0), RENEW_MS);
  assert.is(b.election.nextAttempt(0), RENEW_MS / 3);
  world.pass(DURATION_SECONDS - 0.1);
  await b.election.attempt();
  assert.is(b.election.nextAttempt(1000 * (DURATION_SECONDS - 0.1)), 1000 * DURATION_SECONDS);
  const late = 1000 * (DURATION_SECONDS + 1);
  assert.is(b.election.nextAttempt(late), late + RENEW_MS / 3, 'one that cannot get it does not try all the time');
  await Promise.all([a.election.stop(), b.election.stop()]);
});

test('a leader whose lease another one has taken stops at its next renewal', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  world.touch('b');
  await a.election.attempt();
  assert.equal(a.said, ['leads', 'lost']);
  await Promise.all([a.election.stop(), b.election.stop()]);
});

test('a leader that cannot reach the API server stops leading before others may begin', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  await b.election.attempt();
  world.setAway(true);
  world.pass(DURATION_SECONDS - 2);
  await a.election.attempt();
  assert.ok(a.election.isLeading);
  world.pass(1);
  await a.election.attempt();
  assert.is(a.said.at(-1), 'lost');
  world.setAway(false);
  await b.election.attempt();
  assert.not(b.election.isLeading, 'others do not begin yet');
  await a.election.stop();
});

test('the time of a slow request counts: a lease that was taken long before its answer came is no reason to lead', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  world.setDelay(0, DURATION_SECONDS);
  await a.election.attempt();
  assert.is(world.holder(), 'a');
  assert.equal(a.said, []);
  world.setDelay(0, 0);
  await a.election.attempt();
  await b.election.attempt();
  assert.equal(a.said, ['leads']);
  world.setDelay(0, DURATION_SECONDS);
  await a.election.attempt();
  assert.equal(a.said, ['leads', 'lost'], 'nor to go on');
  await a.election.stop();
});

test('a leader that slept loses its lease when it is looked at, before any timer says so', async () => {
  const world = makeWorld();
  const { election, said } = world.replica('a');
  election.endWhenOver();
  assert.equal(said, [], 'who does not lead loses nothing');
  await election.attempt();
  world.pass(DURATION_SECONDS - 2);
  election.endWhenOver();
  assert.equal(said, ['leads']);
  world.pass(1);
  election.endWhenOver();
  election.endWhenOver();
  assert.equal(said, ['leads', 'lost'], 'once');
  await election.stop();
});

test('a leader whose renewals are slow, and then fail, has stopped when another one begins', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  world.setDelay(0.1, 2.9);
  await a.election.attempt();
  assert.equal(a.said, ['leads']);
  world.setDelay(0, 0);
  await b.election.attempt();
  world.setAway(true);
  world.pass(1);
  await a.election.attempt();
  assert.is(a.said.at(-1), 'lost', 'four seconds after it began to ask, not after the answer');
  world.setAway(false);
  await b.election.attempt();
  assert.not(b.election.isLeading);
  world.pass(DURATION_SECONDS);
  await b.election.attempt();
  assert.ok(b.election.isLeading);
  await Promise.all([a.election.stop(), b.election.stop()]);
});

for (const [why, seconds] of [
  ['forward', 3600],
  ['back', -3600],
] as const) {
  test(`a clock that is set ${why} by an hour neither ends a lease nor keeps it`, async () => {
    const world = makeWorld();
    const [a, b] = [world.replica('a'), world.replica('b')];
    await a.election.attempt();
    await b.election.attempt();
    world.setClock(seconds);
    await a.election.attempt();
    await b.election.attempt();
    assert.equal([a.said, b.said], [['leads'], []]);
    world.pass(DURATION_SECONDS);
    await b.election.attempt();
    assert.equal(b.said, ['leads']);
    await Promise.all([a.election.stop(), b.election.stop()]);
  });
}

test('a replica that is asked to end while it asks for the lease never leads, and gives back what it got', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  void a.election.attempt();
  let finish = () => {};
  const work = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const ended = a.election.stop(() => work.then(() => void a.said.push('finished')));
  await setImmediate();
  assert.is(world.holder(), '', 'others need not wait until it has finished');
  finish();
  await ended;
  assert.equal(a.said, ['finished']);
  await b.election.attempt();
  assert.equal(b.said, ['leads']);
  await b.election.stop();
  await a.election.attempt();
  assert.is(world.holder(), '', 'it does not ask again');
});

test('a leader that is asked to end keeps its lease until it has finished', async () => {
  const world = makeWorld();
  const [a, b] = [world.replica('a'), world.replica('b')];
  await a.election.attempt();
  await b.election.attempt();
  await a.election.stop(async () => {
    world.pass(DURATION_SECONDS - 2);
    await a.election.attempt();
    world.pass(DURATION_SECONDS - 2);
    await b.election.attempt();
    assert.not(b.election.isLeading);
  });
  assert.equal(a.said, ['leads']);
  await b.election.attempt();
  assert.equal(b.said, ['leads']);
  await b.election.stop();
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
