import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { identifyProcess, isAlive } from '../../operator/local/process-identity.ts';
import { writeJson } from '../../trainer-image/json-file.ts';
import { cleanUp, clusterFolders, folderOf, idOfFolder } from './clean-up.ts';
import { startProgram } from './program.ts';
import type { Program, ProgramOptions } from './program.ts';

const WATCHDOG = fileURLToPath(new URL('./watchdog.ts', import.meta.url));
const OWNERS = 'owners.json';

/** The folder, the programs and the end of one cluster. */
export interface Workspace {
  /** Eight hexadecimal digits, unique on this machine. */
  readonly id: string;
  /** Removed at the end. */
  readonly folder: string;
  start(name: string, command: string, args: readonly string[], environment?: ProgramOptions['environment']): Program;
  /** Ends everything that was started and removes everything that was made. May be called twice. */
  stop(): Promise<void>;
}

const Owners = z.array(z.object({ pid: z.int(), started: z.string().nullable() }));

/** Removes clusters whose owner and whose watchdog were both killed. */
async function removeAbandoned(): Promise<void> {
  for (const folder of clusterFolders()) {
    let owners: z.output<typeof Owners>;
    try {
      owners = Owners.parse(JSON.parse(readFileSync(join(folder, OWNERS), 'utf8')));
    } catch {
      // One that is just being made, or removed.
      continue;
    }
    if (!owners.some(isAlive)) await cleanUp(idOfFolder(folder));
  }
}

/**
 * Makes an empty cluster. A process of its own, the watchdog, removes it when it is stopped or when this process is gone, be it by an
 * exception, a signal or SIGKILL: one way for all ends, so that the one that is hard to test is the one that every test takes.
 */
export async function createWorkspace(): Promise<Workspace> {
  await removeAbandoned();
  const id = randomBytes(4).toString('hex');
  const folder = folderOf(id);
  // Readable for all: containers of other users find their volumes in it.
  mkdirSync(folder, { mode: 0o755 });
  writeJson(join(folder, OWNERS), [identifyProcess(process.pid)]);
  const watchdog = spawn(process.execPath, [WATCHDOG, id], { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  watchdog.unref();
  // A pipe is a socket here; the type does not say so.
  (watchdog.stdin as typeof watchdog.stdin & { unref(): void }).unref();
  watchdog.stdin.on('error', () => {});
  writeJson(join(folder, OWNERS), [identifyProcess(process.pid), identifyProcess(watchdog.pid ?? 0)]);

  const programs: Program[] = [];
  let stopped: Promise<void> | undefined;
  async function stop(): Promise<void> {
    watchdog.ref();
    const ended = new Promise<void>((resolve) => (watchdog.exitCode === null ? watchdog.once('exit', () => resolve()) : resolve()));
    // Marks them as stopped, so that nobody takes their end for a failure.
    const allStopped = Promise.all(programs.map((program) => program.stop()));
    watchdog.stdin.end();
    await Promise.all([ended, allStopped]);
    if (watchdog.exitCode !== 0) throw new Error(`test cluster ${id} could not be removed; its watchdog says why on standard error`);
  }
  return {
    id,
    folder,
    start(name, command, args, environment) {
      const program = startProgram(name, command, args, { clusterId: id, logFile: join(folder, `${name}.log`), environment });
      programs.push(program);
      return program;
    },
    stop: () => (stopped ??= stop()),
  };
}
