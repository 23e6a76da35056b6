// The operator's bundle, without its image: made by the script that the Dockerfile runs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** 3.0 MB as measured; with client-node's generated classes it would be 6 MB. */
const MOST_BYTES = 3.6e6;

const folder = mkdtempSync(join(tmpdir(), 'cdsp-bundle-'));
const bundle = join(folder, 'operator.mjs');
test.before(() => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/bundle.ts', folder], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
});
test.after(() => rmSync(folder, { recursive: true }));

test('the bundle holds none of the classes that client-node generates from the API', () => {
  const text = readFileSync(bundle, 'utf8');
  assert.match(text, /\bKubeConfig\b/);
  assert.not.match(text, /\b(V1PodSpec|CoreV1ApiRequestFactory|ObjectSerializer)\b/);
  assert.ok(statSync(bundle).size < MOST_BYTES, `${statSync(bundle).size} bytes`);
});

test('no line is so long that an error which shows it hides itself', () => {
  const longest = Math.max(
    ...readFileSync(bundle, 'utf8')
      .split('\n')
      .map(({ length }) => length),
  );
  assert.ok(longest < 5000, `${longest} characters`);
});

test('the terms of each package in the bundle lie beside it, and of no other', () => {
  const text = readFileSync(join(folder, 'LICENSES.txt'), 'utf8');
  for (const name of ['@kubernetes/client-node', 'express', 'js-yaml', 'prom-client', 'undici', 'zod'])
    assert.match(text, new RegExp(`^${name} [0-9.]+ \\([A-Za-z0-9.-]+\\)$`, 'm'));
  assert.not.match(text, /^(@tensorflow\/|esbuild|typescript|ws) /m);
});

test('the bundle starts by itself, where there are no packages, and says which setting is missing', () => {
  const { status, stderr } = spawnSync(process.execPath, [bundle], { cwd: folder, env: {}, encoding: 'utf8' });
  assert.is(status, 1);
  assert.match(stderr, /the environment variable CDSP_[A-Z_]+ /);
});

test.run();
