import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeIndexPng } from '../../../trainer-image/data/index-png.ts';
import { isWholePng, openTally } from '../../../trainer-image/stages/tally.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';

const IMAGES = 6;
const fresh = () => [new Float64Array(4), new Float64Array(2)];

/** Goes on with the loop of a tally for some images; each adds its own counts. */
function goOn(file: string, images: number): Float64Array[] {
  const counts = fresh();
  const tally = openTally(file, counts, IMAGES);
  for (let image = tally.done; image < Math.min(IMAGES, tally.done + images);) {
    counts[0][image % 4] += 2 ** 40 + image;
    counts[1][image % 2] += 1;
    tally.keep();
    image = tally.done;
    if (--images === 0) break;
  }
  return counts;
}

test('interrupted anywhere, a loop comes to the same counts', () =>
  withFolder((folder) => {
    const uninterrupted = goOn(join(folder, 'whole.json'), IMAGES);
    let run = 0;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }), (stops) => {
        const file = join(folder, 'deep', `${run++}.json`);
        for (const images of stops) goOn(file, images);
        assert.equal(goOn(file, IMAGES), uninterrupted);
      }),
      { numRuns: 30 },
    );
    return Promise.resolve();
  }));

test('the working time of all attempts is added up', () =>
  withFolder((folder) => {
    const file = join(folder, 'tally.json');
    goOn(file, 1);
    const kept = JSON.parse(readFileSync(file, 'utf8')) as { seconds: number };
    writeFileSync(file, JSON.stringify({ ...kept, seconds: 1000 }));
    assert.ok(openTally(file, fresh(), IMAGES).seconds >= 1000);
    return Promise.resolve();
  }));

const damages: [why: string, text: (kept: { done: number; seconds: number; counts: string[] }) => string][] = [
  ['is empty, as after a power failure', () => ''],
  ['is cut off', (kept) => JSON.stringify(kept).slice(0, -5)],
  ['holds other numbers of counts', ({ counts, ...kept }) => JSON.stringify({ ...kept, counts: [counts[0], '1 2 3'] })],
  ['holds what is no count', ({ counts, ...kept }) => JSON.stringify({ ...kept, counts: [counts[0], '1 x'] })],
  ['lacks counts', ({ counts, ...kept }) => JSON.stringify({ ...kept, counts: [counts[0]] })],
  ['counts more images than there are', (kept) => JSON.stringify({ ...kept, done: IMAGES + 1 })],
];
for (const [why, text] of damages) {
  test(`a tally that ${why} is not trusted: the loop begins anew`, () =>
    withFolder((folder) => {
      const file = join(folder, 'tally.json');
      goOn(file, 3);
      writeFileSync(file, text(JSON.parse(readFileSync(file, 'utf8')) as Parameters<typeof text>[0]));
      const counts = fresh().map((list) => list.fill(7));
      assert.is(openTally(file, counts, IMAGES).done, 0);
      assert.equal(counts, fresh());
      return Promise.resolve();
    }));
}

test('a loop of which something that was written is gone begins anew', () =>
  withFolder((folder) => {
    const file = join(folder, 'tally.json');
    goOn(file, 3);
    const asked: number[] = [];
    const done = (gone: number) => openTally(file, fresh(), IMAGES, (index) => asked.push(index) > 0 && index !== gone).done;
    assert.equal([done(3), done(1)], [3, 0]);
    assert.equal(asked, [0, 1, 2, 0, 1], 'only images that are done are asked for');
    return Promise.resolve();
  }));

test('a PNG is whole if its end is there', () =>
  withFolder((folder) => {
    const bytes = encodeIndexPng({ width: 8, height: 8, data: new Uint8Array(64) });
    const zeros = Uint8Array.from(bytes).fill(0, bytes.length - 20);
    const cases: [string, Uint8Array, boolean][] = [
      ['whole.png', bytes, true],
      ['short.png', bytes.subarray(0, -1), false],
      ['zeros.png', zeros, false],
      ['empty.png', new Uint8Array(), false],
    ];
    for (const [name, content, whole] of cases) {
      writeFileSync(join(folder, name), content);
      assert.is(isWholePng(join(folder, name)), whole, name);
    }
    mkdirSync(join(folder, 'folder.png'));
    assert.is(isWholePng(join(folder, 'folder.png')), false);
    assert.is(isWholePng(join(folder, 'missing.png')), false);
    return Promise.resolve();
  }));

test.run();
