import { relative, resolve } from 'node:path';
import type { StageName } from '../../api/experiment.ts';
import { resolvePaths } from '../../local/paths.ts';
import { runExperiment, type RunResult } from '../../local/run-experiment.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { commandName } from '../command-name.ts';
import { reportFile, writeReport } from '../experiment-report.ts';
import { describeFailure } from '../failure.ts';
import { loadExperiment, type LoadedExperiment } from '../load-experiment.ts';
import { createReporter } from '../progress/create-reporter.ts';
import type { RunReporter } from '../progress/reporter.ts';
import { catchInterrupts } from '../interrupts.ts';
import { choosePaint } from '../style.ts';
import { collectSummary, renderSummary, type RunSummary } from '../summary.ts';

export interface RunCommandOptions {
  readonly storage?: string;
  readonly until?: string;
  readonly report: boolean;
  readonly json?: boolean;
}

/**
 * Runs an experiment to its end, shows it, and writes its report.
 * @returns the exit code of the run
 * @throws BadInputError, StorageLockedError as runExperiment does
 */
export async function runCommand(file: string, options: RunCommandOptions): Promise<number> {
  const json = options.json === true;
  const reporter = createReporter(json);
  const interrupts = catchInterrupts((message) => reporter.report({ type: 'note', level: 'warning', message }));
  try {
    const loaded = await loadExperiment(file, options.storage);
    const { experiment, baseFolder } = loaded;
    const until = options.until as StageName | undefined;
    const result = await runExperiment(experiment, {
      baseFolder,
      until,
      signal: interrupts.signal,
      onEvent: (event) => reporter.report(event),
    });
    const report = options.report && result.outcome !== 'Interrupted' ? await tryReport(loaded, result, reporter) : undefined;
    const summary = await collectSummary(result, report);
    reporter.close();
    if (json) process.stdout.write(`${JSON.stringify({ type: 'summary', ...summary })}\n`);
    else printSummary(summary);
    return result.exitCode;
  } catch (error) {
    reporter.close();
    if (json) reportError(error);
    throw error;
  } finally {
    interrupts.release();
  }
}

/** A report that cannot be written is worth a warning; the run has its results all the same. */
async function tryReport(
  { experiment, baseFolder, yaml }: LoadedExperiment,
  result: RunResult,
  reporter: RunReporter,
): Promise<string | undefined> {
  const { metadata, spec } = resolvePaths(experiment, baseFolder);
  const file = reportFile(result.storage, metadata.name);
  const warn = (message: string) => reporter.report({ type: 'note', level: 'warning', message });
  try {
    const { storage, stages, failure } = result;
    const notes = await writeReport({ name: metadata.name, spec, yaml, storage, stages, failure }, file);
    notes.forEach(warn);
    return file;
  } catch (error) {
    warn(`no report: ${describeFailure(error, false).text.replace(/^error: /, '')}`);
    return undefined;
  }
}

function printSummary(summary: RunSummary): void {
  const here = process.cwd();
  const display = (path: string) => {
    const short = relative(here, path);
    return short.startsWith('..') ? resolve(path) : short || '.';
  };
  process.stdout.write(
    renderSummary(summary, { program: commandName(here, process.env), display, paint: choosePaint(process.stdout, process.env) }),
  );
  if (summary.failure !== undefined) {
    const { stage, message, file, field } = summary.failure;
    const where = [file, field].filter((part) => part !== undefined).join(': ');
    process.stderr.write(`error: ${stage} failed: ${where === '' ? '' : `${where}: `}${message}\n`);
  }
}

/** The last line of --json where the run could not even start. */
function reportError(error: unknown): void {
  const { text, exitCode } = describeFailure(error, false);
  const where = error instanceof BadInputError ? { file: error.file, field: error.field } : {};
  process.stdout.write(`${JSON.stringify({ type: 'error', exitCode, ...where, message: text.replace(/^error: /gm, '') })}\n`);
}
