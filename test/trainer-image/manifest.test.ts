import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentSpec } from '../../operator/api/experiment.ts';
import { Manifest, type StageInput } from '../../operator/api/stage-contract.ts';
import { earlierSeconds, noteSeconds, writeManifest } from '../../trainer-image/manifest.ts';
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

test('checkpoints, inputs and the noted time are no artifacts; checkpoints and time go once the manifest is there', () =>
  withFolder(async (folder) => {
    mkdirSync(join(folder, 'checkpoint'));
    writeFileSync(join(folder, 'checkpoint', 'step-000000001.safetensors'), 'state');
    mkdirSync(join(folder, 'checkpoint', 'activations'));
    writeFileSync(join(folder, 'checkpoint', 'activations', 'a.safetensors'), 'state');
    writeFileSync(join(folder, 'inputs.json'), '{}');
    noteSeconds(folder, 3);
    await writeManifest(inputOf(folder), {}, 4);
    assert.equal(read(folder).files, []);
    assert.not(existsSync(join(folder, 'checkpoint')));
    assert.is(earlierSeconds(folder), 0);
    assert.ok(existsSync(join(folder, 'inputs.json')));
  }));

test('the working time of attempts that did not finish is kept', () =>
  withFolder((folder) => {
    assert.is(earlierSeconds(folder), 0);
    noteSeconds(folder, 2.5);
    assert.is(earlierSeconds(folder), 2.5);
    writeFileSync(join(folder, 'seconds.json'), 'torn');
    assert.is(earlierSeconds(folder), 0);
  }));

test.run();
