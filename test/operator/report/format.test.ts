import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatInteger, formatNumber, formatPercent, formatShare } from '../../../operator/report/format.ts';

const test = suite('format');

test('a ratio is shown in per cent with one digit, an unknown one as a dash', () => {
  assert.equal([0.83125, 1, 0, null].map(formatPercent), ['83.1', '100.0', '0.0', '–']);
});

test('a share is shown in whole per cent', () => assert.equal([0.774, 1].map(formatShare), ['77 %', '100 %']));

test('counts have separators', () => assert.is(formatInteger(1234567), '1,234,567'));

test('losses have four significant digits', () => {
  assert.equal([0, 0.123456, 12.3456, 0.00001234, 2e7].map(formatNumber), ['0', '0.1235', '12.35', '1.23e-5', '2.00e+7']);
});

test.run();
