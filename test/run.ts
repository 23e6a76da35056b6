// Runs the uvu files, each in a process of its own, two at a time, and sums up. A file that runs no test is a failure: a uvu
// file without test.run() would otherwise report success.
//   node test/run.ts [--tier unit|api|e2e]… [PART OF A PATH]…
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { prepareTiers, TIERS, tierOf } from './tiers.ts';
import type { Tier } from './tiers.ts';

interface Outcome {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly output: string;
}

/** A file that hangs is a failure like any other; the slowest takes six minutes, and four times as long on a busy machine. */
const LONGEST_MS = 35 * 60_000;

function runFile(file: string): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', './test/property-seed.ts', '--import', './test/hook-errors.ts', file], {
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
      if (signal !== null)
        output += `\nended by ${signal}: it ran for longer than ${LONGEST_MS / 60_000} minutes, or something that it started still ran\n`;
      resolve({ file, passed, failed, skipped, seconds: (performance.now() - started) / 1000, output });
    });
  });
}

function readArguments(): { tiers: readonly Tier[]; patterns: readonly string[] } {
  const args = process.argv.slice(2);
  const chosen = args.flatMap((arg, index) => (args[index - 1] === '--tier' ? [arg] : []));
  const unknown = chosen.find((tier) => !TIERS.includes(tier as Tier));
  if (unknown !== undefined) throw new Error(`--tier ${unknown}: must be one of ${TIERS.join(', ')}`);
  const patterns = args.filter((arg, index) => arg !== '--tier' && args[index - 1] !== '--tier');
  return { tiers: chosen.length > 0 ? (chosen as Tier[]) : TIERS, patterns };
}

async function main(): Promise<void> {
  const { tiers, patterns } = readArguments();
  const files = globSync('test/**/*.test.ts')
    .sort()
    .filter((file) => tiers.includes(tierOf(file)) && (patterns.length === 0 || patterns.some((pattern) => file.includes(pattern))));
  // Fast ones first.
  const order = TIERS.flatMap((tier) => files.filter((file) => tierOf(file) === tier));
  await prepareTiers(new Set(order.map(tierOf)), console.log);
  const outcomes: Outcome[] = [];
  const worker = async () => {
    for (let file = order.shift(); file !== undefined; file = order.shift()) {
      const outcome = await runFile(file);
      outcomes.push(outcome);
      const mark = outcome.failed === 0 ? 'ok  ' : 'FAIL';
      console.log(
        `${mark} ${outcome.file}  ${outcome.passed} passed${outcome.failed ? `, ${outcome.failed} failed` : ''}${outcome.skipped ? `, ${outcome.skipped} skipped` : ''}  (${outcome.seconds.toFixed(1)} s)`,
      );
      const reasons = new Set(outcome.output.match(/^skipped: .*$/gm) ?? []);
      for (const reason of reasons) console.log(`     ${reason}`);
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
  // Programs read this line, the last one.
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
  console.log(`${sum('passed')} passed, ${sum('failed')} failed${skipped}`);
  if (sum('failed') > 0) process.exitCode = 1;
}

await main();
