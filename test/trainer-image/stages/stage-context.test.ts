import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentSpec } from '../../../operator/api/experiment.ts';
import type { StageEvent } from '../../../operator/api/stage-contract.ts';
import { createStageContext, Interrupted } from '../../../trainer-image/stages/stage-context.ts';

function makeContext() {
  const events: StageEvent[] = [];
  const clock = { ms: 0 };
  const spec = ExperimentSpec.parse({ seed: 5, dataset: { generator: {} } });
  const input = { version: 'v1' as const, experiment: 'e', stage: 'segment' as const, key: 'k', spec, upstream: {}, output: '/o' };
  const ports = { emit: (event: StageEvent) => void events.push(event), isStopping: () => true, now: () => clock.ms };
  const context = createStageContext(input, { ...ports, process: 'p', shard: { number: 0, of: 1 } });
  return { context, events, clock };
}

test('progress is reported a few times a second; reaching the total always is', () => {
  const { context, events, clock } = makeContext();
  for (const [ms, done] of [
    [0, 1],
    [50, 2],
    [199, 3],
    [200, 4],
    [250, 5],
    [260, 10],
    [270, 10],
    [500, 10],
    // Another phase, from the beginning.
    [510, 1],
    [520, 10],
  ]) {
    clock.ms = ms;
    context.progress({ label: 'images', done, total: 10, unit: 'image' });
  }
  assert.equal(
    events.map((event) => event.type === 'progress' && event.done),
    [1, 4, 10, 10, 10],
  );
});

test('IoU by class goes with the first report that has a new list, also where an earlier one was left out', () => {
  const { context, events, clock } = makeContext();
  const [first, second] = [[0.1], [0.2]];
  for (const [ms, iou] of [
    [0, first],
    [300, first],
    [350, second],
    [600, second],
    [900, second],
  ] as const) {
    clock.ms = ms;
    context.progress({ label: 'images', done: ms, total: 1000, unit: 'image', meanIou: iou[0], iou, classes: ['a'] });
  }
  const told = events.map((event) => event.type === 'progress' && [event.done, event.meanIou, event.iou, event.classes]);
  assert.equal(told, [
    [0, 0.1, [0.1], ['a']],
    [300, 0.1, undefined, undefined],
    [600, 0.2, [0.2], ['a']],
    [900, 0.2, undefined, undefined],
  ]);
});

test('the context hands on seed, folder and the wish to stop; stopping is an interruption', () => {
  const { context, events } = makeContext();
  assert.equal([context.seed, context.output, context.isStopping()], [5, '/o', true]);
  context.log('well');
  context.log('hm', 'warning');
  assert.equal(events, [
    { type: 'log', level: 'info', message: 'well' },
    { type: 'log', level: 'warning', message: 'hm' },
  ]);
  assert.throws(
    () => context.stop('enough'),
    (error: unknown) => error instanceof Interrupted && error.message === 'enough',
  );
});

test.run();
