import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LiveProgressPoller } from '../../../operator/controller/live-progress.ts';
import type { StagePod } from '../../../operator/controller/live-progress.ts';

const pod = (podIP: string, fields: Partial<StagePod> = {}): StagePod => ({
  experiments: ['lab/cats'],
  stage: 'segment',
  key: 'aa',
  podIP,
  ...fields,
});

/** A poller over pods whose answers the test gives; `asked` says who was asked, `changed` whose status has changed. */
function makeWorld(parallelism?: number) {
  const world = {
    pods: [] as StagePod[],
    answers: new Map<string, string>(),
    asked: [] as string[],
    changed: [] as string[],
    time: 0,
    running: 0,
    most: 0,
  };
  const poller = new LiveProgressPoller({
    pods: () => world.pods,
    get: async (podIP) => {
      world.asked.push(podIP);
      world.most = Math.max(world.most, ++world.running);
      await new Promise((resolve) => setImmediate(resolve));
      world.running--;
      const answer = world.answers.get(podIP);
      if (answer === undefined) throw new Error('no answer');
      return answer;
    },
    onChange: (experiment) => world.changed.push(experiment),
    everySeconds: 2,
    parallelism,
    now: () => world.time++,
  });
  const tell = (podIP: string, fields: object) => world.answers.set(podIP, JSON.stringify({ key: 'aa', ...fields }));
  /** One round; who has changed in it. */
  const poll = async () => {
    world.changed.length = 0;
    await poller.poll();
    return [...world.changed];
  };
  return Object.assign(world, { poller, tell, poll });
}

test('what a pod tells is the progress of its stage, for every experiment that shares it', async () => {
  const world = makeWorld();
  world.pods = [pod('10.0.0.1', { experiments: ['lab/cats', 'lab/dogs'] })];
  world.tell('10.0.0.1', { done: 1, total: 4, loss: 2 });
  assert.equal(await world.poll(), ['lab/cats', 'lab/dogs']);
  for (const experiment of world.changed) {
    assert.equal([...world.poller.of(experiment)], [['segment', { done: 1, total: 4, loss: 2 }]]);
  }
  assert.is(world.poller.of('lab/others').size, 0);
});

test('only what a status would show is a change', async () => {
  const world = makeWorld();
  world.pods = [pod('10.0.0.1')];
  const told: [why: string, fields: object, isChange: boolean][] = [
    ['the first answer', { done: 1, total: 1000, loss: 2, terms: { lorm: 1 } }, true],
    ['the same again', { done: 1, total: 1000, loss: 2, terms: { lorm: 1 } }, false],
    ['less than one per cent more', { done: 2, total: 1000, loss: 2, terms: { lorm: 1 } }, false],
    ['another speed', { done: 2, total: 1000, loss: 2, terms: { lorm: 1 }, imagesPerSecond: 3 }, false],
    ['one per cent more', { done: 10, total: 1000, loss: 2, terms: { lorm: 1 } }, true],
    ['another loss', { done: 10, total: 1000, loss: 1, terms: { lorm: 1 } }, true],
    ['another term', { done: 10, total: 1000, loss: 1, terms: { lorm: 2 } }, true],
    ['an mIoU', { done: 10, total: 1000, loss: 1, terms: { lorm: 2 }, meanIou: 0.5 }, true],
  ];
  for (const [why, fields, isChange] of told) {
    world.tell('10.0.0.1', fields);
    assert.is((await world.poll()).length === 1, isChange, why);
  }
});

test('progress goes with its pod, and is then a change', async () => {
  const world = makeWorld();
  world.pods = [pod('10.0.0.1')];
  world.tell('10.0.0.1', { done: 1, total: 4 });
  await world.poll();
  world.pods = [];
  assert.equal(await world.poll(), ['lab/cats']);
  assert.is(world.poller.of('lab/cats').size, 0);
  assert.equal(await world.poll(), []);
});

test('an address that was given to another pod brings nothing over', async () => {
  const world = makeWorld();
  world.pods = [pod('10.0.0.1')];
  world.tell('10.0.0.1', { done: 1, total: 4 });
  await world.poll();
  world.pods = [pod('10.0.0.1', { key: 'bb' })];
  await world.poll();
  assert.is(world.poller.of('lab/cats').size, 0);
});

test('of the pods of a sharded stage the one that has done most counts, of equals the latest', async () => {
  const world = makeWorld(1);
  world.pods = [pod('10.0.0.1'), pod('10.0.0.2'), pod('10.0.0.3')];
  world.tell('10.0.0.1', { done: 7, total: 10 });
  world.tell('10.0.0.2', { done: 9, total: 10, imagesPerSecond: 2 });
  world.tell('10.0.0.3', { done: 9, total: 10, imagesPerSecond: 3 });
  await world.poll();
  const latest = world.asked.findLast((podIP) => podIP !== '10.0.0.1');
  assert.equal(world.poller.of('lab/cats').get('segment'), { done: 9, total: 10, imagesPerSecond: latest === '10.0.0.2' ? 2 : 3 });
});

test('what a pod told last stays while it does not answer, and it is asked less and less often', async () => {
  const world = makeWorld();
  world.pods = [pod('10.0.0.1')];
  world.tell('10.0.0.1', { done: 1, total: 4 });
  await world.poll();
  world.answers.clear();
  world.asked.length = 0;
  const rounds: number[] = [];
  for (let round = 1; round <= 32; round++) {
    const before = world.asked.length;
    assert.equal(await world.poll(), []);
    if (world.asked.length > before) rounds.push(round);
  }
  assert.equal(rounds, [1, 2, 4, 8, 16, 24, 32]);
  assert.is(world.poller.of('lab/cats').get('segment')?.done, 1);
});

test('a pod that answers again is asked in every round again', async () => {
  const world = makeWorld();
  world.pods = [pod('10.0.0.1')];
  await world.poll();
  await world.poll();
  world.tell('10.0.0.1', { done: 1, total: 4 });
  await world.poll();
  assert.is(world.poller.of('lab/cats').size, 0, 'it rests for one round');
  for (const done of [2, 3]) {
    world.tell('10.0.0.1', { done, total: 4 });
    await world.poll();
    assert.is(world.poller.of('lab/cats').get('segment')?.done, done);
  }
});

test('no more pods than allowed are asked at once, and each once', async () => {
  const world = makeWorld(8);
  world.pods = Array.from({ length: 100 }, (_, i) => pod(`10.0.1.${i}`, { experiments: [`lab/e${i}`] }));
  for (const { podIP } of world.pods) world.tell(podIP, { done: 1, total: 4 });
  assert.is((await world.poll()).length, 100);
  assert.equal([world.most, world.asked.length, new Set(world.asked).size], [8, 100, 100]);
});

test('a pod that takes long holds up no other, is not asked twice, and is told when it has answered', async () => {
  const pods = [pod('10.0.0.1', { experiments: ['lab/slow'] }), pod('10.0.0.2', { experiments: ['lab/quick'] })];
  const slow = Promise.withResolvers<string>();
  const asked: string[] = [];
  const changed: string[] = [];
  const poller = new LiveProgressPoller({
    pods: () => pods,
    get: (podIP) => {
      asked.push(podIP);
      return podIP === '10.0.0.1' ? slow.promise : Promise.resolve(JSON.stringify({ key: 'aa', done: asked.length, total: 10 }));
    },
    onChange: (experiment) => changed.push(experiment),
    everySeconds: 2,
    patience: () => new Promise((resolve) => setImmediate(resolve)),
    now: () => 0,
  });
  await poller.poll();
  await poller.poll();
  assert.equal(changed, ['lab/quick', 'lab/quick']);
  assert.equal(asked.toSorted(), ['10.0.0.1', '10.0.0.2', '10.0.0.2']);
  slow.resolve(JSON.stringify({ key: 'aa', done: 1, total: 10 }));
  await poller.poll();
  assert.ok(changed.includes('lab/slow'));
  await poller.poll();
  assert.is(asked.filter((podIP) => podIP === '10.0.0.1').length, 2);
});

test('a round that is under way when this replica stops leading has no say', async () => {
  const world = makeWorld(1);
  world.pods = [pod('10.0.0.1'), pod('10.0.0.2')];
  world.tell('10.0.0.1', { done: 1, total: 4 });
  world.tell('10.0.0.2', { done: 1, total: 4 });
  world.poller.start();
  world.poller.stop();
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal([world.asked.length, world.changed.length, world.poller.of('lab/cats').size], [1, 0, 0]);
});

test('rounds follow each other until it is stopped', async () => {
  const seen = Promise.withResolvers<void>();
  let rounds = 0;
  let time = 0;
  const poller = new LiveProgressPoller({
    pods: () => {
      if (++rounds === 3) seen.resolve();
      return [];
    },
    get: () => Promise.reject(new Error('nobody is there')),
    onChange: () => {},
    everySeconds: 1,
    // Each round seems to have taken longer than it may.
    now: () => (time += 1000),
  });
  // The timer alone does not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  poller.start();
  await seen.promise;
  poller.stop();
  const after = rounds;
  // Timers of the same length fire in their order: one more round would come first.
  await new Promise((resolve) => setTimeout(resolve, 1));
  clearInterval(alive);
  assert.is(rounds, after);
});

test('zero seconds: nobody is asked', () => {
  let asked = 0;
  const poller = new LiveProgressPoller({
    pods: () => {
      asked++;
      return [];
    },
    get: () => Promise.reject(new Error('nobody is there')),
    onChange: () => {},
    everySeconds: 0,
    now: () => 0,
  });
  poller.start();
  assert.is(asked, 0);
});

test.run();
