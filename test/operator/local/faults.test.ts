// Runs of real processes that are killed at any moment, again and again, and must end as if nothing had happened.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fc from 'fast-check';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withFolder } from './temporary-folder.ts';

const RUN = fileURLToPath(new URL('../../fixtures/run-fake.ts', import.meta.url));
const STEPS = 12;
/** The stages of an experiment with terms on scribbles alone; fewer stages, a quicker test. */
const STAGES = ['segment', 'evaluate'];
/** Lines that an undisturbed run prints, about: a start, the steps, a result and an end for each stage. */
const LINES = STAGES.length * (STEPS + 3);
process.env.FAKE_STAGE = JSON.stringify(Object.fromEntries(STAGES.map((stage) => [stage, [{ steps: STEPS }]])));

type Blow = 'kill the run' | 'kill the stage' | 'interrupt the run';
interface Fault {
  readonly blow: Blow;
  /** After how many lines of output it comes. */
  readonly line: number;
}

/** Processes of stages that a run has noted. */
function stagesOf(folder: string): number[] {
  const file = join(folder, 'runs/lock.json');
  if (!existsSync(file)) return [];
  return (JSON.parse(readFileSync(file, 'utf8')) as { stages: { pid: number }[] }).stages.map(({ pid }) => pid);
}

function strike(blow: Blow, run: number, folder: string): void {
  switch (blow) {
    case 'kill the run':
      process.kill(run, 'SIGKILL');
      return;
    case 'interrupt the run':
      process.kill(run, 'SIGINT');
      return;
    case 'kill the stage':
      for (const pid of stagesOf(folder)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has just ended.
        }
      }
      return;
    default:
      blow satisfies never;
  }
}

/** Runs until the end or the fault; returns the exit code, null after SIGKILL. */
async function runWith(folder: string, fault?: Fault): Promise<number | null> {
  const child = spawn(process.execPath, [RUN, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let lines = 0;
  createInterface({ input: child.stdout }).on('line', () => {
    lines += 1;
    if (fault !== undefined && lines === fault.line) strike(fault.blow, child.pid ?? 0, folder);
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

/** Every stage's result by its path below the storage folder. */
function results(folder: string): Record<string, string> {
  const storage = join(folder, 'runs');
  const files = globSync('stages/*/*/result.txt', { cwd: storage }).sort();
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(storage, file), 'utf8')]));
}

async function endsAsIfNothingHad(faults: readonly Fault[], expected: Record<string, string>): Promise<void> {
  await withFolder(async (folder) => {
    for (const fault of faults) {
      const code = await runWith(folder, fault);
      // 0: it was over before the fault came, or went on by itself after its stage was killed.
      assert.ok(code === null || code === 0 || code === 75, `exit code ${code} after ${fault.blow}`);
    }
    assert.is(await runWith(folder), 0);
    assert.equal(results(folder), expected);
    assert.equal(globSync('runs/stages/*/*/overlap', { cwd: folder }), [], 'two processes were at work in one folder');
    assert.equal(stagesOf(folder), []);
  });
}

let expected: Record<string, string> = {};
test('an undisturbed run gives the results that the others are held against', () =>
  withFolder(async (folder) => {
    assert.is(await runWith(folder), 0);
    expected = results(folder);
    assert.is(Object.keys(expected).length, STAGES.length);
    for (const result of Object.values(expected)) assert.is(Number.parseInt(result), STEPS);
  }));

const faults: [why: string, faults: Fault[]][] = [
  [
    'killed before its first stage begins, at its start, and in its middle',
    [
      { blow: 'kill the run', line: 2 },
      { blow: 'kill the run', line: 3 },
      { blow: 'kill the run', line: 8 },
    ],
  ],
  [
    'interrupted, and has its stage killed',
    [
      { blow: 'interrupt the run', line: 6 },
      { blow: 'kill the stage', line: 8 },
    ],
  ],
];
for (const [why, list] of faults) test(`a run that is ${why} loses nothing`, () => endsAsIfNothingHad(list, expected));

test('whatever happens whenever, nothing is lost, done twice or left running', async () => {
  const fault = fc.record<Fault>({
    blow: fc.constantFrom<Blow[]>('kill the run', 'kill the stage', 'interrupt the run'),
    line: fc.integer({ min: 1, max: LINES }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 2 }), (list) => endsAsIfNothingHad(list, expected)),
    { numRuns: 2, endOnFailure: true },
  );
});

test.run();
