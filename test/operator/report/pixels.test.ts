import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  DISTANCE_RAMP,
  drawMistakes,
  drawScribble,
  fade,
  fitSize,
  foregroundClasses,
  resizeLabels,
  thickenScribble,
} from '../../../operator/report/pixels.ts';
import { VOC_PALETTE } from '../../../trainer-image/data/index-png.ts';

const test = suite('pixels of the gallery');
const map = (width: number, ...data: number[]) => ({ width, height: data.length / width, data: Uint8Array.from(data) });
const gray = (width: number, height: number, value = 100) => ({ width, height, data: new Uint8Array(width * height * 3).fill(value) });

const sizes: [why: string, from: [number, number], enlarge: boolean, to: [number, number]][] = [
  ['a wide image is fitted by its width', [500, 375], false, [320, 240]],
  ['a tall image is fitted by its height', [200, 640], false, [100, 320]],
  ['a small image stays', [64, 48], false, [64, 48]],
  ['a small image grows when asked to', [64, 48], true, [320, 240]],
  ['a line keeps a pixel of height', [4000, 1], false, [320, 1]],
];
for (const [why, [width, height], enlarge, to] of sizes) {
  test(why, () => assert.equal(Object.values(fitSize({ width, height }, 320, enlarge)), to));
}

test('labels are resized without inventing classes', () => {
  assert.equal([...resizeLabels(map(2, 1, 5, 7, 255), { width: 4, height: 2 }).data], [1, 1, 5, 5, 7, 7, 255, 255]);
  assert.equal([...resizeLabels(map(4, 1, 1, 9, 9), { width: 2, height: 1 }).data], [1, 9]);
});

test('a scribble of one pixel becomes a disc of its class, also at the border', () => {
  const thick = thickenScribble(map(3, 255, 255, 255, 255, 4, 255, 255, 255, 255), { width: 3, height: 3 }, 1);
  assert.equal([...thick.data], [255, 4, 255, 4, 4, 4, 255, 4, 255]);
  const corner = thickenScribble(map(2, 2, 255, 255, 255), { width: 2, height: 2 }, 1);
  assert.equal([...corner.data], [2, 2, 2, 255]);
});

test('a drawn scribble has its colour, a white rim, and leaves its inputs alone', () => {
  const image = gray(9, 1);
  const scribble = map(9, 255, 255, 255, 255, 1, 255, 255, 255, 255);
  const drawn = drawScribble(image, scribble, VOC_PALETTE, 0.5);
  const at = (x: number) => [...drawn.data.subarray(x * 3, x * 3 + 3)];
  assert.equal(at(4), [...VOC_PALETTE[1]]);
  assert.equal(at(3), [255, 255, 255]);
  assert.equal(at(0), [...fade(image).data.subarray(0, 3)]);
  assert.ok(image.data.every((value) => value === 100));
});

test('an enlarged scribble has no holes', () => {
  const drawn = drawScribble(gray(60, 60), map(3, 255, 255, 255, 1, 1, 1, 255, 255, 255), VOC_PALETTE, 1);
  const middleRow = Array.from({ length: 60 }, (_, x) => drawn.data[(30 * 60 + x) * 3 + 1]);
  assert.ok(middleRow.every((green) => green === VOC_PALETTE[1][1]));
});

test('only wrong pixels with a truth are marked as mistakes', () => {
  const drawn = drawMistakes(gray(3, 1), map(3, 0, 1, 1), map(3, 0, 0, 255));
  const red = [0, 1, 2].map((x) => drawn.data[x * 3] > drawn.data[x * 3 + 1] + 100);
  assert.equal(red, [false, true, false]);
});

test('the distance ramp rises in lightness from dark to light', () => {
  const lightness = DISTANCE_RAMP.map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
  assert.is(lightness.length, 256);
  lightness.slice(1).forEach((value, byte) => assert.ok(value >= lightness[byte] - 0.6, `falls at ${byte}`));
});

test('background and ignored pixels are no foreground classes', () => {
  assert.equal(foregroundClasses(map(6, 0, 3, 3, 255, 1, 0)), [1, 3]);
});

test.run();
