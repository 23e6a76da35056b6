import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findStrokes } from '../../../trainer-image/data/degrade.ts';
import { drawScribbles } from '../../../trainer-image/data/draw-scribbles.ts';
import { noiseField } from '../../../trainer-image/data/noise.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import type { LabelMap } from '../../../trainer-image/data/types.ts';

const options = { seed: 1, id: 'a' };

function mapOf(width: number, height: number, label: (x: number, y: number) => number): LabelMap {
  return { width, height, data: Uint8Array.from({ length: width * height }, (_, i) => label(i % width, Math.floor(i / width))) };
}

/** A blob of class 1 in the middle of a background. */
const disc = (side: number, radius: number) => mapOf(side, side, (x, y) => (Math.hypot(x - side / 2, y - side / 2) < radius ? 1 : 0));

const count = (map: LabelMap, label: number) => map.data.filter((value) => value === label).length;

/** Masks of blotches, of any shape, with ignored pixels and any number of classes. */
const masks = fc
  .record({
    width: fc.integer({ min: 1, max: 70 }),
    height: fc.integer({ min: 1, max: 70 }),
    classes: fc.integer({ min: 1, max: 5 }),
    frequency: fc.double({ min: 1, max: 12, noNaN: true }),
    seed: fc.nat(),
    ignored: fc.double({ min: 0, max: 0.3, noNaN: true }),
  })
  .map(({ width, height, classes, frequency, seed, ignored }) => {
    const random = createRandom(seed);
    const field = noiseField(random, frequency, 2);
    return mapOf(width, height, (x, y) => (random() < ignored ? 255 : Math.min(classes - 1, Math.floor(field(x / 70, y / 70) * classes))));
  });

test('a scribble never leaves its class, and each class of the mask gets one', () => {
  fc.assert(
    fc.property(masks, fc.nat(), fc.integer({ min: 1, max: 6 }), (mask, seed, width) => {
      const scribble = drawScribbles(mask, { seed, id: 'a', width });
      assert.equal([scribble.width, scribble.height], [mask.width, mask.height]);
      scribble.data.forEach((value, pixel) => {
        if (value !== 255) assert.is(value, mask.data[pixel]);
      });
      assert.equal(new Set([...scribble.data, 255]), new Set([...mask.data, 255]));
    }),
    { numRuns: 150 },
  );
});

test('each connected part gets at most one stroke, in one piece', () => {
  fc.assert(
    fc.property(masks, fc.nat(), (mask, seed) => {
      const strokes = findStrokes(drawScribbles(mask, { seed, id: 'a' })).map((pixels) => new Set(pixels));
      for (const part of findStrokes(mask)) {
        const inside = new Set(part);
        assert.ok(strokes.filter((stroke) => inside.has([...stroke][0])).length <= 1);
      }
    }),
    { numRuns: 100 },
  );
});

test('the same arguments give the same scribble; another seed or image another one', () => {
  const mask = disc(96, 30);
  const first = drawScribbles(mask, options);
  assert.equal(drawScribbles(mask, options), first);
  assert.not.equal(drawScribbles(mask, { ...options, seed: 2 }), first);
  assert.not.equal(drawScribbles(mask, { ...options, id: 'b' }), first);
});

test('two objects of one class that do not touch get a stroke each', () => {
  const mask = mapOf(120, 60, (x, y) => (Math.hypot(x - 30, y - 30) < 18 || Math.hypot(x - 90, y - 30) < 18 ? 2 : 0));
  const strokes = findStrokes(drawScribbles(mask, options));
  const labels = strokes.map((pixels) => mask.data[pixels[0]]).sort();
  assert.equal(labels, [0, 2, 2]);
});

test('the stroke of a long object runs along it', () => {
  const mask = mapOf(120, 40, (x, y) => (x >= 10 && x < 110 && y >= 14 && y < 26 ? 1 : 0));
  const scribble = drawScribbles(mask, { ...options, coverage: 1 });
  const columns = [...scribble.data.keys()].filter((pixel) => scribble.data[pixel] === 1).map((pixel) => pixel % 120);
  assert.ok(Math.max(...columns) - Math.min(...columns) > 45);
  const rows = [...scribble.data.keys()].filter((pixel) => scribble.data[pixel] === 1).map((pixel) => Math.floor(pixel / 120));
  assert.ok(Math.min(...rows) > 14 && Math.max(...rows) < 25, 'it keeps off the outline');
});

test('a small object gets a spot, and crumbs of a class that has a larger part get none', () => {
  const mask = mapOf(100, 100, (x, y) => {
    if (x >= 10 && x < 13 && y >= 10 && y < 13) return 2;
    if (x >= 40 && x < 70 && y >= 40 && y < 70) return 1;
    return x === 90 && y === 90 ? 1 : 0;
  });
  const scribble = drawScribbles(mask, options);
  assert.ok(count(scribble, 2) >= 1 && count(scribble, 2) <= 9);
  assert.is(scribble.data[90 * 100 + 90], 255);
});

test('a stroke of width 1 has no gap and is thin', () => {
  const scribble = drawScribbles(disc(96, 40), { ...options, width: 1, coverage: 1 });
  assert.is(findStrokes(scribble).filter((pixels) => scribble.data[pixels[0]] === 1).length, 1);
  assert.ok(count(scribble, 1) < 200);
});

for (const coverage of [0.01, 0.02, 0.04]) {
  test(`coverage ${coverage} is met, roughly`, () => {
    let annotated = 0;
    for (let seed = 0; seed < 10; seed++) {
      const scribble = drawScribbles(disc(160, 50), { ...options, seed, coverage });
      annotated += scribble.data.length - count(scribble, 255);
    }
    const share = annotated / (10 * 160 * 160);
    assert.ok(share > 0.5 * coverage && share < 1.2 * coverage, `${share}`);
  });
}

test('a mask without a class, and one with nothing to annotate, are no trouble', () => {
  const nothing = mapOf(20, 10, () => 255);
  assert.equal(drawScribbles(nothing, options), nothing);
  const one = mapOf(1, 1, () => 3);
  assert.equal(drawScribbles(one, options).data, Uint8Array.of(3));
});

test.run();
