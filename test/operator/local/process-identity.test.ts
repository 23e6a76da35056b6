import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { identifyProcess, isAlive } from '../../../operator/local/process-identity.ts';

test('this process is alive', () => assert.ok(isAlive(identifyProcess(process.pid))));

test('a process that ended is not', async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  const identity = identifyProcess(child.pid ?? 0);
  await once(child, 'close');
  assert.not(isAlive(identity));
});

test('another process with the same number is not the one that was meant', () => {
  const { pid, started } = identifyProcess(process.pid);
  if (started === null) return assert.ok(isAlive({ pid, started }), 'without /proc the number has to do');
  assert.not(isAlive({ pid, started: `${started}0` }));
});

test('where the start is not known, the number has to do', () => assert.ok(isAlive({ pid: process.pid, started: null })));

test('a process of someone else is alive', () => assert.ok(isAlive({ pid: 1, started: null })));

test.run();
