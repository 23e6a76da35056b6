// Runs single stages of the trainer as child processes, as the local runner does, and stops them at chosen moments.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ExperimentSpec, type ExperimentInput, type StageName } from '../../operator/api/experiment.ts';
import { STAGE_ENVIRONMENT, StageEvent, type StageInput } from '../../operator/api/stage-contract.ts';

const TRAINER = fileURLToPath(new URL('../../trainer-image/main.ts', import.meta.url));

export type SpecInput = ExperimentInput['spec'];

/** How a stage's process ended, and everything that it said. */
export interface StageEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly events: readonly StageEvent[];
  /** Lines on standard output that are no event. */
  readonly noise: readonly string[];
  readonly stderr: string;
}

export type ErrorEvent = Extract<StageEvent, { type: 'error' }>;

/** The error that a stage reported, if any. */
export function errorOf(end: StageEnd): ErrorEvent | undefined {
  return end.events.find((event) => event.type === 'error');
}

export interface StageRun {
  readonly stage: StageName;
  readonly spec: SpecInput;
  readonly output: string;
  readonly upstream?: StageInput['upstream'];
  /** Sends a signal once the stage has reported this much progress. */
  readonly stopAt?: { readonly done: number; readonly signal: 'SIGKILL' | 'SIGTERM' };
  /** Program and arguments put before the stage's own, to change its surroundings. */
  readonly wrapper?: readonly string[];
  /** Another program than this checkout's. */
  readonly trainer?: string;
  /** Processes that share the stage. */
  readonly shards?: number;
  /** Added to that of this process. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs one stage to its end. */
export function runStage(run: StageRun): Promise<StageEnd> {
  const { stage, spec, output, upstream = {}, stopAt, wrapper = [], trainer = TRAINER, shards, environment = {} } = run;
  const input = { version: 'v1', experiment: 'test', stage, key: 'key', spec: ExperimentSpec.parse(spec), upstream, shards, output };
  const [program, ...parameters] = [...wrapper, process.execPath, trainer];
  const child = spawn(program, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, [STAGE_ENVIRONMENT]: JSON.stringify(input), TF_CPP_MIN_LOG_LEVEL: '3', ...environment },
  });
  const events: StageEvent[] = [];
  const noise: string[] = [];
  let stderr = '';
  let signalled = false;
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = line.startsWith('{') ? StageEvent.safeParse(JSON.parse(line)).data : undefined;
    if (event === undefined) return void noise.push(line);
    events.push(event);
    // Once: another signal could meet the process when it no longer listens, on its way out.
    if (event.type !== 'progress' || stopAt === undefined || event.done < stopAt.done || signalled) return;
    signalled = true;
    child.kill(stopAt.signal);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, events, noise, stderr }));
  });
}
