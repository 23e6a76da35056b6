import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../operator/cli/main.ts', import.meta.url));
const FAKE_STAGE = fileURLToPath(new URL('../../fixtures/fake-stage.ts', import.meta.url));

export interface CliOptions {
  readonly cwd?: string;
  /** Behaviour of the fake stages, see test/fixtures/fake-stage.ts; without it the stages are not used. */
  readonly stages?: object;
  readonly environment?: NodeJS.ProcessEnv;
  /** Called with everything printed so far, whenever there is more. */
  readonly onOutput?: (text: string, child: CliControls) => void;
}

export interface CliControls {
  interrupt(): void;
  write(text: string): void;
  /** Reads no more, as a program at the other end of a pipe that has ended. */
  stopReading(stream: 'stdout' | 'stderr'): void;
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `cdsp` as a process of its own, without a terminal. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return runProcess(process.execPath, [MAIN, ...args], options);
}

/** Runs `cdsp` in a pseudo-terminal of the given width (util-linux's script); what it shows is in stdout. */
export function runInTerminal(args: readonly string[], columns: number, options: CliOptions = {}): Promise<CliResult> {
  const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
  return runProcess('script', ['-qefc', `stty cols ${columns}; exec ${command}`, '/dev/null'], options);
}

function runProcess(program: string, args: readonly string[], { cwd, stages, environment = {}, onOutput }: CliOptions): Promise<CliResult> {
  const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, TERM: 'xterm-256color', CDSP_DEBUG: undefined };
  const child = spawn(program, args, {
    cwd,
    env: { ...env, ...(stages === undefined ? {} : { CDSP_TRAINER: FAKE_STAGE, FAKE_STAGE: JSON.stringify(stages) }), ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  const controls: CliControls = {
    interrupt: () => void child.kill('SIGINT'),
    write: (text) => void child.stdin.write(text),
    stopReading: (stream) => void child[stream].destroy(),
  };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
      onOutput?.(output.stdout + output.stderr, controls);
    });
  }
  child.stdin.on('error', () => {});
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...output }));
  });
}
