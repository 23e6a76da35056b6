import { leaveOnInterrupt } from '../interrupts.ts';
import { choosePaint, isTerminal } from '../style.ts';
import { createJsonReporter } from './json-reporter.ts';
import { createLineReporter } from './line-reporter.ts';
import type { RunReporter } from './reporter.ts';
import { createTerminalReporter } from './terminal-reporter.ts';

/** Bars on a terminal, lines in a log (both on standard error), or JSON lines on standard output. */
export function createReporter(json: boolean): RunReporter {
  if (json) return createJsonReporter(process.stdout);
  const stream = process.stderr;
  const clock = () => performance.now() / 1000;
  if (!isTerminal(stream, process.env)) return createLineReporter({ stream, clock });
  // The Linux console's font has no half-tone block.
  const blocks = process.env.TERM === 'linux' ? '#-' : '█░';
  return createTerminalReporter({ stream, paint: choosePaint(stream, process.env), clock, blocks });
}

/** Shows a task of the program itself, such as predicting a folder, like a stage: `work` gets a function to report progress with. */
export async function withProgress<Result>(
  task: { readonly name: string; readonly label: string; readonly json: boolean },
  work: (progress: (done: number, total: number) => void) => Promise<Result>,
): Promise<Result> {
  const reporter = createReporter(task.json);
  const interrupts = leaveOnInterrupt(() => reporter.close());
  const started = performance.now();
  let hasBegun = false;
  const begin = () => {
    if (!hasBegun) reporter.report({ type: 'start', stage: task.name, attempt: 1 });
    hasBegun = true;
  };
  const end = (outcome: 'Complete' | 'Failed') =>
    hasBegun && reporter.report({ type: 'end', stage: task.name, outcome, seconds: (performance.now() - started) / 1000, metrics: {} });
  try {
    const result = await work((done, total) => {
      begin();
      reporter.report({ type: 'stage', stage: task.name, event: { type: 'progress', label: task.label, done, total, unit: 'image' } });
    });
    end('Complete');
    return result;
  } catch (error) {
    end('Failed');
    throw error;
  } finally {
    interrupts.release();
    reporter.close();
  }
}
