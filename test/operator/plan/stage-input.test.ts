import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { StageInput } from '../../../operator/api/stage-contract.ts';
import { buildStageInput } from '../../../operator/plan/stage-input.ts';
import { experiment, plan } from './experiments.ts';

const inputOf = (index: number) => buildStageInput(experiment(), plan(), plan().stages[index], ({ name }) => `/runs/${name}`);

test('a stage is told the folders of everything upstream and its own', () => {
  const { upstream, output } = inputOf(3);
  assert.equal(
    { upstream, output },
    {
      upstream: { classify: '/runs/classify', pseudoLabel: '/runs/pseudo-label', segment: '/runs/segment' },
      output: '/runs/evaluate',
    },
  );
  assert.equal(inputOf(0).upstream, {});
});

test('it survives its way through the environment', () => {
  const input = inputOf(2);
  assert.equal(StageInput.parse(JSON.parse(JSON.stringify(input))), input);
});

test.run();
