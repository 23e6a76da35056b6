import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planUntil, type Plan } from '../../../operator/plan/plan.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';

const stage = (name: Plan['stages'][number]['name'], dependsOn: Plan['stages'][number]['dependsOn']) => ({
  name,
  key: name,
  inputs: {},
  dependsOn,
});
const plan: Plan = {
  experiment: 'x',
  stages: [stage('pseudo-label', []), stage('segment', ['pseudo-label']), stage('evaluate', ['segment'])],
  omitted: [{ stage: 'classify', reason: 'the pseudo-labels are external' }],
  retries: 0,
  suspend: false,
};

test('a plan up to a stage holds that stage and all it rests on', () => {
  assert.equal(
    planUntil(plan, 'segment').stages.map(({ name }) => name),
    ['pseudo-label', 'segment'],
  );
  assert.equal(planUntil(plan, 'evaluate'), plan);
});

test('a stage that the experiment leaves out is refused with the reason', () => {
  assert.throws(
    () => planUntil(plan, 'classify'),
    (error: unknown) =>
      error instanceof BadInputError && error.field === '--until' && error.message.includes('the pseudo-labels are external'),
  );
});

test.run();
