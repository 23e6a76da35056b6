import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { themeCss, THEMES } from '../../../operator/report/theme.ts';
import type { ColorName } from '../../../operator/report/theme.ts';

const test = suite('the themes');

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const pairs: [color: ColorName, on: ColorName, least: number][] = [
  ['ink', 'page', 7],
  ['ink', 'surface', 7],
  ['ink', 'accentSoft', 7],
  ['ink', 'warnSoft', 7],
  ['muted', 'surface', 4.5],
  ['accent', 'page', 4.5],
  ['warn', 'warnSoft', 4.5],
  // Lines are graphics, for which 3 is enough.
  ...(['total', 'scribble', 'pseudoLabel', 'scribbleDistance', 'classDistance', 'lorm'] as const).map(
    (name): [ColorName, ColorName, number] => [name, 'surface', 3],
  ),
];
for (const scheme of ['light', 'dark'] as const) {
  for (const [color, on, least] of pairs) {
    test(`${color} stands out from ${on} in the ${scheme} theme`, () => {
      assert.ok(contrast(THEMES[scheme][color], THEMES[scheme][on]) >= least, String(contrast(THEMES[scheme][color], THEMES[scheme][on])));
    });
  }
}

for (const scheme of ['light', 'dark'] as const) {
  test(`numbers can be read on every shade of the heat map in the ${scheme} theme`, () => {
    const theme = THEMES[scheme];
    const stops = [theme.heat0, theme.heat1, theme.heat2, theme.heat3, theme.heat4];
    for (let share = 0; share <= 1; share += 1 / 64) {
      const stop = Math.min(3, Math.floor(share * 4));
      const mix = (at: number) => {
        const [a, b] = [stops[stop], stops[stop + 1]].map((hex) => parseInt(hex.slice(at, at + 2), 16));
        return Math.round(a + (b - a) * (share * 4 - stop));
      };
      const shade = `#${[1, 3, 5].map((at) => mix(at).toString(16).padStart(2, '0')).join('')}`;
      const ratio = contrast(shade, share > 0.75 ? theme.heatHigh : theme.heatLow);
      assert.ok(ratio >= 4.4, `${ratio} at ${share}`);
    }
  });
}

test('both themes have the same colours, as custom properties in kebab case', () => {
  assert.equal(Object.keys(THEMES.light), Object.keys(THEMES.dark));
  assert.ok(themeCss(THEMES.light).includes(`--accent-soft: ${THEMES.light.accentSoft};`));
});

test.run();
