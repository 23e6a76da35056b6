import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRate } from '../../trainer-image/rate.ts';

test('the rate is that of the last rounds', () => {
  const rate = createRate(0);
  assert.is(rate.perSecond(), undefined);
  rate.add(4, 1000);
  assert.is(rate.perSecond(), 4);
  for (let round = 1; round <= 20; round++) rate.add(4, 1000 + 100 * round);
  assert.is(rate.perSecond(), 40, 'the slow first round is forgotten');
});

test('a pause is not counted, nor is the round that ends it', () => {
  const rate = createRate(0);
  rate.add(2, 1000);
  rate.pause();
  rate.add(2, 60_000);
  rate.add(2, 61_000);
  assert.is(rate.perSecond(), 2);
});

test.run();
