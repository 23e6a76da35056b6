import { setImmediate } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../../operator/api/experiment.ts';
import type { StageView, StageViews } from '../../../operator/controller/observe.ts';
import { SilentStages } from '../../../operator/controller/silent-stages.ts';

const viewsOf = (uid: string | undefined): StageViews => {
  const silence = uid === undefined ? undefined : { uid };
  const view: StageView = { state: { kind: 'Running', failures: 0, interruptions: 0 }, attempts: 0, silence };
  return new Map<StageName, StageView>([['classify', view]]);
};

/** Stages that wait, and questions that are answered when the test says so. */
function makeQuestions() {
  let time = 0;
  const asked: string[] = [];
  const rests: number[] = [];
  const answers: (() => void)[] = [];
  const stages = new SilentStages({
    cluster: {
      get: () => Promise.reject(new Error('no claim is asked for')),
      list: (_path: string, query?: { fieldSelector?: string }) =>
        new Promise((resolve) => {
          asked.push(/uid=([^,]+)/.exec(String(query?.fieldSelector))?.[1] ?? '');
          answers.push(() => resolve({ items: [] }));
        }),
    },
    now: () => time,
    elapsed: () => time,
    rest: (ms) => {
      rests.push(ms);
      return Promise.resolve();
    },
    requeueAfter: () => {},
    onError: (_key, error) => assert.unreachable(String(error)),
  });
  return {
    asked,
    rests,
    look: (experiment: string, uid: string | undefined) => stages.explain(experiment, 'lab', viewsOf(uid)),
    pass: (milliseconds: number) => (time += milliseconds),
    async answer() {
      answers.shift()?.();
      await setImmediate();
    },
  };
}

test('events are asked for one stage at a time, and not for one that has begun before its turn', async () => {
  const questions = makeQuestions();
  const experiments = ['a', 'b', 'c'];
  for (const name of experiments) questions.look(name, `pod-${name}`);
  questions.pass(10_000);
  for (const name of experiments) questions.look(name, `pod-${name}`);
  await setImmediate();
  assert.equal(questions.asked, ['pod-a']);
  questions.look('b', undefined);
  await questions.answer();
  assert.equal(questions.asked, ['pod-a', 'pod-c']);
  await questions.answer();
  assert.equal(questions.asked, ['pod-a', 'pod-c']);
});

test('a question that took long is followed by a pause nineteen times as long', async () => {
  const questions = makeQuestions();
  questions.look('a', 'pod-a');
  questions.pass(10_000);
  questions.look('a', 'pod-a');
  await setImmediate();
  questions.pass(300);
  await questions.answer();
  assert.equal(questions.rests, [5700]);
});

test.run();
