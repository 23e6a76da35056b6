import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  boundaryMask,
  classDistanceMap,
  distanceBytes,
  NO_FEATURE,
  scribbleDistanceMap,
  squaredDistanceTransform,
} from '../../../trainer-image/data/distance-maps.ts';
import type { LabelMap } from '../../../trainer-image/data/types.ts';

const mapOf = (...rows: number[][]): LabelMap => ({ width: rows[0].length, height: rows.length, data: Uint8Array.from(rows.flat()) });

/** Every pair of pixels, as the definition says. */
function bruteForce({ width, data }: LabelMap): number[] {
  const features = [...data.keys()].filter((i) => data[i] !== 0);
  return Array.from(data, (_, i) =>
    features.reduce((least, j) => {
      const dx = (i % width) - (j % width);
      const dy = Math.floor(i / width) - Math.floor(j / width);
      return Math.min(least, dx * dx + dy * dy);
    }, NO_FEATURE),
  );
}

function bruteBoundary({ width, height, data }: LabelMap): number[] {
  const foreground = (x: number, y: number) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return false;
    return data[y * width + x] > 0 && data[y * width + x] < 255;
  };
  return Array.from(data, (_, i) => {
    const x = i % width;
    const y = Math.floor(i / width);
    const inside = foreground(x - 1, y) && foreground(x + 1, y) && foreground(x, y - 1) && foreground(x, y + 1);
    return foreground(x, y) && !inside ? 1 : 0;
  });
}

const byte = (squared: number, exponent: number) =>
  squared === NO_FEATURE ? 255 : Math.floor(Math.min(255, Math.sqrt(Math.exp(exponent) * squared)));

/** Maps of 1 to 24 pixels a side; `values` are drawn by their weights, so that sparse and dense ones occur. */
const maps = (...values: { weight: number; value: number }[]) =>
  fc.record({ width: fc.integer({ min: 1, max: 24 }), height: fc.integer({ min: 1, max: 24 }) }).chain(({ width, height }) => {
    const pixel = fc.oneof(...values.map(({ weight, value }) => ({ weight, arbitrary: fc.constant(value) })));
    return fc
      .array(pixel, { minLength: width * height, maxLength: width * height })
      .map((data) => ({ width, height, data: Uint8Array.from(data) }));
  });
const sparse = maps({ weight: 30, value: 0 }, { weight: 1, value: 1 });
const dense = maps({ weight: 1, value: 0 }, { weight: 1, value: 1 });
const labels = maps(
  { weight: 3, value: 0 },
  { weight: 3, value: 1 },
  { weight: 2, value: 2 },
  { weight: 1, value: 254 },
  { weight: 3, value: 255 },
);
const exponents = fc.oneof(fc.constantFrom(-10, -1, 0, 1, 2, 6, 7, 20), fc.double({ min: -10, max: 20, noNaN: true }));

for (const [name, masks] of [
  ['sparse', sparse],
  ['dense', dense],
] as const) {
  test(`squared distances are exact on ${name} masks`, () => {
    fc.assert(fc.property(masks, (mask) => assert.equal([...squaredDistanceTransform(mask)], bruteForce(mask))));
  });
}

test('with a radius, distances up to it are exact and greater ones stay greater', () => {
  fc.assert(
    fc.property(sparse, fc.integer({ min: 1, max: 30 }), (mask, radius) => {
      const exact = bruteForce(mask);
      squaredDistanceTransform(mask, radius).forEach((distance, i) => {
        if (exact[i] <= radius * radius) assert.is(distance, exact[i]);
        else assert.ok(distance > radius * radius);
      });
    }),
  );
});

test('the boundary is the foreground with a 4-neighbour that is not, outside the image counting as not', () => {
  fc.assert(fc.property(labels, (map) => assert.equal([...boundaryMask(map).data], bruteBoundary(map))));
});

test('both distance maps follow their definitions for every λ', () => {
  fc.assert(
    fc.property(labels, exponents, (map, exponent) => {
      const boundary = { ...map, data: Uint8Array.from(bruteBoundary(map)) };
      assert.equal(
        [...classDistanceMap(map, exponent).data],
        bruteForce(boundary).map((squared) => byte(squared, exponent)),
      );
      const scribbled = { ...map, data: map.data.map((label) => (label > 0 && label < 255 ? 1 : 0)) };
      assert.equal(
        [...scribbleDistanceMap(map, exponent).data],
        bruteForce(scribbled).map((squared) => 255 - byte(squared, exponent)),
      );
    }),
  );
});

test('one transform serves every λ', () => {
  fc.assert(
    fc.property(labels, exponents, (map, exponent) => {
      const squared = squaredDistanceTransform(boundaryMask(map));
      assert.equal([...distanceBytes(squared, exponent)], [...classDistanceMap(map, exponent).data]);
    }),
  );
});

test('bytes are rounded down and saturate at 255', () => {
  const squared = Int32Array.of(0, 1, 2, 3, 4, 64_999, 65_024, 65_025, 65_026, 2_000_000_000, NO_FEATURE);
  assert.equal([...distanceBytes(squared, 0)], [0, 1, 1, 1, 2, 254, 254, 255, 255, 255, 255]);
});

test('a pixel alone is its own boundary', () => {
  assert.equal([...classDistanceMap(mapOf([3]), 6).data], [0]);
  assert.equal([...scribbleDistanceMap(mapOf([3]), 6).data], [255]);
});

const empty: [string, LabelMap][] = [
  ['background only', mapOf([0, 0, 0], [0, 0, 0])],
  ['ignored pixels only', mapOf([255, 255, 255], [255, 255, 255])],
  ['background and ignored pixels', mapOf([0, 255, 0], [255, 0, 255])],
  ['one background pixel', mapOf([0])],
];
for (const [name, map] of empty) {
  test(`${name}: the distance is 255 everywhere for every λ`, () => {
    for (const exponent of [-10, 0, 6, 20]) {
      assert.ok(classDistanceMap(map, exponent).data.every((value) => value === 255));
      assert.ok(scribbleDistanceMap(map, exponent).data.every((value) => value === 0));
    }
  });
}

test('an image filled with one class has its boundary at the frame', () => {
  const filled = { width: 5, height: 4, data: new Uint8Array(20).fill(1) };
  assert.equal(
    [...squaredDistanceTransform(boundaryMask(filled))],
    [...Array<number>(6).fill(0), 1, 1, 1, 0, 0, 1, 1, 1, ...Array<number>(6).fill(0)],
  );
});

test('a tall narrow and a wide flat image are measured across their whole length', () => {
  const line = Uint8Array.from({ length: 2000 }, (_, i) => (i === 0 ? 1 : 0));
  for (const [width, height] of [
    [1, 2000],
    [2000, 1],
  ]) {
    const squared = squaredDistanceTransform({ width, height, data: line });
    assert.is(squared[1999], 1999 * 1999);
    assert.is(distanceBytes(squared, -10)[1999], Math.floor(1999 * Math.exp(-5)));
  }
});

test('the argument is not changed', () => {
  const map = mapOf([0, 1, 255], [1, 1, 1], [2, 0, 0]);
  const before = [...map.data];
  classDistanceMap(map, 6);
  scribbleDistanceMap(map, 1);
  assert.equal([...map.data], before);
});

test.run();
