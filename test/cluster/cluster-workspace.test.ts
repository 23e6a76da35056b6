import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { identifyProcess, isAlive } from '../../operator/local/process-identity.ts';
import { isClean, leftoversOf } from './clean-up.ts';
import type { Program } from './program.ts';
import { linuxTest } from './requirements.ts';
import { createWorkspace } from './cluster-workspace.ts';

const HOLDER = fileURLToPath(new URL('./hold-workspace.ts', import.meta.url));

const until = async (isTrue: () => boolean) => {
  while (!isTrue()) await delay(20);
};

/** The error of a program that ends by itself. */
const failureOf = (program: Program) => program.waitUntil('its end', () => false).catch((thrown: unknown) => thrown);

async function startHolder(end: 'wait' | 'throw' | 'return') {
  const child = spawn(process.execPath, [HOLDER, end], { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, closed, id: line.toString().trim() };
}

linuxTest('stop ends the programs and removes the folder, and may be called twice', async () => {
  const workspace = await createWorkspace();
  const program = workspace.start('sleep', 'sleep', ['1000000']);
  await until(() => leftoversOf(workspace.id).processes.includes(program.pid));
  assert.ok(existsSync(workspace.folder));
  await workspace.stop();
  await workspace.stop();
  assert.ok(isClean(leftoversOf(workspace.id)));
  assert.not(program.isRunning());
});

linuxTest('a program that was stopped with its workspace has not failed', async () => {
  const workspace = await createWorkspace();
  const program = workspace.start('sleep', 'sleep', ['1000000']);
  let failed = false;
  program.failure.catch(() => (failed = true));
  await workspace.stop();
  assert.not(failed);
});

linuxTest('a program that ends by itself fails with its last lines', async () => {
  const workspace = await createWorkspace();
  const program = workspace.start('broken', 'sh', ['-c', 'echo first; echo the reason >&2; exit 3']);
  const error = await failureOf(program);
  assert.is((error as Error).message, 'broken has ended (exit code 3). Its last lines:\nfirst\nthe reason');
  await workspace.stop();
});

linuxTest('a program that is not there fails with its name', async () => {
  const workspace = await createWorkspace();
  const error = await failureOf(workspace.start('absent', '/nowhere/absent', []));
  assert.match(String(error), /absent cannot be started: spawn \/nowhere\/absent ENOENT/);
  await workspace.stop();
});

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  linuxTest(`nothing is left of a cluster whose parent got ${signal}`, async () => {
    const { child, closed, id } = await startHolder('wait');
    assert.not(isClean(leftoversOf(id)));
    child.kill(signal);
    await closed;
    await until(() => isClean(leftoversOf(id)));
  });
}

for (const [why, end] of [
  ['threw an exception', 'throw'],
  ['ended without stopping it', 'return'],
] as const) {
  linuxTest(`nothing is left of a cluster whose parent ${why}`, async () => {
    const { closed, id } = await startHolder(end);
    await closed;
    await until(() => isClean(leftoversOf(id)));
  });
}

linuxTest('a cluster whose parent and watchdog were both killed is removed by the next one', async () => {
  const { child, closed, id } = await startHolder('wait');
  const find = () => readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && isWatchdog(pid, id));
  await until(() => find() !== undefined);
  const watchdog = identifyProcess(Number(find()));
  process.kill(watchdog.pid, 'SIGKILL');
  // A process ends some time after the signal was sent; this one is nobody's child here.
  await until(() => !isAlive(watchdog));
  child.kill('SIGKILL');
  await closed;
  assert.not(isClean(leftoversOf(id)));
  await (await createWorkspace()).stop();
  assert.ok(isClean(leftoversOf(id)));
});

function isWatchdog(pid: string, id: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.some((word) => word.endsWith('watchdog.ts')) && words.includes(id);
  } catch {
    return false;
  }
}

test.run();
