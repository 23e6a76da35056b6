import { createRequire } from 'node:module';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { drawingsOf, GENERATOR_CLASSES, STYLE_NAMES, STYLES } from '../../../../trainer-image/data/generator/drawings.ts';
import { readIconSet } from '../../../../trainer-image/data/generator/rasters.ts';

const require = createRequire(import.meta.url);
const foreground = GENERATOR_CLASSES.map((_, index) => index).slice(1);

test('class 0 is the background', () => {
  assert.is(GENERATOR_CLASSES[0], 'background');
  assert.is(GENERATOR_CLASSES.length, 6);
});

for (const [number, style] of STYLE_NAMES.entries()) {
  test(`every drawing of the table exists in ${style}`, async () => {
    const { icons } = await readIconSet(style);
    const missing = foreground.flatMap((index) => drawingsOf(index)[number]).filter(({ icon }) => !(icon in icons));
    assert.equal(missing, []);
  });

  test(`${style} is the version that GENERATOR_VERSION stands for; after an update raise GENERATOR_VERSION and write the new version down`, () => {
    const { version } = require(`${STYLES[style].package}/package.json`) as { version: string };
    assert.is(STYLES[style].version, version);
  });
}

test('every class has at least two drawings in every style, and no drawing belongs to two classes', () => {
  const all = foreground.flatMap((index) => drawingsOf(index).flat());
  for (const index of foreground) {
    assert.is(drawingsOf(index).length, STYLE_NAMES.length);
    assert.ok(drawingsOf(index).every((drawings) => drawings.length >= 2));
  }
  assert.is(new Set(all.map(({ style, icon }) => `${style}/${icon}`)).size, all.length);
});

test.run();
