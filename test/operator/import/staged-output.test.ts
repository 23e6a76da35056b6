import { spawnSync } from 'node:child_process';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeStaged } from '../../../operator/import/staged-output.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { testOnDisk } from '../../fixtures/disk.ts';
import { badInput, withFolder } from './folder.ts';

const MODULE = new URL('../../../operator/import/staged-output.ts', import.meta.url).href;
const staged = (folder: string) => ({
  source: join(folder, 'in'),
  output: join(folder, 'out'),
  names: ['a.png', 'b.png'],
  overwrite: true,
});
const files = { 'in/a.png': '', 'in/b.png': '', 'out/a.png': 'old' };

test('a process that ends in the middle, as on Ctrl-C, leaves the output as it was', () =>
  withFolder(files, async (folder) => {
    const program = `
      import { writeFileSync } from 'node:fs';
      import { writeStaged } from '${MODULE}';
      await writeStaged(${JSON.stringify(staged(folder))}, (staging) => {
        writeFileSync(staging + '/a.png', 'new');
        process.exit(75);
      });`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    assert.is(status, 75, stderr);
    assert.equal(await readdir(join(folder, 'out')), ['a.png']);
  }));

test('what a killed process left behind goes with the next one', () =>
  withFolder(files, async (folder) => {
    const left = join(folder, 'out', '.importing-left');
    await mkdir(left);
    await utimes(left, 0, 0);
    await writeStaged(staged(folder), async (staging) => {
      for (const name of ['a.png', 'b.png']) await writeFile(join(staging, name), 'new');
    });
    assert.equal((await readdir(join(folder, 'out'))).sort(), ['a.png', 'b.png']);
  }));

test('work that fails leaves no folder behind that was made for it, and none that was there goes', () =>
  withFolder(files, async (folder) => {
    await mkdir(join(folder, 'there'));
    for (const output of ['new/deep/out', 'there/out']) {
      const fail = () => Promise.reject(new BadInputError('bad mask'));
      await badInput(writeStaged({ ...staged(folder), output: join(folder, output) }, fail));
    }
    assert.equal((await readdir(folder)).sort(), ['in', 'out', 'there']);
    assert.equal(await readdir(join(folder, 'there')), []);
  }));

testOnDisk('a full disk blames the output folder and its option', (disk) =>
  withFolder(files, async (folder) => {
    const output = join(disk.path, 'out');
    const work = (staging: string) => writeFile(join(staging, 'a.png'), Buffer.alloc(1 << 20));
    const { file, field, message } = await badInput(writeStaged({ ...staged(folder), output }, work));
    assert.equal([file, field], [output, '--output']);
    assert.match(message, 'disk is full');
    assert.equal(await readdir(disk.path), []);
  }),
);

test.run();
