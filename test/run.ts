// Runs the uvu files, each in a process of its own, two at a time, and sums up. A file that runs no test is a failure: a uvu
// file without test.run() would otherwise report success.
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

interface Outcome {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly output: string;
}

/** A file that hangs is a failure like any other; the slowest takes minutes on a busy machine. */
const LONGEST_MS = 30 * 60_000;

function runFile(file: string): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', './test/property-seed.ts', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0' },
      timeout: LONGEST_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('close', (code, signal) => {
      const count = (name: string) =>
        [...output.matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)`, 'gm'))].reduce((sum, match) => sum + Number(match[1]), 0);
      const total = count('Total');
      const passed = count('Passed');
      const skipped = count('Skipped');
      const died = code !== 0 || signal !== null || total + skipped === 0;
      const failed = Math.max(total - passed - skipped, died ? 1 : 0);
      resolve({ file, passed, failed, skipped, seconds: (performance.now() - started) / 1000, output });
    });
  });
}

/** Tests of the test cluster itself, whose programs take minutes to build: `npm run test:cluster`. */
const CLUSTER = join('test', 'cluster');

async function main(): Promise<void> {
  const patterns = process.argv.slice(2);
  const files = globSync('test/**/*.test.ts')
    .sort()
    .filter((file) => (patterns.length === 0 ? !file.startsWith(CLUSTER) : patterns.some((pattern) => file.includes(pattern))));
  // Fast ones first: the end-to-end tests come last.
  const order = [...files.filter((file) => !file.includes('e2e')), ...files.filter((file) => file.includes('e2e'))];
  const outcomes: Outcome[] = [];
  const worker = async () => {
    for (let file = order.shift(); file !== undefined; file = order.shift()) {
      const outcome = await runFile(file);
      outcomes.push(outcome);
      const mark = outcome.failed === 0 ? 'ok  ' : 'FAIL';
      console.log(
        `${mark} ${outcome.file}  ${outcome.passed} passed${outcome.failed ? `, ${outcome.failed} failed` : ''}${outcome.skipped ? `, ${outcome.skipped} skipped` : ''}  (${outcome.seconds.toFixed(1)} s)`,
      );
      if (outcome.failed > 0) console.log(outcome.output.trimEnd().replace(/^/gm, '     '));
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  const sum = (key: 'passed' | 'failed' | 'skipped') => outcomes.reduce((total, outcome) => total + outcome[key], 0);
  if (outcomes.length === 0) {
    console.log('no test file matches');
    process.exitCode = 1;
    return;
  }
  if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped: this machine lacks what they need`);
  // Programs read this line, the last one.
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  if (sum('failed') > 0) process.exitCode = 1;
}

await main();
