import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCheckpoint, prepareFolder, readInputs, stageFolder } from '../../../operator/local/stage-folders.ts';
import { inspectFolder } from '../../../trainer-image/stage-folder.ts';
import { plan } from '../plan/experiments.ts';
import { withFolder } from './temporary-folder.ts';

const [stage] = plan().stages;

/** A complete stage: two files and their manifest. */
function complete(folder: string, manifest: Record<string, unknown> = {}): void {
  mkdirSync(join(folder, 'labels'), { recursive: true });
  const files = ['weights.bin', 'labels/cat.png'].map((path) => {
    writeFileSync(join(folder, path), path);
    return { path, size: path.length, sha256: createHash('sha256').update(path).digest('hex') };
  });
  const content = { version: 'v1', stage: stage.name, key: stage.key, experiment: 'x', trainer: '1', seconds: 1, metrics: {}, files };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...content, ...manifest }));
}

const cases: [why: string, damage: (folder: string) => void, kind: string, damagedFiles?: string[]][] = [
  ['a manifest whose files are there', () => {}, 'Complete'],
  ['no manifest', (folder) => rmSync(join(folder, 'manifest.json')), 'Unfinished'],
  ['half a manifest', (folder) => truncateSync(join(folder, 'manifest.json'), 20), 'Damaged', []],
  ['an empty manifest', (folder) => truncateSync(join(folder, 'manifest.json')), 'Damaged', []],
  ['the manifest of another key', (folder) => complete(folder, { key: 'other' }), 'Damaged', []],
  ['the manifest of another stage', (folder) => complete(folder, { stage: 'evaluate' }), 'Damaged', []],
  ['a manifest of a later version', (folder) => complete(folder, { version: 'v2' }), 'Damaged', []],
  ['a file that is gone', (folder) => rmSync(join(folder, 'weights.bin')), 'Damaged', ['weights.bin']],
  ['a file cut short', (folder) => truncateSync(join(folder, 'labels/cat.png'), 3), 'Damaged', ['labels/cat.png']],
  [
    'a folder in place of a file',
    (folder) => {
      rmSync(join(folder, 'weights.bin'));
      mkdirSync(join(folder, 'weights.bin'));
    },
    'Damaged',
    ['weights.bin'],
  ],
  [
    'a file outside the folder',
    (folder) => complete(folder, { files: [{ path: '../outside', size: 0, sha256: '' }] }),
    'Damaged',
    ['../outside'],
  ],
];
for (const [why, damage, kind, damagedFiles] of cases) {
  test(`${kind}: ${why}`, () =>
    withFolder(async (root) => {
      const folder = stageFolder(root, stage);
      complete(folder);
      damage(folder);
      const content = await inspectFolder(folder, stage);
      assert.is(content.kind, kind);
      if (content.kind === 'Damaged') assert.equal(content.files, damagedFiles);
    }));
}

test('Missing: no folder, an empty one, or one that holds nothing but the inputs', () =>
  withFolder(async (root) => {
    const folder = stageFolder(root, stage);
    assert.equal(await inspectFolder(folder, stage), { kind: 'Missing' });
    await prepareFolder(folder, stage, { kind: 'Missing' });
    assert.equal(await inspectFolder(folder, stage), { kind: 'Missing' });
  }));

test('a stage has something to go on from once a file of its checkpoint is whole', () =>
  withFolder(async (root) => {
    const folder = stageFolder(root, stage);
    assert.not.ok(await hasCheckpoint(folder));
    mkdirSync(join(folder, 'checkpoint'), { recursive: true });
    writeFileSync(join(folder, 'seconds.json'), '2');
    writeFileSync(join(folder, 'checkpoint', 'step-000000001.safetensors.12-ab.tmp'), '');
    assert.not.ok(await hasCheckpoint(folder));
    writeFileSync(join(folder, 'checkpoint', 'step-000000001.safetensors'), '');
    assert.ok(await hasCheckpoint(folder));
  }));

test('changed content of the same size is found when it is asked for', () =>
  withFolder(async (root) => {
    const folder = stageFolder(root, stage);
    complete(folder);
    writeFileSync(join(folder, 'weights.bin'), 'W'.repeat('weights.bin'.length));
    assert.is((await inspectFolder(folder, stage)).kind, 'Complete');
    const content = await inspectFolder(folder, stage, true);
    assert.ok(content.kind === 'Damaged');
    assert.match(content.message, 'not as the stage left them: weights.bin');
  }));

test('of a damaged folder the manifest and the damaged files go, good files stay', () =>
  withFolder(async (root) => {
    const folder = stageFolder(root, stage);
    complete(folder);
    truncateSync(join(folder, 'weights.bin'), 1);
    await prepareFolder(folder, stage, await inspectFolder(folder, stage));
    const left = ['manifest.json', 'weights.bin', 'labels/cat.png'].filter((path) => existsSync(join(folder, path)));
    assert.equal(left, ['labels/cat.png']);
    assert.is((await inspectFolder(folder, stage)).kind, 'Unfinished');
  }));

test('a manifest cannot have anything removed outside its folder', () =>
  withFolder(async (root) => {
    const folder = stageFolder(root, stage);
    complete(folder, { files: [{ path: '../outside', size: 99, sha256: '' }] });
    writeFileSync(join(folder, '..', 'outside'), 'kept');
    await prepareFolder(folder, stage, await inspectFolder(folder, stage));
    assert.is(readFileSync(join(folder, '..', 'outside'), 'utf8'), 'kept');
  }));

test('the inputs of a key are kept beside its artifacts', () =>
  withFolder(async (root) => {
    const folder = stageFolder(root, stage);
    assert.is(readInputs(folder), undefined);
    await prepareFolder(folder, stage, { kind: 'Missing' });
    assert.equal(readInputs(folder), stage.inputs);
  }));

test.run();
