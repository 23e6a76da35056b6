import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { quantityValue } from '../../../operator/api/quantity.ts';

for (const [quantity, value] of [
  ['20Gi', 20 * 2 ** 30],
  ['1.5Ti', 1.5 * 2 ** 40],
  ['500m', 0.5],
  ['4', 4],
  ['12e6', 12e6],
  ['1E3', 1000],
  ['2E', 2e18],
  ['3k', 3000],
  ['0.5', 0.5],
] as const) {
  test(`${quantity} is ${value}`, () => assert.ok(Math.abs(quantityValue(quantity) - value) <= 1e-9 * value));
}

for (const quantity of ['', 'Gi', '-1', '1XB', '1.2.3', 'all']) {
  test(`"${quantity}" is no quantity`, () => assert.ok(Number.isNaN(quantityValue(quantity))));
}

test.run();
