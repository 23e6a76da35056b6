import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRateMeter } from '../../../../operator/cli/progress/rate.ts';

const near = (actual: number | undefined, expected: number) =>
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) < 1e-6 * Math.max(1, Math.abs(expected)),
    `${actual} instead of ${expected}`,
  );

test('one reading is not enough for a rate', () => {
  const meter = createRateMeter();
  meter.update(5, 'step', 0);
  assert.is(meter.perSecond(), 0);
  assert.is(meter.secondsLeft(10, 1), undefined);
});

test('even progress gives its rate, whatever the distance of the readings', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 100 }),
      (steps, rate) => {
        const meter = createRateMeter();
        let done = 0;
        meter.update(done, 'step', 0);
        for (const step of steps) {
          done += step;
          meter.update(done, 'step', done / rate);
        }
        near(meter.perSecond(), rate);
      },
    ),
  );
});

test('a resumed stage counts from where it resumed', () => {
  const meter = createRateMeter();
  meter.update(500, 'step', 0);
  meter.update(510, 'step', 5);
  near(meter.perSecond(), 2);
});

test('the time left counts down between readings and never goes below zero', () => {
  const meter = createRateMeter();
  meter.update(0, 'step', 0);
  meter.update(10, 'step', 10);
  near(meter.secondsLeft(20, 10), 10);
  near(meter.secondsLeft(20, 14), 6);
  near(meter.secondsLeft(20, 40), 0);
});

test('old speed fades', () => {
  const meter = createRateMeter();
  meter.update(0, 'step', 0);
  meter.update(100, 'step', 10);
  for (let second = 1; second <= 90; second++) meter.update(100 + second, 'step', 10 + second);
  assert.ok(meter.perSecond() > 1 && meter.perSecond() < 1.1);
});

test('another phase starts anew', () => {
  const meter = createRateMeter();
  meter.update(0, 'step', 0);
  meter.update(10, 'step', 1);
  meter.update(0, 'image', 2);
  assert.is(meter.perSecond(), 0);
  meter.update(4, 'image', 4);
  near(meter.perSecond(), 2);
});

test.run();
