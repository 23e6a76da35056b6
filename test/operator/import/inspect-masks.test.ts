import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inspectMasks } from '../../../operator/import/inspect-masks.ts';
import type { MaskFormat } from '../../../operator/import/inspect-masks.ts';
import { encodeIndexPng } from '../../../trainer-image/data/index-png.ts';
import { badInput, png, withFolder } from './folder.ts';

const index = encodeIndexPng({ width: 3, height: 1, data: Uint8Array.of(0, 2, 255) });
const cases: [string, Record<string, string | Uint8Array>, MaskFormat, boolean, RegExp][] = [
  ['index PNGs', { 'a.png': index }, 'Index', true, /values 0, 2, 255/],
  ['grey PNGs with 255', { 'a.png': png(3, [0, 1, 255], 1) }, 'Grey', true, /class indices already/],
  ['grey PNGs among index PNGs', { 'a.png': index, 'b.png': png(2, [0, 1], 1) }, 'Index', true, /index PNGs/],
  ['indices saved as RGB', { 'a.png': png(2, [1, 1, 1, 255, 255, 255], 3) }, 'Grey', false, /`cdsp import` converts them/],
  ['sparse 0, 1, 2', { 'a.png': png(40, [1, 2, ...new Array<number>(38).fill(0)], 1) }, 'Grey', false, /1 is the foreground.*cdsp import/],
  ['black and white', { 'a.png': png(2, [0, 255], 1) }, 'Grey', false, /--map/],
  ['colour masks', { 'a.png': png(2, [0, 0, 0, 128, 0, 0], 3) }, 'Colour', false, /#000000, #800000/],
  [
    'a colour mask that is all black among others',
    { 'a.png': png(1, [0, 0, 0], 3), 'b.png': png(1, [128, 0, 0], 3) },
    'Colour',
    false,
    /colour masks/,
  ],
  ['XML', { 'a.xml': '<annotation/>' }, 'Strokes', false, /XML strokes/],
  ['a mixture', { 'a.xml': '<annotation/>', 'b.png': index }, 'Mixed', false, /several kinds/],
  ['JPEGs', { 'a.jpg': 'x' }, 'None', false, /neither PNG nor XML/],
];
for (const [what, files, format, ready, explanation] of cases) {
  test(`${what}: ${format}`, () =>
    withFolder(files, async (folder) => {
      const result = await inspectMasks(folder);
      assert.equal([result.format, result.ready], [format, ready]);
      assert.match(result.explanation, explanation);
    }));
}

const cream = [224, 224, 192];
const sparse: [string, Record<string, string | Uint8Array>, boolean][] = [
  ['index PNGs that are mostly 255', { 'a.png': encodeIndexPng({ width: 4, height: 1, data: Uint8Array.of(1, 255, 255, 255) }) }, true],
  ['index PNGs with an outline of 255', { 'a.png': index }, false],
  ['0, 1, 2 with little but 0', { 'a.png': png(40, [1, 2, ...new Array<number>(38).fill(0)], 1) }, true],
  ['0 and 1 in equal parts', { 'a.png': png(2, [0, 1], 1) }, false],
  ['colours on VOC’s cream', { 'a.png': png(3, [...cream, ...cream, 128, 0, 0], 3) }, true],
  ['colours on black', { 'a.png': png(3, [0, 0, 0, 0, 0, 0, 128, 0, 0], 3) }, false],
  ['strokes', { 'a.xml': '<annotation/>' }, true],
];
for (const [what, files, isSparse] of sparse) {
  test(`${what} are ${isSparse ? '' : 'not '}sparse`, () =>
    withFolder(files, async (folder) => assert.is((await inspectMasks(folder)).isSparse, isSparse)));
}

test('values come with the files and pixels that have them', () =>
  withFolder({ 'a.png': png(3, [0, 0, 1], 1), 'b.png': png(2, [0, 255], 1) }, async (folder) => {
    const { values, files, examined } = await inspectMasks(folder);
    assert.equal([files, examined], [2, 2]);
    assert.equal(values, [
      { value: 0, files: 2, pixels: 3, example: 'a.png' },
      { value: 1, files: 1, pixels: 1, example: 'a.png' },
      { value: 255, files: 1, pixels: 1, example: 'b.png' },
    ]);
  }));

test('a damaged file and a missing folder are named', () =>
  withFolder({ 'a.png': 'x' }, async (folder) => {
    assert.is((await badInput(inspectMasks(folder))).file, `${folder}/a.png`);
    assert.is((await badInput(inspectMasks(`${folder}/none`))).file, `${folder}/none`);
  }));

test.run();
