import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonicalJson } from '../../../operator/plan/canonical-json.ts';
import type { Json } from '../../../operator/plan/canonical-json.ts';

const cases: [why: string, value: Json, text: string][] = [
  ['keys are sorted at every depth', { b: 1, a: { d: [], c: null } }, '{"a":{"c":null,"d":[]},"b":1}'],
  ['what is undefined is not there', { a: undefined, b: 1 }, '{"b":1}'],
  ['lists keep their order', [3, 1, 2], '[3,1,2]'],
  ['equal numbers have equal text', [1.0, 1, 0.1, 1e21, -0], '[1,1,0.1,1e+21,0]'],
  ['texts are escaped', 'a"\n', '"a\\"\\n"'],
];
for (const [why, value, text] of cases) test(why, () => assert.is(canonicalJson(value), text));

test('a number that is not finite is refused', () => {
  assert.throws(() => canonicalJson({ a: NaN }), /NaN has no JSON form/);
  assert.throws(() => canonicalJson([Infinity]), TypeError);
});

test('whatever the order of keys, the text is the same and parses to the same value', () => {
  const shuffled = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(shuffled);
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([key, child]): [string, Json] => [key, shuffled(child as Json)]);
    return Object.fromEntries(members.reverse());
  };
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = JSON.parse(JSON.stringify(value)) as Json;
      assert.is(canonicalJson(plain), canonicalJson(shuffled(plain)));
      assert.equal(JSON.parse(canonicalJson(plain)), plain);
    }),
  );
});

test.run();
