import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseExamples } from '../../../trainer-image/data/example-choice.ts';
import type { Candidate } from '../../../trainer-image/data/example-choice.ts';

const test = suite('the choice of examples');
const of = (...classes: number[][]): Candidate[] => classes.map((list, index) => ({ id: `image${index}`, classes: list }));

const cases: [why: string, candidates: Candidate[], count: number, chosen: string[]][] = [
  ['nothing is chosen from nothing', [], 3, []],
  ['all are chosen if there are too few', of([1], [2]), 6, ['image0', 'image1']],
  ['an image with several classes goes before one with a single class', of([1], [1, 2]), 1, ['image1']],
  ['new classes go before more classes', of([1, 2, 3], [1, 2], [4]), 2, ['image0', 'image2']],
  ['equal ones are taken in the order of the split', of([1], [1], [1]), 2, ['image0', 'image1']],
];
for (const [why, candidates, count, chosen] of cases) test(why, () => assert.equal(chooseExamples(candidates, count), chosen));

test('as many classes are shown as any single image has, and never more images than asked for', () => {
  const candidates = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 9 })), { maxLength: 12 }).map((lists) => of(...lists));
  fc.assert(
    fc.property(candidates, fc.integer({ min: 1, max: 4 }), (all, count) => {
      const chosen = chooseExamples(all, count);
      assert.is(chosen.length, Math.min(count, all.length));
      const shown = new Set(all.filter(({ id }) => chosen.includes(id)).flatMap(({ classes }) => classes));
      assert.ok(shown.size >= Math.max(0, ...all.map(({ classes }) => classes.length)));
    }),
  );
});

test.run();
