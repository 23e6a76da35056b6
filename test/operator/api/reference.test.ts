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

/** The text of one section, without those below it. */
const sectionOf = (path: string) => reference.split(/^## /m).find((text) => text.startsWith(`${path}\n`)) ?? '';

test('the placements of the stages name the default’s fields instead of repeating them', () => {
  assert.is(reference.split('| `deadlineSeconds` |').length, 2);
  assert.match(sectionOf('spec.placement.segment'), 'The same fields as `spec.placement.default`.');
  assert.match(sectionOf('spec.placement.evaluate'), /`spec\.placement\.default`, and\n\n.*\n.*\n\| `shards` \|/);
});

test('lists of mappings have a section of their own', () => {
  assert.match(sectionOf('spec.placement.default'), '| `resourceClaims` | list of mappings, at most 16 |');
  assert.match(sectionOf('spec.placement.default.resourceClaims[]'), '| `resourceClaimTemplateName` | text |');
});

test('the status says of its fields whether they are always there', () => {
  assert.match(sectionOf('status.stages[]'), /\| There \| \|\n.*\n\| `name` \| .* \| always \| The stage\. \|/);
  assert.match(sectionOf('status.results'), '| `meanIou` | number, ≥ 0, ≤ 1 |  | mIoU on the validation split');
});

test('no cell breaks its table', () => {
  for (const line of reference.split('\n').filter((text) => text.startsWith('| '))) {
    assert.is(line.replaceAll('\\|', '').split('|').length, 6, line);
  }
});

test.run();
