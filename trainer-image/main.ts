// Runs one stage: input in the environment, events as JSON lines on standard output, exit code as the contract says.
import { watchInterruption } from './parent-watch.ts';

const interruption = watchInterruption();

import { mkdirSync } from 'node:fs';
import {
  EXIT,
  PORT_ENVIRONMENT,
  STAGE_ENVIRONMENT,
  StageInput,
  TERMINATION_LOG_ENVIRONMENT,
  type StageEvent,
  type StageMetrics,
} from '../operator/api/stage-contract.ts';
import type { StageName } from '../operator/api/experiment.ts';
import { BadInputError, UnavailableError } from './errors.ts';
import { fileSystemError } from './file-system-error.ts';
import { earlierSeconds, noteSeconds, writeManifest } from './manifest.ts';
import type { ProgressServer } from './progress-server.ts';
import { createStageContext, Interrupted, type StageContext } from './stages/stage-context.ts';
import { writeTerminationMessage } from './termination-message.ts';
import { TENSORFLOW_WARNING } from './tensorflow-package.ts';

/** Shows the stage's progress to a cluster; there once the stage serves it. */
let progressServer: ProgressServer | undefined;

function emit(event: StageEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
  progressServer?.update(event);
  const file = process.env[TERMINATION_LOG_ENVIRONMENT];
  if (file !== undefined) writeTerminationMessage(file, event);
}

process.on('warning', ({ name, message }) => {
  if (name === TENSORFLOW_WARNING) emit({ type: 'log', level: 'warning', message });
});

/** Each stage loads what it needs: pseudo-labels of another method need no TensorFlow. */
const STAGE_FUNCTIONS: Record<StageName, () => Promise<(context: StageContext) => Promise<StageMetrics>>> = {
  classify: async () => (await import('./stages/classify.ts')).classify,
  'pseudo-label': async () => (await import('./stages/pseudo-label.ts')).pseudoLabel,
  segment: async () => (await import('./stages/segment.ts')).segment,
  evaluate: async () => (await import('./stages/evaluate.ts')).evaluate,
};

function readInput(): StageInput {
  const text = process.env[STAGE_ENVIRONMENT];
  if (text === undefined) throw new BadInputError(`the environment variable ${STAGE_ENVIRONMENT} is missing`, { field: STAGE_ENVIRONMENT });
  try {
    return StageInput.parse(JSON.parse(text));
  } catch (cause) {
    throw new BadInputError(`the environment variable ${STAGE_ENVIRONMENT} holds no stage input of version v1`, {
      field: STAGE_ENVIRONMENT,
      cause,
    });
  }
}

/** On a full disk the time is lost, too, which must not hide why the stage ended. */
function noteWorkingTime(output: string, seconds: number): void {
  try {
    noteSeconds(output, seconds);
  } catch {
    return;
  }
}

/** Loaded where it is asked for only: local runs have no port. */
async function serveProgress(input: StageInput): Promise<ProgressServer | undefined> {
  const port = process.env[PORT_ENVIRONMENT];
  if (port === undefined) return undefined;
  const { ProgressServer } = await import('./progress-server.ts');
  const server = new ProgressServer(input);
  await server.listen(Number(port));
  return server;
}

async function runStage(): Promise<void> {
  const input = readInput();
  progressServer = await serveProgress(input);
  mkdirSync(input.output, { recursive: true });
  const context = createStageContext(input, { emit, isStopping: () => interruption.aborted, now: () => performance.now() });
  const started = performance.now();
  const before = earlierSeconds(input.output);
  const seconds = () => before + (performance.now() - started) / 1000;
  try {
    if (interruption.aborted) context.stop('stopped before it began');
    const metrics = await (await STAGE_FUNCTIONS[input.stage]())(context);
    await writeManifest(input, metrics, seconds());
    emit({ type: 'result', metrics });
  } catch (error) {
    noteWorkingTime(input.output, seconds());
    throw error;
  }
}

/** What an error means to whoever started the stage. */
function report(error: unknown): number {
  if (error instanceof Interrupted) {
    emit({ type: 'log', level: 'info', message: error.message });
    return EXIT.interrupted;
  }
  const known = error instanceof BadInputError ? error : fileSystemError(error);
  if (known !== undefined) {
    emit({ type: 'error', exitCode: EXIT.badInput, message: known.message, file: known.file, field: known.field });
    return EXIT.badInput;
  }
  if (error instanceof UnavailableError) {
    emit({ type: 'error', exitCode: EXIT.unavailable, message: error.message });
    return EXIT.unavailable;
  }
  emit({ type: 'error', exitCode: EXIT.failure, message: error instanceof Error ? error.message : String(error) });
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failure;
}

try {
  await runStage();
  process.exitCode = EXIT.success;
} catch (error) {
  process.exitCode = report(error);
}
