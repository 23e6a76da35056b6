import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { synthScribbles } from '../../operator/synth.ts';
import { drawScribbles } from '../../trainer-image/data/draw-scribbles.ts';
import { encodeIndexPng, readIndexPng } from '../../trainer-image/data/index-png.ts';
import { badInput, withFolder } from './import/folder.ts';

const mask = { width: 40, height: 30, data: Uint8Array.from({ length: 1200 }, (_, i) => (i % 40 < 20 ? 1 : 0)) };

test('every mask gets a scribble of its name, which its seed and name determine', () =>
  withFolder({ 'masks/a.png': encodeIndexPng(mask), 'masks/b.PNG': encodeIndexPng(mask), 'masks/notes.txt': '' }, async (folder) => {
    const reports: string[] = [];
    const output = join(folder, 'out');
    const onProgress = (done: number, total: number) => reports.push(`${done}/${total}`);
    const result = await synthScribbles({ masks: join(folder, 'masks'), output, seed: 4, width: 2, coverage: 0.05, onProgress });
    assert.equal((await readdir(output)).sort(), ['a.png', 'b.png']);
    assert.equal(await readIndexPng(join(output, 'b.png')), drawScribbles(mask, { seed: 4, id: 'b', width: 2, coverage: 0.05 }));
    assert.is(result.files, 2);
    assert.ok(result.annotatedShare > 0.02 && result.annotatedShare < 0.08);
    assert.equal(reports, ['1/2', '2/2']);
  }));

test('strokes that cannot be shortened to the coverage are counted', () =>
  withFolder({ 'masks/a.png': encodeIndexPng(mask), 'masks/b.png': encodeIndexPng(mask) }, async (folder) => {
    const draw = (width: number, coverage: number) =>
      synthScribbles({ masks: join(folder, 'masks'), output: join(folder, 'out'), seed: 0, width, coverage, overwrite: true });
    assert.is((await draw(1, 0.05)).filesAbove, 0);
    const { filesAbove, highestShare } = await draw(6, 0.05);
    assert.is(filesAbove, 2);
    assert.ok(highestShare > 0.05 && highestShare < 0.5);
  }));

const refusals: [string, object, RegExp][] = [
  ['a width of 0', { width: 0 }, /above 0/],
  ['a coverage above 1', { coverage: 1.5 }, /at most 1/],
  ['the masks’ own folder as output', { output: 'masks' }, /overwrite their source/],
  ['a folder without PNGs', { masks: 'empty' }, /no PNG/],
];
for (const [what, options, message] of refusals) {
  test(`${what} is refused`, () =>
    withFolder({ 'masks/a.png': encodeIndexPng(mask), 'empty/x.txt': '' }, async (folder) => {
      const { masks = 'masks', output = 'out', ...rest } = options as { masks?: string; output?: string };
      const error = await badInput(synthScribbles({ seed: 1, masks: join(folder, masks), output: join(folder, output), ...rest }));
      assert.match(error.message, message);
    }));
}

test.run();
