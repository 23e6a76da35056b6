import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentSpec } from '../../operator/api/experiment.ts';
import { Manifest, type StageInput } from '../../operator/api/stage-contract.ts';
import { reusableResult, writeManifest } from '../../trainer-image/manifest.ts';
import { withFolder } from '../operator/local/temporary-folder.ts';

const inputOf = (output: string): StageInput => ({
  version: 'v1',
  experiment: 'quick-start',
  stage: 'segment',
  key: 'abc',
  spec: ExperimentSpec.parse({ dataset: { generator: {} } }),
  upstream: {},
  output,
});
const read = (folder: string) => Manifest.parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')));

test('the manifest lists every artifact with size and SHA-256, sorted', () =>
  withFolder(async (folder) => {
    mkdirSync(join(folder, 'labels'));
    writeFileSync(join(folder, 'weights.safetensors'), 'weights');
    writeFileSync(join(folder, 'labels', 'b.png'), 'b');
    await writeManifest(inputOf(folder), { loss: 1 }, 12.5);
    const { files, ...rest } = read(folder);
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    assert.equal(files, [
      { path: 'labels/b.png', size: 1, sha256: sha256('b') },
      { path: 'weights.safetensors', size: 7, sha256: sha256('weights') },
    ]);
    assert.equal(
      { ...rest, trainer: '' },
      {
        version: 'v1',
        stage: 'segment',
        key: 'abc',
        experiment: 'quick-start',
        trainer: '',
        seconds: 12.5,
        metrics: { loss: 1 },
      },
    );
  }));

test('what killed attempts left half-written is no artifact and goes away', () =>
  withFolder(async (folder) => {
    mkdirSync(join(folder, 'labels'));
    const leftovers = ['weights.safetensors.12-ab.tmp', 'quality.json.partial', 'labels/a.png.77.tmp'].map((name) => join(folder, name));
    for (const file of leftovers) writeFileSync(file, 'half');
    writeFileSync(join(folder, 'labels', 'a.png'), 'a');
    await writeManifest(inputOf(folder), {}, 0);
    assert.equal(
      read(folder).files.map(({ path }) => path),
      ['labels/a.png'],
    );
    assert.not(leftovers.some((file) => existsSync(file)));
  }));

test('checkpoints and inputs are no artifacts; the checkpoint goes once the manifest is there', () =>
  withFolder(async (folder) => {
    const left = 'checkpoint.of-one-that-was-killed.tmp';
    for (const name of ['checkpoint/activations', left]) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'checkpoint', 'step-000000001.safetensors'), 'state');
    writeFileSync(join(folder, 'checkpoint', 'activations', 'a.safetensors'), 'state');
    writeFileSync(join(folder, left, 'a.jsonl'), 'state');
    writeFileSync(join(folder, 'inputs.json'), '{}');
    await writeManifest(inputOf(folder), {}, 4);
    assert.equal(read(folder).files, []);
    assert.equal(readdirSync(folder).sort(), ['inputs.json', 'manifest.json']);
  }));

/** A complete stage with one artifact. */
async function complete(folder: string): Promise<StageInput> {
  writeFileSync(join(folder, 'weights.safetensors'), 'weights');
  await writeManifest(inputOf(folder), { loss: 1, iou: [0.5, null], label: 'a' }, 4);
  return inputOf(folder);
}

test('a complete stage is not run again: its metrics are the result, and what is left of a checkpoint goes', () =>
  withFolder(async (folder) => {
    assert.is(await reusableResult(inputOf(folder)), undefined);
    const input = await complete(folder);
    mkdirSync(join(folder, 'checkpoint'));
    assert.equal(await reusableResult(input), { loss: 1, iou: [0.5, null], label: 'a', reused: true });
    assert.equal(readdirSync(folder).sort(), ['manifest.json', 'weights.safetensors']);
  }));

const damages: [why: string, damage: (folder: string) => void, input: Partial<StageInput>, said: RegExp][] = [
  ['a file is gone', (folder) => rmSync(join(folder, 'weights.safetensors')), {}, /weights\.safetensors/],
  ['a file is shorter', (folder) => writeFileSync(join(folder, 'weights.safetensors'), 'w'), {}, /weights\.safetensors/],
  ['its manifest is torn', (folder) => writeFileSync(join(folder, 'manifest.json'), '{"version":'), {}, /cannot be read/],
  ['its manifest is of another key', () => {}, { key: 'other' }, /another stage/],
  ['its manifest is of another stage', () => {}, { stage: 'classify' }, /another stage/],
];
for (const [why, damage, changes, said] of damages) {
  test(`a stage is run again where ${why}: the manifest is taken back`, () =>
    withFolder(async (folder) => {
      const input = await complete(folder);
      damage(folder);
      const messages: string[] = [];
      assert.is(await reusableResult({ ...input, ...changes }, (message) => messages.push(message)), undefined);
      assert.is(messages.length, 1);
      assert.match(messages[0], said);
      assert.not(existsSync(join(folder, 'manifest.json')));
      assert.not(readdirSync(folder).some((name) => name.endsWith('.tmp')));
    }));
}

test('two that complete a stage at once leave one whole manifest', () =>
  withFolder(async (folder) => {
    mkdirSync(join(folder, 'checkpoint', 'unfinished'), { recursive: true });
    writeFileSync(join(folder, 'weights.safetensors'), 'weights');
    // The slower one may find its folder for unfinished files gone: it has nothing to write any more.
    const ends = await Promise.allSettled([1, 2].map((seconds) => writeManifest(inputOf(folder), { loss: 1 }, seconds)));
    assert.ok(ends.some(({ status }) => status === 'fulfilled'));
    assert.equal(await reusableResult(inputOf(folder)), { loss: 1, reused: true });
    assert.equal(readdirSync(folder).sort(), ['manifest.json', 'weights.safetensors']);
  }));

test.run();
