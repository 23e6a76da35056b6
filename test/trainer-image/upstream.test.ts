import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../operator/api/experiment.ts';
import { UpstreamMissingError } from '../../trainer-image/errors.ts';
import { checkUpstream } from '../../trainer-image/upstream.ts';
import { withFolder } from '../operator/local/temporary-folder.ts';

/** A complete classify stage in `folder`. */
function complete(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'weights.safetensors'), 'weights');
  const files = [{ path: 'weights.safetensors', size: 7, sha256: '' }];
  const manifest = { version: 'v1', stage: 'classify', key: 'any', experiment: 'e', trainer: '1', seconds: 1, metrics: {}, files };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
}

const missing: [why: string, damage: (folder: string) => void, message: RegExp][] = [
  ['its folder is gone', (folder) => rmSync(folder, { recursive: true }), /classify are not there/],
  ['its folder is empty', (folder) => (rmSync(folder, { recursive: true }), mkdirSync(folder)), /classify are not there/],
  ['its manifest is gone', (folder) => rmSync(join(folder, 'manifest.json')), /not complete: there is no manifest\.json/],
  ['its manifest is torn', (folder) => writeFileSync(join(folder, 'manifest.json'), '{'), /not complete: manifest\.json cannot be read/],
  ['a file is gone', (folder) => rmSync(join(folder, 'weights.safetensors')), /not complete: .*weights\.safetensors/],
  ['a file is shorter', (folder) => writeFileSync(join(folder, 'weights.safetensors'), ''), /not complete: .*weights\.safetensors/],
];
for (const [why, damage, message] of missing) {
  test(`the stage before has to run again where ${why}`, () =>
    withFolder(async (root) => {
      const classify = join(root, 'classify');
      complete(classify);
      damage(classify);
      const error: unknown = await checkUpstream({ stage: 'pseudo-label', upstream: { classify } }).catch((reason: unknown) => reason);
      assert.instance(error, UpstreamMissingError);
      const { file, field, message: text } = error as UpstreamMissingError;
      assert.equal([file, field], [classify, 'upstream.classify']);
      assert.match(text, message);
    }));
}

test('complete artifacts will do', () =>
  withFolder(async (root) => {
    complete(join(root, 'classify'));
    await checkUpstream({ stage: 'pseudo-label', upstream: { classify: join(root, 'classify') } });
  }));

const unread: [stage: StageName, upstream: Record<string, string>][] = [
  ['classify', {}],
  ['pseudo-label', {}],
  ['segment', { classify: '/nowhere' }],
  ['evaluate', { classify: '/nowhere', pseudoLabel: '/nowhere' }],
];
for (const [stage, upstream] of unread) {
  test(`${stage} does not miss what it does not read: ${Object.keys(upstream).join(', ') || 'nothing'}`, () =>
    checkUpstream({ stage, upstream }));
}

test.run();
