import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentStatus } from '../../../operator/api/status.ts';
import { trainerImagesOf } from '../../../operator/controller/trainer-image.ts';
import { experiment } from '../plan/experiments.ts';

const NOW = { trainerImage: 'trainer:2' };
const begun = (trainerImage: string, trainerImageFrom: 'Operator' | 'Experiment' | undefined, more: ExperimentStatus = {}) =>
  ({ phase: 'Running', provenance: { trainerImage, trainerImageFrom }, ...more }) as const;
const failed = (reason: string): ExperimentStatus => ({
  phase: 'Failed',
  conditions: [{ type: 'Succeeded', status: 'False', reason, message: '', lastTransitionTime: '' }],
});
const succeeded = begun('trainer:1', 'Operator', { phase: 'Succeeded' });

const cases: [why: string, image: string | undefined, status: ExperimentStatus | undefined, expected: string][] = [
  ['a new experiment takes the operator’s', undefined, undefined, 'trainer:2'],
  ['its own image counts', 'own:1', undefined, 'own:1'],
  ['its own image counts although it began with the operator’s', 'own:1', begun('trainer:1', 'Operator'), 'own:1'],
  ['one that runs keeps the operator’s of the time when it began', undefined, begun('trainer:1', 'Operator'), 'trainer:1'],
  ['so does one that is suspended', undefined, begun('trainer:1', 'Operator', { phase: 'Suspended' }), 'trainer:1'],
  ['so does one that is mended after a refusal', undefined, begun('trainer:1', 'Operator', failed('InvalidSpec')), 'trainer:1'],
  ['one that has failed begins with the present one', undefined, begun('trainer:1', 'Operator', failed('BadInput')), 'trainer:2'],
  ['one that has succeeded would begin with the present one', undefined, succeeded, 'trainer:2'],
  ['an image that it names no longer is forgotten', undefined, begun('own:1', 'Experiment'), 'trainer:2'],
  ['an image that nobody says who has named is forgotten', undefined, begun('own:1', undefined), 'trainer:2'],
];
for (const [why, image, status, expected] of cases) {
  test(`the trainer image: ${why}`, () => assert.is(trainerImagesOf(experiment({ image }).spec, status, NOW).current, expected));
}

const finishedOf = (image: string | undefined, status: ExperimentStatus) =>
  trainerImagesOf(experiment({ image }).spec, status, NOW).finished;

test('the image that a run has succeeded with counts for what it has made, unless the experiment names another one', () => {
  assert.is(finishedOf(undefined, succeeded), 'trainer:1');
  assert.is(finishedOf(undefined, begun('trainer:2', 'Operator', { phase: 'Succeeded' })), undefined, 'it is the present one');
  assert.is(finishedOf('own:1', succeeded), undefined);
  assert.is(finishedOf(undefined, begun('own:1', 'Experiment', { phase: 'Succeeded' })), undefined);
  assert.is(finishedOf(undefined, begun('trainer:1', 'Operator', failed('BadInput'))), undefined);
});

test.run();
