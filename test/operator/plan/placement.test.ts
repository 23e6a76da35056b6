import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { placementOf } from '../../../operator/plan/placement.ts';
import { experiment } from './experiments.ts';

const { placement } = experiment({
  placement: { default: { gpus: 1, memory: '8Gi' }, pseudoLabel: { gpus: 0 }, segment: { nodeSelector: { gpu: 'a100' } } },
}).spec;

test('a stage without settings of its own has the default’s', () => assert.equal(placementOf(placement, 'classify'), placement.default));

test('a stage’s own setting wins, also where it is 0', () =>
  assert.equal(placementOf(placement, 'pseudo-label'), { gpus: 0, memory: '8Gi' }));

test('settings that only the stage has are added', () =>
  assert.equal(placementOf(placement, 'segment'), { gpus: 1, memory: '8Gi', nodeSelector: { gpu: 'a100' } }));

test.run();
