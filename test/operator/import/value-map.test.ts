import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TRANSPARENT } from '../../../operator/import/mask-pixels.ts';
import { guessValueMap, parseValueMap } from '../../../operator/import/value-map.ts';

test('a map is a list of value=class', () => {
  assert.equal(
    parseValueMap('0=255, 1=0,2:1'),
    new Map([
      [0, 255],
      [1, 0],
      [2, 1],
    ]),
  );
});

for (const text of ['', '1', '1=', 'a=b', '1=256', '300=1', '1=1,1=2', '1==2']) {
  test(`"${text}" is no map`, () =>
    assert.throws(
      () => parseValueMap(text),
      (error: { field: string }) => error.field === '--map',
    ));
}

type Counts = [number, number][];
const guesses: [string, Counts, number | undefined, Counts][] = [
  [
    '255 occurs: everything stays',
    [
      [0, 30],
      [5, 20],
      [255, 950],
    ],
    undefined,
    [
      [0, 0],
      [5, 5],
      [255, 255],
    ],
  ],
  [
    'transparent pixels are not annotated',
    [
      [0, 10],
      [1, 20],
      [TRANSPARENT, 970],
    ],
    undefined,
    [
      [0, 0],
      [1, 1],
      [TRANSPARENT, 255],
    ],
  ],
  [
    'sparse 0, 1, 2: unlabelled, foreground, background',
    [
      [0, 970],
      [1, 10],
      [2, 20],
    ],
    undefined,
    [
      [0, 255],
      [1, 1],
      [2, 0],
    ],
  ],
  [
    'dense 0, 1, 2: background and two classes',
    [
      [0, 600],
      [1, 300],
      [2, 100],
    ],
    undefined,
    [
      [0, 0],
      [1, 1],
      [2, 2],
    ],
  ],
  [
    'sparse values up to the number of classes: one too high',
    [
      [0, 950],
      [1, 20],
      [3, 30],
    ],
    3,
    [
      [0, 255],
      [1, 0],
      [3, 2],
    ],
  ],
];
for (const [what, counts, classes, expected] of guesses) {
  test(what, () => {
    const { indexOf, explanation } = guessValueMap(new Map(counts), classes, 'folder');
    for (const [value, index] of expected) assert.is(indexOf.get(value), index, `value ${value}`);
    assert.ok(explanation.length > 20);
  });
}

const refusals: [string, Counts, RegExp][] = [
  [
    'black and white',
    [
      [0, 900],
      [255, 100],
    ],
    /black-and-white.*--map "0=0,255=1"/,
  ],
  [
    'shades of grey',
    [
      [0, 900],
      [128, 50],
      [200, 50],
    ],
    /shades of grey/,
  ],
  [
    '0 that may be either',
    [
      [0, 800],
      [1, 200],
    ],
    /0 covers 80 %.*background, or "not annotated"/,
  ],
  [
    'sparse values without a class list',
    [
      [0, 950],
      [1, 20],
      [3, 30],
    ],
    /which value is the background/,
  ],
];
for (const [what, counts, message] of refusals) {
  test(`${what}: asks for --map`, () => {
    assert.throws(
      () => guessValueMap(new Map(counts), undefined, 'folder'),
      (error: { file: string; message: string }) => error.file === 'folder' && message.test(error.message),
    );
  });
}

test.run();
