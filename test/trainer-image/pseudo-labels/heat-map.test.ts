import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { heatColour, heatMap } from '../../../trainer-image/pseudo-labels/heat-map.ts';

/** CIE lightness of an sRGB colour. */
const lightness = (colour: number[]) => {
  const linear = colour.map((byte) => (byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.008856 ? 116 * Math.cbrt(luminance) - 16 : 903.3 * luminance;
};

test('lightness rises evenly with the value', () => {
  const steps = Array.from({ length: 21 }, (_, i) => lightness(heatColour(i / 20)));
  const rises = steps.slice(1).map((value, i) => value - steps[i]);
  assert.ok(
    rises.every((rise) => rise > 2 && rise < 6),
    rises.map((rise) => rise.toFixed(1)).join(' '),
  );
});

test('the cold end is violet, the hot end yellow', () => {
  const [cold, hot] = [heatColour(0), heatColour(1)];
  assert.ok(cold[2] > cold[1] && cold[0] > cold[1], cold.join());
  assert.ok(hot[0] > 200 && hot[1] > 200 && hot[2] < 170, hot.join());
});

test('values outside [0, 1] are cut off', () => {
  assert.equal(heatColour(-3), heatColour(0));
  assert.equal(heatColour(7), heatColour(1));
});

test('the map shows the strongest activation of a pixel and keeps the picture visible', () => {
  const image = { width: 3, height: 1, data: Uint8Array.from([0, 0, 0, 0, 0, 0, 255, 255, 255]) };
  const { data } = heatMap(image, [Float32Array.from([0, 0.9, 0]), Float32Array.from([0, 0.1, 0])]);
  const [cold, hot, coldOnWhite] = [0, 3, 6].map((start) => [...data.subarray(start, start + 3)]);
  assert.ok(lightness(hot) > lightness(cold) + 20);
  assert.ok(lightness(coldOnWhite) > lightness(cold) + 20);
});

test.run();
