import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { learningRate, rampFactor } from '../../../trainer-image/training/schedule.ts';

const SCHEDULE = { baseRate: 0.1, epochs: 4, warmupEpochs: 1, stepsPerEpoch: 10 };

for (const [why, step, changes, expected] of [
  ['starts at 0', 0, {}, 0],
  ['rises in a line', 5, {}, 0.05],
  ['reaches the base rate at the end of the warm-up', 10, {}, 0.1],
  ['is half of it in the middle of the cosine', 25, {}, 0.05],
  ['starts at the base rate without a warm-up', 0, { warmupEpochs: 0 }, 0.1],
  ['warms up over a fraction of an epoch', 2, { warmupEpochs: 0.5 }, 0.04],
  ['is still rising at the last step where all is warm-up', 39, { warmupEpochs: 4 }, 0.0975],
] as const) {
  test(`the rate ${why}`, () => {
    const actual = learningRate(step, { ...SCHEDULE, ...changes });
    assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}`);
  });
}

test('the rate never leaves 0 to the base rate, rises in the warm-up and falls after it', () => {
  const schedules = fc.record({
    baseRate: fc.double({ min: 1e-5, max: 1, noNaN: true }),
    epochs: fc.integer({ min: 1, max: 30 }),
    warmupEpochs: fc.double({ min: 0, max: 1, noNaN: true }),
    stepsPerEpoch: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(schedules, (drawn) => {
      const settings = { ...drawn, warmupEpochs: drawn.warmupEpochs * drawn.epochs };
      const rates = Array.from({ length: settings.epochs * settings.stepsPerEpoch }, (_, step) => learningRate(step, settings));
      const warmup = settings.warmupEpochs * settings.stepsPerEpoch;
      rates.forEach((rate, step) => {
        assert.ok(rate >= 0 && rate <= settings.baseRate);
        if (step === 0) return;
        if (step < warmup) assert.ok(rate >= rates[step - 1]);
        if (step - 1 >= warmup) assert.ok(rate <= rates[step - 1]);
      });
    }),
  );
});

for (const [why, step, total, ramp, expected] of [
  ['is 1 throughout without a ramp', 0, 100, { start: 0, end: 0 }, 1],
  ['is 0 before its start', 10, 100, { start: 0.25, end: 0.75 }, 0],
  ['is 0 at its start', 25, 100, { start: 0.25, end: 0.75 }, 0],
  ['rises in a line', 50, 100, { start: 0.25, end: 0.75 }, 0.5],
  ['is 1 at its end', 75, 100, { start: 0.25, end: 0.75 }, 1],
  ['jumps where start and end are one', 50, 100, { start: 0.5, end: 0.5 }, 1],
  ['is 0 before such a jump', 49, 100, { start: 0.5, end: 0.5 }, 0],
  ['rises from the first step on', 0, 100, { start: 0, end: 0.5 }, 0],
  ['is 1 in a training without steps', 0, 0, { start: 0.5, end: 1 }, 1],
] as const) {
  test(`a ramp ${why}`, () => assert.is(rampFactor(step, total, ramp), expected));
}

test.run();
