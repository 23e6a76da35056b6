import type { StageName } from '../../api/experiment.ts';
import { resolvePaths } from '../../local/paths.ts';
import type { RunEvent } from '../../local/run-events.ts';
import { runExperiment, type RunResult } from '../../local/run-experiment.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { commandName, quote, shortPath } from '../command-name.ts';
import { reportFile, writeReport } from '../experiment-report.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import { loadExperiment, locateBadInput, type LoadedExperiment } from '../load-experiment.ts';
import { createReporter } from '../progress/create-reporter.ts';
import { printable } from '../progress/format.ts';
import type { RunReporter } from '../progress/reporter.ts';
import { catchInterrupts } from '../interrupts.ts';
import { choosePaint } from '../style.ts';
import { trainerOptions } from '../trainer.ts';
import { collectSummary, renderSummary, type RunSummary } from '../summary.ts';

export interface RunCommandOptions {
  readonly storage?: string;
  readonly until?: string;
  readonly verify: boolean;
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
  const interrupts = catchInterrupts(
    (message) => reporter.report({ type: 'note', level: 'warning', message }),
    () => reporter.close(),
  );
  try {
    const loaded = await loadExperiment(file, options.storage);
    const { experiment, baseFolder } = loaded;
    const until = options.until as StageName | undefined;
    const settings = { baseFolder, ...trainerOptions(process.env), until, verify: options.verify, signal: interrupts.signal };
    const onEvent = (event: RunEvent) => reporter.report(event);
    const result = await locateBadInput(loaded, () => runExperiment(experiment, { ...settings, onEvent }));
    const report = options.report && result.outcome !== 'Interrupted' ? await tryReport(loaded, result, reporter) : undefined;
    const summary = await collectSummary(result, report);
    reporter.close();
    if (json) process.stdout.write(`${JSON.stringify({ type: 'summary', ...summary })}\n`);
    else printSummary(summary);
    printFailure(summary);
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
  const display = (path: string) => quote(shortPath(here, path));
  process.stdout.write(
    renderSummary(summary, { program: commandName(here, process.env), display, paint: choosePaint(process.stdout, process.env) }),
  );
}

/** The failure of a stage, as every other error is shown. */
function printFailure({ failure, exitCode }: RunSummary): void {
  if (failure === undefined) return;
  const { stage, message, file, field } = failure;
  const text = [file ?? stage, field, message].filter((part) => part !== undefined).join(': ');
  const advice = exitCode === EXIT_CODES.badInput ? '' : '\nStarting the same command again resumes.';
  process.stderr.write(`error: ${printable(text)}${advice}\n`);
}

/** The last line of --json where the run could not even start. */
function reportError(error: unknown): void {
  const { text, exitCode } = describeFailure(error, false);
  const where = error instanceof BadInputError ? { file: error.file, field: error.field } : {};
  process.stdout.write(`${JSON.stringify({ type: 'error', exitCode, ...where, message: text.replace(/^error: /gm, '') })}\n`);
}
