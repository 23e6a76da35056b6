import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GENERATOR_CLASSES } from '../../../../trainer-image/data/generator/drawings.ts';
import { createRasterCache } from '../../../../trainer-image/data/generator/rasters.ts';
import { renderScene } from '../../../../trainer-image/data/generator/scene.ts';

const settings = { size: 64, maxObjects: 3, seed: 7 };
const rasters = createRasterCache(64);

test('a scene depends on its settings, split and index alone', async () => {
  const first = await renderScene(settings, 'train', 3, rasters);
  await renderScene(settings, 'train', 4, rasters);
  const again = await renderScene(settings, 'train', 3, createRasterCache(64));
  assert.equal(again, first);
});

const others = [
  ['another split', settings, 'val', 3],
  ['another index', settings, 'train', 8],
  ['another seed', { ...settings, seed: 8 }, 'train', 3],
] as const;
for (const [what, otherSettings, split, index] of others) {
  test(`${what} gives another scene`, async () => {
    const first = await renderScene(settings, 'train', 3, rasters);
    const other = await renderScene(otherSettings, split, index, rasters);
    assert.not.equal(other.image.data, first.image.data);
    assert.not.equal(other.mask.data, first.mask.data);
  });
}

test('five scenes in a row show every class', async () => {
  const classes = new Set<number>();
  for (let index = 20; index < 25; index++)
    for (const value of (await renderScene(settings, 'train', index, rasters)).mask.data) classes.add(value);
  for (let k = 0; k < GENERATOR_CLASSES.length; k++) assert.ok(classes.has(k), GENERATOR_CLASSES[k]);
});

const sizes = [
  [48, 1],
  [65, 8],
  [200, 2],
] as const;
for (const [size, maxObjects] of sizes) {
  test(`${maxObjects} objects at most in ${size}² pixels: labels are classes or 255, objects are of use and leave background`, async () => {
    for (let index = 0; index < 6; index++) {
      const { image, mask } = await renderScene({ size, maxObjects, seed: 1 }, 'train', index, createRasterCache(size));
      assert.equal([image.width, image.height, image.data.length], [size, size, size * size * 3]);
      assert.equal([mask.width, mask.height, mask.data.length], [size, size, size * size]);
      const share = (test: (value: number) => boolean) => mask.data.filter(test).length / mask.data.length;
      assert.is(
        share((value) => value >= GENERATOR_CLASSES.length && value !== 255),
        0,
      );
      assert.ok(share((value) => value > 0 && value !== 255) > 0.02);
      assert.ok(share((value) => value === 0) > 0.1);
      assert.ok(share((value) => value === 255) < 0.2, 'the ignored edge is thin');
    }
  });
}

test('the ignored edge is about a pixel wide: nearly every 255 touches a class, and background lies within two pixels', async () => {
  const { mask } = await renderScene({ size: 128, maxObjects: 1, seed: 2 }, 'train', 1, createRasterCache(128));
  const near = (pixel: number, radius: number, wanted: (value: number) => boolean) => {
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) if (wanted(mask.data[pixel + dy * 128 + dx])) return true;
    }
    return false;
  };
  const edge = [...mask.data.keys()].filter((pixel) => mask.data[pixel] === 255);
  const thin = edge.filter((pixel) => near(pixel, 2, (value) => value > 0 && value < 255) && near(pixel, 2, (value) => value === 0));
  assert.ok(edge.length > 20);
  assert.ok(thin.length > 0.7 * edge.length, `${thin.length} of ${edge.length}`);
});

test('two classes are not told apart by their mean colour', async () => {
  // The spread within a class must exceed the distance between classes: otherwise a pixel's colour would give the class away.
  const means = new Map<number, number[][]>();
  for (let index = 0; index < 40; index++) {
    const { image, mask } = await renderScene({ ...settings, maxObjects: 1 }, 'train', index, rasters);
    const label = 1 + (index % 5);
    const sum = [0, 0, 0, 0];
    mask.data.forEach((value, pixel) => {
      if (value !== label) return;
      sum[3]++;
      for (let c = 0; c < 3; c++) sum[c] += image.data[pixel * 3 + c];
    });
    means.set(label, [...(means.get(label) ?? []), sum.slice(0, 3).map((value) => value / sum[3])]);
  }
  const centre = (points: number[][]) => [0, 1, 2].map((c) => points.reduce((total, point) => total + point[c], 0) / points.length);
  const distance = (a: number[], b: number[]) => Math.hypot(...a.map((value, c) => value - b[c]));
  const groups = [...means.values()];
  const within = groups.flatMap((points) => points.map((point) => distance(point, centre(points))));
  const between = groups.flatMap((a, i) => groups.slice(i + 1).map((b) => distance(centre(a), centre(b))));
  const mean = (values: number[]) => values.reduce((total, value) => total + value, 0) / values.length;
  assert.ok(mean(within) > mean(between), `${mean(within)} within, ${mean(between)} between`);
});

test.run();
