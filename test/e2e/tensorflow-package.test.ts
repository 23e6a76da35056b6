// The GPU package may be set up where its library cannot be loaded: a copy of the checkout has such a one.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { errorOf, runStage } from './stage-process.ts';

const root = mkdtempSync(join(tmpdir(), 'cdsp-tensorflow-'));
test.after(() => rmSync(root, { recursive: true, force: true }));
const modules = join(root, 'node_modules');
const scope = join(modules, '@tensorflow');
test.before(() => {
  for (const name of ['operator', 'trainer-image', 'package.json']) cpSync(name, join(root, name), { recursive: true });
  mkdirSync(scope, { recursive: true });
  for (const name of readdirSync('node_modules').filter((entry) => entry !== '@tensorflow')) {
    symlinkSync(join(process.cwd(), 'node_modules', name), join(modules, name));
  }
});

/** A package whose addon is no library; importing it would be noticed. */
function writeBroken(name: string): void {
  const addon = join(scope, name, 'lib', 'napi-v8');
  mkdirSync(addon, { recursive: true });
  writeFileSync(join(scope, name, 'package.json'), JSON.stringify({ name: `@tensorflow/${name}`, version: '4.22.0', main: 'index.js' }));
  writeFileSync(join(scope, name, 'index.js'), 'throw new Error("it was imported");');
  writeFileSync(join(addon, 'tfjs_binding.node'), 'no library');
}

/** Evaluate without a model: it loads TensorFlow and then says what is missing. */
const evaluate = () =>
  runStage({
    stage: 'evaluate',
    spec: { dataset: { generator: {} } },
    output: join(root, 'output'),
    trainer: join(root, 'trainer-image', 'main.ts'),
  });

test('the CPU package stands in for a GPU package that cannot be loaded, with one warning', async () => {
  writeBroken('tfjs-node-gpu');
  symlinkSync(join(process.cwd(), 'node_modules', '@tensorflow', 'tfjs-node'), join(scope, 'tfjs-node'));
  const end = await evaluate();
  const warnings = end.events.flatMap((event) => (event.type === 'log' && event.level === 'warning' ? [event.message] : []));
  assert.is(warnings.length, 1, end.stderr);
  assert.match(warnings[0], /^@tensorflow\/tfjs-node-gpu cannot be loaded \(.+\): @tensorflow\/tfjs-node stands in$/);
  assert.is(errorOf(end)?.field, 'upstream.segment');
  assert.is(end.code, 65);
});

test('where no package can be loaded, the stage says why and what to do', async () => {
  rmSync(join(scope, 'tfjs-node'));
  writeBroken('tfjs-node');
  const end = await evaluate();
  assert.is(end.code, 69, end.stderr);
  const { message = '' } = errorOf(end) ?? {};
  assert.match(
    message,
    /tfjs-node-gpu cannot be loaded .*; @tensorflow\/tfjs-node cannot be loaded .*; run `node scripts\/bootstrap\.mjs`/,
  );
  assert.not.match(end.stderr, 'it was imported');
});

test('where no package is set up, the stage says so', async () => {
  rmSync(scope, { recursive: true });
  const end = await evaluate();
  assert.is(end.code, 69, end.stderr);
  assert.match(errorOf(end)?.message ?? '', /^TensorFlow is not set up; run/);
});

test.run();
