import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom, randomInteger, shuffle } from '../../../trainer-image/data/random.ts';

const draw = (count: number, ...seeds: (number | string)[]) => {
  const random = createRandom(...seeds);
  return Array.from({ length: count }, () => random());
};

test('the stream of a seed is the same on every machine and in every version', () => {
  assert.equal(
    draw(4, 7, 'augment', 3).map((value) => value * 2 ** 32),
    [4293661718, 3638598676, 2444984339, 391475506],
  );
});

const pairs: [string, (number | string)[], (number | string)[]][] = [
  ['neighbouring numbers', [0], [1]],
  ['a number and its digits', [1], ['1']],
  ['strings cut at another place', ['ab', 'c'], ['a', 'bc']],
  ['seeds in another order', [1, 2], [2, 1]],
  ['one seed more', [1], [1, 0]],
];
for (const [what, one, other] of pairs) {
  test(`${what} give different streams`, () => {
    const a = draw(8, ...one);
    const b = draw(8, ...other);
    assert.is(a.filter((value) => b.includes(value)).length, 0);
  });
}

test('values are spread evenly over [0, 1)', () => {
  const buckets = new Array<number>(16).fill(0);
  for (const value of draw(16_000, 'even')) buckets[Math.floor(value * 16)]++;
  assert.is(buckets.length, 16);
  for (const count of buckets) assert.ok(Math.abs(count - 1000) < 150, `${count}`);
});

test('first values of consecutive seeds are spread evenly, too', () => {
  const mean = Array.from({ length: 2000 }, (_, seed) => createRandom(seed)()).reduce((sum, value) => sum + value, 0) / 2000;
  assert.ok(Math.abs(mean - 0.5) < 0.03, `${mean}`);
});

test('whole numbers reach both ends and nothing beyond', () => {
  const random = createRandom('integers');
  const seen = new Set(Array.from({ length: 200 }, () => randomInteger(random, -2, 2)));
  assert.equal(
    [...seen].sort((a, b) => a - b),
    [-2, -1, 0, 1, 2],
  );
});

test('shuffling keeps every item and leaves the argument alone', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
      const before = [...items];
      const shuffled = shuffle(items, createRandom(seed));
      assert.equal(items, before);
      assert.equal(shuffled.toSorted(), before.toSorted());
    }),
  );
});

test.run();
