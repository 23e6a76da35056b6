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

test('it survives its way through the environment, with nothing of the placement', () => {
  const { spec, ...input } = inputOf(2);
  const { spec: read, ...others } = StageInput.parse(JSON.parse(JSON.stringify({ ...input, spec })));
  assert.equal(others, input);
  assert.equal(read, { ...spec, placement: { default: {}, classify: {}, pseudoLabel: {}, segment: {}, evaluate: {} } });
});

test('placement is not part of it, and no stage key changes by that', () => {
  const placement = { default: { nodeSelector: { zone: 'a' } } };
  const placed = experiment({ placement });
  const input = buildStageInput(placed, plan({ placement }), plan({ placement }).stages[0], ({ name }) => `/runs/${name}`);
  assert.not.match(JSON.stringify(input), 'placement');
  assert.is(input.key, inputOf(0).key);
});

test.run();
