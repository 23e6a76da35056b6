import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatClock, formatLoss, formatPercent, formatRate, printable } from '../../../../operator/cli/progress/format.ts';

const cases: readonly (readonly [why: string, actual: string, expected: string])[] = [
  ['a clock starts with minutes', formatClock(8), '0:08'],
  ['a clock has no leading zero', formatClock(605), '10:05'],
  ['a clock with hours has two digits of minutes', formatClock(3849), '1:04:09'],
  ['fast work is units a second', formatRate(12.34, 'step'), '12 steps/s'],
  ['one to ten have a digit after the point', formatRate(3.44, 'image'), '3.4 images/s'],
  ['slow work is seconds a unit', formatRate(0.25, 'step'), '4.0 s/step'],
  ['an unknown rate is no text', formatRate(0, 'step'), ''],
  ['a loss has four digits', formatLoss(1.23456), '1.235'],
  ['a big loss has as many', formatLoss(123.456), '123.5'],
  ['a tiny loss has an exponent', formatLoss(0.00012), '1.2e-4'],
  ['a loss of zero is zero', formatLoss(0), '0.000'],
  ['a broken loss is shown as it is', formatLoss(NaN), 'NaN'],
  ['a ratio becomes a percentage', formatPercent(0.7391), '73.9'],
  ['an absent ratio is a dash', formatPercent(null), '-'],
  ['colours are taken out of foreign text', printable('a\x1b[31mb\x1b[0m'), 'ab'],
  ['control characters are taken out of foreign text', printable('a\rb\x07\x9bc'), 'abc'],
  ['line breaks stay in foreign text', printable('a\nb'), 'a\nb'],
];
for (const [why, actual, expected] of cases) test(why, () => assert.is(actual, expected));

test.run();
