import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { learningRate, type ScheduleSettings } from '../../trainer-image/training/schedule.ts';
import { eachGoldenCase } from './golden.ts';

eachGoldenCase<ScheduleSettings & { readonly rate: number[] }>('schedule.json', ({ rate, ...settings }, index) =>
  test(`schedule case ${index}: the rate of each of ${rate.length} steps to 1e-12`, () => {
    assert.is(rate.length, settings.epochs * settings.stepsPerEpoch);
    rate.forEach((expected, step) => {
      const actual = learningRate(step, settings);
      assert.ok(Math.abs(actual - expected) <= 1e-12 * settings.baseRate, `step ${step}: ${actual} is not ${expected}`);
    });
  }),
);

test.run();
