import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const SCRIPT = resolve('scripts/bootstrap.mjs');

/** Runs the set-up with an empty cache and no other programs than the named ones. */
function bootstrap(programs: readonly string[], environment: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-bootstrap-'));
  const bin = join(folder, 'bin');
  const cache = join(folder, 'cache');
  mkdirSync(bin);
  for (const program of programs)
    symlinkSync(execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim(), join(bin, program));
  try {
    const result = spawnSync(process.execPath, [SCRIPT], {
      env: { PATH: bin, HOME: folder, CDSP_CACHE_DIR: cache, ...environment },
      encoding: 'utf8',
    });
    return { ...result, cache: existsSync(cache) ? readdirSync(cache) : [] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('names every missing program with the command that installs it, before it touches anything', () => {
  const stamp = resolve('node_modules/.cdsp-setup.json');
  const { status, stderr, cache } = bootstrap([]);
  assert.is(status, 69);
  assert.match(stderr, /npm is missing; install it with: apt-get install npm/);
  assert.match(stderr, /python3 with pip is missing; install it with: apt-get install python3 python3-pip/);
  assert.match(stderr, /C\+\+ compiler \(g\+\+\) is missing; install it with: apt-get install g\+\+/);
  assert.not.match(stderr, /\n\s+at /);
  assert.equal(cache, []);
  assert.ok(existsSync(stamp));
});

test('refuses an unknown kind of TensorFlow by name', () => {
  const { status, stderr } = bootstrap([], { CDSP_TENSORFLOW: 'tpu' });
  assert.is(status, 69);
  assert.match(stderr, /CDSP_TENSORFLOW is 'tpu'; it may be auto, cpu or gpu/);
});

/** A checkout of nothing but the set-up, with programs that do nothing; `npm ci` waits at the gate as long as that is there. */
function makeCheckout() {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-checkout-'));
  const gate = join(folder, 'gate');
  const bin = join(folder, 'bin');
  for (const name of ['bin', 'scripts', 'node_modules']) mkdirSync(join(folder, name));
  copyFileSync(SCRIPT, join(folder, 'scripts/bootstrap.mjs'));
  writeFileSync(join(folder, 'package-lock.json'), '{}');
  execFileSync('mkfifo', [gate]);
  const npm = `#!/bin/sh\nif [ "$1" = ci ] && [ -p '${gate}' ]; then read line < '${gate}'; fi\n`;
  writeFileSync(join(bin, 'npm'), npm, { mode: 0o755 });
  for (const name of ['python3', 'g++']) {
    writeFileSync(join(bin, name), '#!/bin/sh\ncase "$*" in *--version*) exit 0;; esac\nexit 1\n', { mode: 0o755 });
  }
  const env = { PATH: `${bin}:${process.env.PATH}`, HOME: folder, CDSP_CACHE_DIR: join(folder, 'cache'), CDSP_TENSORFLOW: 'cpu' };
  return { folder, gate, start: () => spawn(process.execPath, [join(folder, 'scripts/bootstrap.mjs')], { env }) };
}

/** Resolves when the process has said something, with all that it said so far. */
function said(child: ChildProcess, what: RegExp): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (what.test(text)) resolve(text);
    });
    child.once('close', () => reject(new Error(`it never said ${what}: ${text}`)));
  });
}

test('two set-ups of one checkout take turns', async () => {
  const { folder, gate, start } = makeCheckout();
  try {
    const first = start();
    const firstEnds = once(first, 'close');
    await said(first, /npm packages/);
    const second = start();
    const secondEnds = once(second, 'close');
    const installs = said(second, /npm packages/);
    assert.match(await said(second, /waiting for/), `waiting for another set-up of this checkout (process ${first.pid};`);
    writeFileSync(gate, 'go\n');
    rmSync(gate);
    await firstEnds;
    await installs;
    await secondEnds;
    // Without TensorFlow's wheel both end here.
    assert.equal([first.exitCode, second.exitCode], [69, 69]);
    assert.not.ok(existsSync(join(folder, '.setup-lock')));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the lock of a set-up that was killed does not count, and what it left in the cache goes', async () => {
  const { folder, gate, start } = makeCheckout();
  try {
    rmSync(gate);
    const dead = spawnSync('true').pid;
    writeFileSync(join(folder, '.setup-lock'), String(dead));
    const [, tensorflow] = /TENSORFLOW_VERSION = '(.*)'/.exec(readFileSync(SCRIPT, 'utf8')) ?? [];
    const [, tfjs] = /TFJS_VERSION = '(.*)'/.exec(readFileSync(SCRIPT, 'utf8')) ?? [];
    const cached = `tensorflow-${tensorflow}-tfjs-${tfjs}-cpu-${process.platform}-${process.arch}`;
    const [old, young] = [`${cached}.1-old`, `${cached}.2-young`];
    for (const name of [old, young]) mkdirSync(join(folder, 'cache', name), { recursive: true });
    utimesSync(join(folder, 'cache', old), 0, 0);
    const first = start();
    await once(first, 'close');
    assert.is(first.exitCode, 69);
    assert.equal(readdirSync(join(folder, 'cache')), [young], 'another set-up may be at work in the young one');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
