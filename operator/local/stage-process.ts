import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { STAGE_ENVIRONMENT, StageEvent, WATCH_STDIN_ENVIRONMENT } from '../api/stage-contract.ts';
import type { SentStageInput } from '../api/stage-contract.ts';

/** How a stage's process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The stage's own account of its failure, if it gave one. */
  readonly error?: Extract<StageEvent, { type: 'error' }>;
  /** The last lines of free text, for a failure without an account. */
  readonly output: readonly string[];
}

export interface StageProcess {
  readonly pid: number | undefined;
  readonly ended: Promise<ProcessEnd>;
  /** SIGTERM: keep a checkpoint and end; SIGKILL if that takes longer than `graceMs`. Nothing to do where it has ended. */
  stop(graceMs: number): void;
}

export interface StageProcessOptions {
  /** Program of the trainer, run by this same Node. */
  readonly trainer: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly onEvent: (event: StageEvent) => void;
}

/**
 * How a stage's Node is started so that its memory stays flat: one arena of the C library's allocator, where TensorFlow's threads
 * would each leave holes in one of their own, and a small young generation, as nearly all data lies outside the JavaScript heap.
 * No slower, and 150 MB less (measured by test/bench/memory.ts).
 */
export const STAGE_MEMORY = { flags: ['--max-semi-space-size=4'], environment: { MALLOC_ARENA_MAX: '1' } } as const;

const KEPT_LINES = 20;

/** A line of a stage's standard output; what is no event (a library's own message) is undefined. */
export function parseStageEvent(line: string): StageEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return StageEvent.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Ends a process and its own children, which share its group, at once. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}

/**
 * Starts a stage. It gets a session of its own, so that Ctrl-C in a terminal reaches this process only, which then asks the stage
 * to stop, once. Its standard input stays open as long as this process lives: a stage sees its end and stops, even
 * after SIGKILL.
 */
export function startStageProcess(
  input: SentStageInput,
  { trainer, environment = process.env, onEvent }: StageProcessOptions,
): StageProcess {
  const child = spawn(process.execPath, [...STAGE_MEMORY.flags, trainer], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...STAGE_MEMORY.environment, ...environment, [STAGE_ENVIRONMENT]: JSON.stringify(input), [WATCH_STDIN_ENVIRONMENT]: '1' },
  });
  // A stage that ends first breaks the pipe; nothing is ever written to it.
  child.stdin.on('error', () => {});
  const output: string[] = [];
  let error: ProcessEnd['error'];
  const keep = (line: string) => {
    output.push(line);
    if (output.length > KEPT_LINES) output.shift();
  };
  const eachLine = (stream: Readable, use: (line: string) => void) => {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', use);
  };
  eachLine(child.stdout, (line) => {
    const event = parseStageEvent(line);
    if (event === undefined) return keep(line);
    if (event.type === 'error') error = event;
    onEvent(event);
  });
  eachLine(child.stderr, keep);

  let killer: NodeJS.Timeout | undefined;
  let hasEnded = false;
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('error', (cause) => resolve({ code: null, signal: null, output: [`cannot start the stage: ${cause.message}`] }));
    // close, not exit: the last lines may still be on their way.
    child.once('close', (code, signal) => resolve({ code, signal, error, output }));
  }).finally(() => {
    hasEnded = true;
    clearTimeout(killer);
  });
  return {
    pid: child.pid,
    ended,
    stop(graceMs) {
      // A timer that nobody clears would hold up the end of this process, and its number may be another's by then.
      if (hasEnded) return;
      child.kill('SIGTERM');
      killer ??= setTimeout(() => killGroup(child.pid), graceMs);
    },
  };
}
