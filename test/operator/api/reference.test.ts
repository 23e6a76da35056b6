import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildReference } from '../../../operator/api/reference.ts';

const reference = buildReference();

test('a field has its value range, default and meaning', () => {
  assert.match(reference, '| `epochs` | whole number, ≥ 1 | `50` | Passes over the training split. |');
});

test('a section’s own default wins over that of its type', () => {
  const lorm = reference.slice(reference.indexOf('## spec.losses.lorm.ramp'));
  assert.match(lorm, '`0.3333`');
});

test('rules are told where they hold', () => assert.match(reference, 'Rule: exactly one of folder and generator must be set'));

test('no cell breaks its table', () => {
  for (const line of reference.split('\n').filter((text) => text.startsWith('| '))) {
    assert.is(line.replaceAll('\\|', '').split('|').length, 6, line);
  }
});

test.run();
