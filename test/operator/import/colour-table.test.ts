import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { VOC_CLASSES } from '../../../operator/import/class-names.ts';
import { hexOf, parseColours, vocColours } from '../../../operator/import/colour-table.ts';
import { TRANSPARENT } from '../../../operator/import/mask-pixels.ts';

test('VOC’s colours: black is the background, dark red the first class, cream and transparent are not annotated', () => {
  const { indexOf } = vocColours(VOC_CLASSES);
  assert.equal(
    [0, 0x800000, 0x004080, 0xe0e0c0, TRANSPARENT].map((colour) => indexOf.get(colour)),
    [0, 1, 20, 255, 255],
  );
  assert.is(vocColours(['background', 'cat']).indexOf.has(0x008000), false);
});

test('a colours file names classes in order, the background first', () => {
  const { classes, indexOf } = parseColours(
    '// mine\n255 0 0 cat\n\n0,0,0 background\n#00ff7F guide dog\n9 9 9 ignore\n250 0 0 cat\n',
    undefined,
    'c.txt',
  );
  assert.equal(classes, ['background', 'cat', 'guide dog']);
  assert.equal(
    [0xff0000, 0, 0x00ff7f, 0x090909, 0xfa0000].map((colour) => indexOf.get(colour)),
    [1, 0, 2, 255, 1],
  );
});

test('a class list gives the indices', () => {
  const { indexOf } = parseColours('1 1 1 dog\n2 2 2 background', ['background', 'cat', 'dog'], 'c.txt');
  assert.equal([indexOf.get(0x010101), indexOf.get(0x020202)], [2, 0]);
});

const refusals: [string, string, RegExp][] = [
  ['a line of another form', '0 0 0 background\nred cat', /line 2 must be/],
  ['a number above 255', '0 0 256 background', /line 1 must be/],
  ['a colour given twice', '0 0 0 background\n#000000 cat', /line 2: #000000 is in line 1 already/],
  ['no background', '1 1 1 cat', /no colour is named "background"/],
  ['one class only', '0 0 0 background', /fewer than two/],
];
for (const [what, text, message] of refusals)
  test(`${what} is refused`, () => assert.throws(() => parseColours(text, undefined, 'c.txt'), message));

test('an unknown name is refused with the nearest one', () => {
  assert.throws(() => parseColours('1 1 1 cta', ['background', 'cat'], 'c.txt'), /did you mean "cat"/);
});

test('colours are shown as people write them', () => assert.equal([hexOf(0x00ff01), hexOf(TRANSPARENT)], ['#00ff01', 'transparent']));

test.run();
