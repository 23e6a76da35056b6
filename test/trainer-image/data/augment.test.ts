import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cropImage, cropMap, drawGeometry, IMAGENET_NORMALISATION } from '../../../trainer-image/data/augment.ts';
import type { CropGeometry, Normalisation } from '../../../trainer-image/data/augment.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import type { LabelMap, RgbImage } from '../../../trainer-image/data/types.ts';

const PLAIN: Normalisation = { mean: [0, 0, 0], deviation: [1, 1, 1] };

/** An image whose red is x and whose green is y, both in `step`s, so that a crop tells where it came from. Blue is 200. */
function coordinates(width: number, height: number, step = 1): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.set([(i % width) * step, Math.floor(i / width) * step, 200], 3 * i);
  return { width, height, data };
}
const columnMap = (width: number, height: number): LabelMap => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height }, (_, i) => i % width),
});
const rowMap = (width: number, height: number): LabelMap => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height }, (_, i) => Math.floor(i / width)),
});
const crop = (image: RgbImage, geometry: CropGeometry, normalisation = PLAIN) => {
  const target = new Float32Array(geometry.size ** 2 * 3).fill(NaN);
  cropImage(target, image, geometry, normalisation);
  return target;
};
const cropLabels = (map: LabelMap, geometry: CropGeometry, padding = 255) => {
  const target = new Uint8Array(geometry.size ** 2).fill(77);
  cropMap(target, map, geometry, padding);
  return target;
};

test('without scaling, a crop holds the very pixels', () => {
  const geometry = { size: 4, width: 9, height: 7, left: 3, top: 2, flip: false };
  const image = crop(coordinates(9, 7), geometry);
  assert.equal([...image.subarray(0, 12)], [3, 2, 200, 4, 2, 200, 5, 2, 200, 6, 2, 200]);
  assert.equal([...cropLabels(columnMap(9, 7), geometry)], [3, 4, 5, 6, 3, 4, 5, 6, 3, 4, 5, 6, 3, 4, 5, 6]);
});

test('a mirrored crop is the same crop read backwards', () => {
  const geometry = { size: 4, width: 9, height: 7, left: 3, top: 2, flip: true };
  assert.equal([...cropLabels(columnMap(9, 7), geometry).subarray(0, 4)], [6, 5, 4, 3]);
  assert.equal([...crop(coordinates(9, 7), geometry).subarray(0, 6)], [6, 2, 200, 5, 2, 200]);
});

test('twice the size interpolates between pixel centres', () => {
  const geometry = { size: 8, width: 8, height: 8, left: 0, top: 0, flip: false };
  const image = crop(coordinates(4, 4, 40), geometry);
  const red = Array.from({ length: 8 }, (_, x) => image[3 * x]);
  assert.equal(red, [0, 10, 30, 50, 70, 90, 110, 120]);
  assert.equal([...cropLabels(columnMap(4, 4), geometry).subarray(0, 8)], [0, 0, 1, 1, 2, 2, 3, 3]);
});

test('padding is the mean for images, 255 for labels and 0 for distances', () => {
  const geometry = { size: 4, width: 2, height: 2, left: -1, top: -1, flip: false };
  const image = crop(coordinates(2, 2), geometry, IMAGENET_NORMALISATION);
  const labels = cropLabels(columnMap(2, 2), geometry);
  const distances = cropLabels({ ...columnMap(2, 2), data: new Uint8Array(4).fill(9) }, geometry, 0);
  assert.equal([...labels], [255, 255, 255, 255, 255, 0, 1, 255, 255, 0, 1, 255, 255, 255, 255, 255]);
  assert.equal([...distances], [0, 0, 0, 0, 0, 9, 9, 0, 0, 9, 9, 0, 0, 0, 0, 0]);
  labels.forEach((label, i) =>
    assert.is(
      image.subarray(3 * i, 3 * i + 3).every((value) => value === 0),
      label === 255,
    ),
  );
});

const cases = fc.record({
  width: fc.integer({ min: 1, max: 90 }),
  height: fc.integer({ min: 1, max: 90 }),
  size: fc.integer({ min: 1, max: 64 }),
  seed: fc.nat(),
  scaleMin: fc.double({ min: 0.1, max: 1, noNaN: true }),
  scaleMax: fc.double({ min: 1, max: 3, noNaN: true }),
});

test('image and maps follow the same geometry', () => {
  fc.assert(
    fc.property(cases, ({ width, height, size, seed, scaleMin, scaleMax }) => {
      const picture = coordinates(width, height, 2);
      const geometry = drawGeometry(picture, size, { scaleMin, scaleMax, flip: true }, createRandom(seed));
      const image = crop(picture, geometry);
      const columns = cropLabels(columnMap(width, height), geometry);
      const rows = cropLabels(rowMap(width, height), geometry);
      for (let i = 0; i < size * size; i++) {
        const padded = columns[i] === 255;
        assert.is(rows[i] === 255, padded);
        assert.is(image[3 * i + 2] === 0, padded);
        if (padded) continue;
        // The nearest pixel is at most half a pixel from where the bilinear one lies.
        assert.ok(Math.abs(image[3 * i] / 2 - columns[i]) <= 0.501 && Math.abs(image[3 * i + 1] / 2 - rows[i]) <= 0.501);
      }
    }),
  );
});

test('a crop shows the scaled image whole, or lies within it', () => {
  fc.assert(
    fc.property(cases, ({ width, height, size, seed, scaleMin, scaleMax }) => {
      const geometry = drawGeometry({ width, height }, size, { scaleMin, scaleMax, flip: false }, createRandom(seed));
      assert.not(geometry.flip);
      for (const [side, scaled, offset] of [
        [width, geometry.width, geometry.left],
        [height, geometry.height, geometry.top],
      ]) {
        assert.ok(scaled >= Math.max(1, Math.floor(side * scaleMin)) && scaled <= Math.ceil(side * scaleMax));
        const [inside, whole] = [offset >= 0 && offset + size <= scaled, offset <= 0 && offset + size >= scaled];
        assert.ok(inside || whole);
      }
    }),
  );
});

test('scales, positions and mirroring vary over their whole range', () => {
  const settings = { scaleMin: 0.5, scaleMax: 2, flip: true };
  const drawn = Array.from({ length: 400 }, (_, seed) => drawGeometry({ width: 100, height: 80 }, 50, settings, createRandom(seed)));
  const widths = drawn.map((geometry) => geometry.width);
  assert.ok(Math.min(...widths) >= 50 && Math.min(...widths) < 55);
  assert.ok(Math.max(...widths) <= 200 && Math.max(...widths) > 195);
  const flips = drawn.filter((geometry) => geometry.flip).length;
  assert.ok(flips > 150 && flips < 250);
  assert.ok(drawn.some((geometry) => geometry.left > 0.9 * (geometry.width - 50)));
});

test('a crop is normalised by mean and deviation of each channel', () => {
  const image = coordinates(8, 8, 20);
  const { mean, deviation } = IMAGENET_NORMALISATION;
  const cropped = crop(image, { size: 8, width: 8, height: 8, left: 0, top: 0, flip: false }, IMAGENET_NORMALISATION);
  image.data.forEach((value, i) => assert.ok(Math.abs((value - mean[i % 3]) / deviation[i % 3] - cropped[i]) < 1e-5));
});

test.run();
