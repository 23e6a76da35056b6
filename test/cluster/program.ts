import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { MARK } from './processes.ts';

/** A program of a cluster that runs until it is stopped. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Rejects as soon as the program ends without having been stopped; never resolves. */
  readonly failure: Promise<never>;
  isRunning(): boolean;
  lastLines(): string;
  /** Ends it, at once by default, and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Expects it to end, and resolves when `isReady` says so. */
  waitUntil(what: string, isReady: () => Promise<boolean> | boolean): Promise<void>;
}

export interface ProgramOptions {
  readonly clusterId: string;
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const POLL_MS = 50;
const PATIENCE_MS = Number(process.env.CDSP_TEST_PATIENCE_MS ?? 120_000);
const KEPT_LINES = 20;

/**
 * Starts a program in a session of its own (Ctrl-C is for the process that started it, which then stops it in order), with its
 * output in a file. It does not keep the parent alive: a test that forgets to stop it still ends.
 */
export function startProgram(name: string, command: string, args: readonly string[], options: ProgramOptions): Program {
  const { clusterId, logFile, environment = {} } = options;
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    detached: true,
    env: { ...process.env, ...environment, [MARK]: clusterId },
  });
  closeSync(log);
  child.unref();

  let isStopping = false;
  const lastLines = () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-KEPT_LINES).join('\n');
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`cannot be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`has ended (${signal ?? `exit code ${code}`})`));
  });
  const failure = new Promise<never>((_resolve, reject) => {
    void ended.then((how) => {
      if (!isStopping) reject(new Error(`${name} ${how}. Its last lines:\n${lastLines()}`));
    });
  });
  // Only who waits for it hears of it.
  failure.catch(() => {});
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;

  return {
    name,
    pid: child.pid ?? 0,
    logFile,
    failure,
    isRunning,
    lastLines,
    async stop(signal = 'SIGKILL') {
      isStopping = true;
      if (!isRunning()) return;
      child.ref();
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
    async waitUntil(what, isReady) {
      const until = performance.now() + PATIENCE_MS;
      while (!(await Promise.race([isReady(), failure]))) {
        if (performance.now() > until) throw new Error(`${name}: still waiting for ${what}. Its last lines:\n${lastLines()}`);
        await Promise.race([delay(POLL_MS), failure]);
      }
    },
  };
}
