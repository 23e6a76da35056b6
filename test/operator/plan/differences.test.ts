import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json } from '../../../operator/plan/canonical-json.ts';
import { differences, formatDifference } from '../../../operator/plan/differences.ts';

const cases: [why: string, before: Json | undefined, after: Json | undefined, texts: string[]][] = [
  ['equal values have none', { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, []],
  ['a number', { losses: { lorm: { weight: 1 } } }, { losses: { lorm: { weight: 2 } } }, ['losses.lorm.weight 1 → 2']],
  ['several, sorted', { b: 1, a: 'x' }, { b: 2, a: 'y' }, ['a x → y', 'b 1 → 2']],
  ['a list as a whole', { scales: [1, 2] }, { scales: [1] }, ['scales [1,2] → [1]']],
  ['something that is there now', { a: 1 }, { a: 1, b: 0.3 }, ['b unset → 0.3']],
  ['a section that is there now', {}, { losses: { lorm: { weight: 1 } } }, ['losses added']],
  ['a section that is gone', { lorm: { weight: 1 } }, {}, ['lorm removed']],
  ['digests are cut short', { data: 'a'.repeat(64) }, { data: `sha256:${'b'.repeat(64)}` }, ['data aaaaaaaa… → bbbbbbbb…']],
  ['a long value is cut short', { a: 1 }, { a: 'x'.repeat(100) }, [`a 1 → ${'x'.repeat(59)}…`]],
];
for (const [why, before, after, texts] of cases) {
  test(`differences: ${why}`, () => assert.equal(differences(before, after).map(formatDifference), texts));
}

test.run();
