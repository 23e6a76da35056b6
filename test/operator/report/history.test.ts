import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { summarizeHistory } from '../../../operator/report/history.ts';
import type { HistoryLine } from '../../../operator/report/stage-records.ts';

const test = suite('the summary of a history');
const line = (step: number, loss: number | null, more: Partial<HistoryLine> = {}): HistoryLine => ({
  step,
  epoch: 0,
  learningRate: 0.1,
  loss,
  ...more,
});

test('a short history is kept as it is', () => {
  const curves = summarizeHistory([line(0, 3), line(1, 2, { epoch: 1 })]);
  assert.equal(curves?.steps, [0, 1]);
  assert.equal(curves?.epochs, [1, 2]);
  assert.equal(curves?.total, { mean: [3, 2], min: [3, 2], max: [3, 2] });
  assert.is(curves?.stepsPerBucket, 1);
});

test('a long history becomes means with the range that they come from', () => {
  const curves = summarizeHistory([line(0, 1), line(1, 3), line(2, 5), line(3, 9), line(4, 2)], 3);
  assert.equal(curves?.total, { mean: [2, 7, 2], min: [1, 5, 2], max: [3, 9, 2] });
  assert.is(curves?.stepsPerBucket, 2);
  assert.is(curves?.lastStep, 4);
});

test('50,000 steps come down to a few points and keep the mean of all', () => {
  const lines = Array.from({ length: 50000 }, (_, step) => line(step, step % 10));
  const curves = summarizeHistory(lines);
  assert.ok(curves !== null && curves.steps.length <= 160);
  const means = curves.total.mean.map((value) => value ?? NaN);
  assert.ok(Math.abs(means.reduce((sum, value) => sum + value, 0) / means.length - 4.5) < 0.05);
});

test('a step that was done again after an interruption counts as it was last', () => {
  const curves = summarizeHistory([line(0, 3), line(1, 2), line(1, 7), line(2, 1)]);
  assert.equal(curves?.total.mean, [3, 7, 1]);
});

test('losses that are not finite leave a gap and do not spoil the mean', () => {
  assert.equal(summarizeHistory([line(0, null), line(1, 4)], 1)?.total.mean, [4]);
  assert.equal(summarizeHistory([line(0, null), line(1, 4)])?.total.mean, [null, 4]);
});

test('terms come in the order of the sum, unknown ones last', () => {
  const terms = { other: 1, lorm: 2, scribble: 3 };
  assert.equal(
    summarizeHistory([line(0, 6, { terms })])?.terms.map(({ name }) => name),
    ['scribble', 'lorm', 'other'],
  );
});

test('mean average precision is taken from the end of an epoch, counted from 1', () => {
  const steps = [line(0, 1, { epoch: 0, meanAveragePrecision: 0.4 }), { step: 9, epoch: 2, meanAveragePrecision: 0.6 }];
  assert.equal(summarizeHistory(steps)?.meanAveragePrecision, [
    { epoch: 1, value: 0.4 },
    { epoch: 2, value: 0.6 },
  ]);
});

test('the norm of the gradients is summarized where it was taken', () => {
  const norms = [8, 2, 4, 6].map((gradientNorm, step) => line(step, 1, { gradientNorm }));
  assert.equal(summarizeHistory(norms, 2)?.gradientNorm, { mean: [5, 5], min: [2, 4], max: [8, 6] });
  assert.is(summarizeHistory([line(0, 1)])?.gradientNorm, null);
});

test('nothing is summarized as nothing', () => assert.is(summarizeHistory([]), null));

test.run();
