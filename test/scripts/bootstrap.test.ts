import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
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

test.run();
