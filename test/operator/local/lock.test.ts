import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lockError, lockStorage, StorageLockedError } from '../../../operator/local/lock.ts';
import { identifyProcess } from '../../../operator/local/process-identity.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { testOnDisk } from '../../fixtures/disk.ts';
import { withFolder } from './temporary-folder.ts';

const HOLDER = fileURLToPath(new URL('../../fixtures/hold-lock.ts', import.meta.url));
const options = { experiment: 'mine', now: () => 0 };

/** Starts a process that takes the lock; resolves with what it says first. */
async function startHolder(...words: string[]): Promise<{ child: ChildProcess; said: string; closed: Promise<unknown> }> {
  const child = spawn(process.execPath, [HOLDER, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString(), closed };
}

const startSleeper = () => spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });

async function refusal(root: string): Promise<string> {
  const error: unknown = await lockStorage(root, options).catch((thrown: unknown) => thrown);
  assert.instance(error, StorageLockedError);
  return (error as StorageLockedError).message;
}

test('a folder that is in use is refused, naming who holds it, where, since when and what to do', () =>
  withFolder(async (root) => {
    const { child, closed } = await startHolder(root);
    const message = await refusal(root);
    assert.match(message, `${root} is in use by the run of experiment other (process ${child.pid} on ${hostname()}, since 1970-01-01T`);
    assert.match(message, /stop it, or set spec\.storage\.path/);
    child.stdin?.end();
    await closed;
  }));

test('a second run in the same process is refused as well', () =>
  withFolder(async (root) => {
    const lock = await lockStorage(root, options);
    assert.match(await refusal(root), `process ${process.pid}`);
    lock.release();
  }));

test('a released lock can be taken again, and released twice', () =>
  withFolder(async (root) => {
    const first = await lockStorage(root, options);
    first.release();
    first.release();
    (await lockStorage(root, options)).release();
  }));

test('the lock of a process that was killed is free at once', () =>
  withFolder(async (root) => {
    const { child, closed } = await startHolder(root);
    child.kill('SIGKILL');
    await closed;
    (await lockStorage(root, options)).release();
  }));

test('of many that start at once exactly one gets the lock', () =>
  withFolder(async (root) => {
    const holders = await Promise.all(Array.from({ length: 6 }, () => startHolder(root)));
    assert.is(holders.filter(({ said }) => said === 'locked\n').length, 1);
    for (const { child } of holders) child.stdin?.end();
    await Promise.all(holders.map(({ closed }) => closed));
    const codes = holders.map(({ child }) => child.exitCode).sort();
    assert.equal(codes, [0, 75, 75, 75, 75, 75]);
  }));

test('a stage that outlives its killed run is waited for', () =>
  withFolder(async (root) => {
    const stage = startSleeper();
    const ended = once(stage, 'close');
    const { child, closed } = await startHolder(root, String(stage.pid));
    child.kill('SIGKILL');
    await closed;
    const waits: string[] = [];
    const onWait = (message: string) => {
      waits.push(message);
      stage.stdin?.end();
    };
    const lock = await lockStorage(root, { ...options, onWait });
    assert.is(stage.exitCode, 0);
    assert.is(waits.length, 1);
    assert.match(waits[0], `process ${stage.pid}`);
    lock.release();
    await ended;
  }));

test('a stage that does not end is named, and the lock is free again', () =>
  withFolder(async (root) => {
    const stage = startSleeper();
    const ended = once(stage, 'close');
    const { child, closed } = await startHolder(root, String(stage.pid));
    child.kill('SIGKILL');
    await closed;
    const error: unknown = await lockStorage(root, { ...options, patienceMs: 0 }).catch((thrown: unknown) => thrown);
    assert.instance(error, StorageLockedError);
    assert.match((error as StorageLockedError).message, `stop it with: kill ${stage.pid}`);
    stage.kill();
    await ended;
    (await lockStorage(root, options)).release();
  }));

test('the wait for a stage can be broken off', () =>
  withFolder(async (root) => {
    const stage = startSleeper();
    const ended = once(stage, 'close');
    const { child, closed } = await startHolder(root, String(stage.pid));
    child.kill('SIGKILL');
    await closed;
    const controller = new AbortController();
    const attempt = lockStorage(root, { ...options, signal: controller.signal, onWait: () => controller.abort() });
    const error: unknown = await attempt.catch((thrown: unknown) => thrown);
    assert.is((error as Error).name, 'AbortError');
    stage.kill();
    await ended;
  }));

test('a process that got the number of a stage long gone is not waited for', () =>
  withFolder(async (root) => {
    const { pid, started } = identifyProcess(process.pid);
    const stages = [{ pid, started: `${started}0` }];
    const holder = { holder: stages[0], host: hostname(), since: '', experiment: 'other', stages };
    writeFileSync(join(root, 'lock.json'), JSON.stringify(holder));
    const waits: string[] = [];
    (await lockStorage(root, { ...options, patienceMs: 0, onWait: (message) => waits.push(message) })).release();
    assert.equal(waits, []);
  }));

test('notes that cannot be read are no obstacle', () =>
  withFolder(async (root) => {
    for (const text of ['', '{', '[]', '{"holder":1}']) {
      writeFileSync(join(root, 'lock.json'), text);
      (await lockStorage(root, options)).release();
    }
  }));

test('stages are noted while they run', () =>
  withFolder(async (root) => {
    const noted = () =>
      (JSON.parse(readFileSync(join(root, 'lock.json'), 'utf8')) as { stages: { pid: number }[] }).stages.map(({ pid }) => pid);
    const lock = await lockStorage(root, options);
    lock.addStage(process.pid);
    assert.equal(noted(), [process.pid]);
    lock.removeStage(process.pid);
    assert.equal(noted(), []);
    lock.release();
  }));

test('a path through a file is bad input', () =>
  withFolder(async (root) => {
    writeFileSync(join(root, 'file'), '');
    const error: unknown = await lockStorage(join(root, 'file', 'runs'), options).catch((thrown: unknown) => thrown);
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).field, 'spec.storage.path');
  }));

async function badInputOf(root: string): Promise<BadInputError> {
  const error: unknown = await lockStorage(root, options).catch((thrown: unknown) => thrown);
  assert.instance(error, BadInputError);
  assert.is((error as BadInputError).field, 'spec.storage.path');
  return error as BadInputError;
}

testOnDisk('on a full disk the folder is refused, and free again once there is room', async (disk) => {
  const root = join(disk.path, 'runs');
  mkdirSync(root);
  disk.fill();
  assert.match((await badInputOf(root)).message, 'disk is full');
  rmSync(join(disk.path, 'ballast'));
  (await lockStorage(root, options)).release();
});

testOnDisk('a disk that fills up while a run holds the folder does not keep it from ending', async (disk) => {
  const lock = await lockStorage(disk.path, options);
  lock.addStage(process.pid);
  disk.fill();
  lock.removeStage(process.pid);
  assert.throws(
    () => lock.addStage(process.pid),
    (error: unknown) => error instanceof BadInputError && /disk is full/.test(error.message),
  );
  lock.release();
  assert.not(readdirSync(disk.path).some((name) => name.endsWith('.tmp')));
});

for (const [why, folder] of [
  ['a folder', '.'],
  ['a folder that would have to be made', 'runs/deep'],
] as const) {
  testOnDisk(`on a read-only disk ${why} is refused`, async (disk) => {
    disk.makeReadOnly();
    const { message, file } = await badInputOf(join(disk.path, folder));
    assert.match(message, 'read-only');
    assert.ok(file?.startsWith(join(disk.path, folder)));
  });
}

test('a file system without locks is answered with advice', () => {
  const SQLITE_IOERR_LOCK = 3850;
  const error = lockError(Object.assign(new Error('disk I/O error'), { errcode: SQLITE_IOERR_LOCK }), '/share/runs');
  assert.instance(error, BadInputError);
  assert.match((error as BadInputError).message, 'cannot lock files (disk I/O error); choose a folder on another one');
});

// Root may write everywhere.
if (process.getuid?.() !== 0) {
  test('a folder that cannot be written is bad input', () =>
    withFolder(async (root) => {
      const folder = join(root, 'locked');
      mkdirSync(folder);
      chmodSync(folder, 0o500);
      const error: unknown = await lockStorage(folder, options).catch((thrown: unknown) => thrown);
      assert.instance(error, BadInputError);
    }));
}

test.run();
