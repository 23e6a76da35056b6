import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { degradeScribble, dropStrokes, findStrokes, shrinkScribble } from '../../../trainer-image/data/degrade.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import type { LabelMap } from '../../../trainer-image/data/types.ts';

/** A map from a drawing: a digit is a class, anything else is not annotated. */
function draw(...rows: string[]): LabelMap {
  const data = rows.flatMap((row) => [...row].map((character) => (/\d/.test(character) ? Number(character) : 255)));
  return { width: rows[0].length, height: rows.length, data: Uint8Array.from(data) };
}
const show = ({ width, data }: LabelMap): string[] => {
  const text = Array.from(data, (value) => (value === 255 ? '.' : String(value))).join('');
  return text.match(new RegExp(`.{${width}}`, 'g')) ?? [];
};
const annotated = (map: LabelMap) => map.data.reduce((count, value) => count + (value === 255 ? 0 : 1), 0);
const isSubset = (part: LabelMap, whole: LabelMap) => part.data.every((value, i) => value === 255 || value === whole.data[i]);

const shrinks: [string, string[], number, string[]][] = [
  ['half of a line keeps its middle half', ['1111111111111'], 0.5, ['...1111111...']],
  ['nothing shrunk changes nothing', ['11.22', '1...2'], 0, ['11.22', '1...2']],
  ['a line wholly shrunk leaves a spot in its middle', ['1111111111111'], 1, ['.....111.....']],
  ['a single pixel stays', ['...', '.1.', '...'], 1, ['...', '.1.', '...']],
  ['touching strokes of two classes shrink apart', ['111111111222222222'], 1, ['...111......222...']],
  [
    'the length follows the bends',
    ['11111111..', '.......1..', '.......1..', '.......1..', '.......1..', '.......1..', '.......1..', '.......1..'],
    0.6,
    ['.....111..', '.......1..', '.......1..', '..........', '..........', '..........', '..........', '..........'],
  ],
  [
    'a thick line keeps its thickness',
    ['2222222222222222222', '2222222222222222222', '2222222222222222222'],
    0.5,
    ['.....222222222.....', '.....222222222.....', '.....222222222.....'],
  ],
];
for (const [name, before, ratio, after] of shrinks) {
  test(name, () => assert.equal(show(shrinkScribble(draw(...before), ratio)), after));
}

test('strokes are 8-connected and of one class', () => {
  const strokes = findStrokes(draw('1...2', '.1.2.', '..13.', '.1...', '0...0'));
  assert.equal(
    strokes.map((stroke) => stroke.length),
    [4, 2, 1, 1, 1],
  );
});

/** Random walks with a pen of 1 to 3 pixels: they branch, cross and close. */
const scribbles = fc
  .record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(),
    walks: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ width, height, seed, walks }): LabelMap => {
    const random = createRandom(seed);
    const data = new Uint8Array(width * height).fill(255);
    for (let walk = 0; walk < walks; walk++) {
      let [x, y, angle] = [random() * width, random() * height, 7 * random()];
      const pen = Math.floor(3 * random());
      for (let step = 0; step < 40; step++) {
        for (let dy = 0; dy <= pen; dy++) {
          for (let dx = 0; dx <= pen; dx++) {
            const [column, row] = [Math.floor(x) + dx, Math.floor(y) + dy];
            if (column >= 0 && row >= 0 && column < width && row < height) data[row * width + column] = walk % 3;
          }
        }
        angle += random() - 0.5;
        x += Math.cos(angle);
        y += Math.sin(angle);
      }
    }
    return { width, height, data };
  });
const ratios = fc.double({ min: 0, max: 1, noNaN: true });

test('what is left of a scribble was part of it, with the same classes', () => {
  fc.assert(
    fc.property(scribbles, ratios, ratios, (map, shrink, drop) => assert.ok(isSubset(degradeScribble(map, { shrink, drop }, 1, 'a'), map))),
  );
});

test('a larger ratio never brings a pixel back', () => {
  fc.assert(
    fc.property(scribbles, ratios, ratios, (map, one, other) => {
      const [less, more] = [Math.min(one, other), Math.max(one, other)];
      assert.ok(isSubset(shrinkScribble(map, more), shrinkScribble(map, less)));
      const drop = (ratio: number) => dropStrokes(map, ratio, createRandom('drop'));
      assert.ok(isSubset(drop(more), drop(less)));
    }),
  );
});

test('every stroke stays in one piece', () => {
  fc.assert(
    fc.property(scribbles, ratios, (map, ratio) => assert.is(findStrokes(shrinkScribble(map, ratio)).length, findStrokes(map).length)),
  );
});

test('shrunk wholly, a stroke is a spot of one to five pixels', () => {
  fc.assert(
    fc.property(scribbles, (map) => {
      for (const stroke of findStrokes(shrinkScribble(map, 1))) assert.ok(stroke.length >= 1 && stroke.length <= 5);
    }),
  );
});

test('a ring opens into an arc of the share that is kept', () => {
  const size = 61;
  const data = Uint8Array.from({ length: size * size }, (_, i) => {
    const radius = Math.hypot((i % size) - 30, Math.floor(i / size) - 30);
    return radius > 24 && radius < 27 ? 1 : 255;
  });
  const ring = { width: size, height: size, data };
  for (const ratio of [0.25, 0.5, 0.75]) {
    const share = annotated(shrinkScribble(ring, ratio)) / annotated(ring);
    assert.ok(Math.abs(share - (1 - ratio)) < 0.05, `${ratio}: ${share}`);
  }
});

test('dropping with probability 0 keeps every stroke, with 1 none', () => {
  const map = draw('1.2.3', '.....', '0.0.0');
  assert.equal(show(degradeScribble(map, { shrink: 0, drop: 0 }, 3, 'a')), show(map));
  assert.is(annotated(degradeScribble(map, { shrink: 0, drop: 1 }, 3, 'a')), 0);
});

test('the share of dropped strokes is the probability', () => {
  const map = draw(...Array.from({ length: 50 }, (_, y) => (y % 2 === 0 ? '1.'.repeat(40) : '..'.repeat(40))));
  for (const drop of [0.1, 0.5, 0.8]) {
    const kept = annotated(degradeScribble(map, { shrink: 0, drop }, 0, 'a')) / annotated(map);
    assert.ok(Math.abs(kept - (1 - drop)) < 0.06, `${drop}: ${kept}`);
  }
});

test('the same seed and image drop the same strokes, others do not', () => {
  const map = draw('1.2.3.1.2.3.1.2.3.1.2.3.1.2.3.1.2.3.1.2.3');
  const drop = (seed: number, id: string) => show(degradeScribble(map, { shrink: 0.5, drop: 0.5 }, seed, id));
  assert.equal(drop(0, 'a'), drop(0, 'a'));
  assert.not.equal(drop(0, 'a'), drop(1, 'a'));
  assert.not.equal(drop(0, 'a'), drop(0, 'b'));
});

test('which strokes are dropped does not depend on how much is shrunk', () => {
  fc.assert(
    fc.property(scribbles, ratios, (map, shrink) => {
      const whole = degradeScribble(map, { shrink: 0, drop: 0.5 }, 2, 'a');
      const shrunk = degradeScribble(map, { shrink, drop: 0.5 }, 2, 'a');
      assert.is(findStrokes(shrunk).length, findStrokes(whole).length);
      assert.ok(isSubset(shrunk, whole));
    }),
  );
});

test('the argument is not changed', () => {
  const map = draw('1111111', '2222222');
  degradeScribble(map, { shrink: 1, drop: 0.5 }, 0, 'a');
  assert.equal(show(map), ['1111111', '2222222']);
});

test.run();
