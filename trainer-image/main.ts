// Runs one stage: input in the environment, events as JSON lines on standard output, exit code as the contract says.
import { watchInterruption } from './parent-watch.ts';

const interruption = watchInterruption();

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
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
import { ARTIFACTS } from './artifacts.ts';
import { BadInputError, UnavailableError, UpstreamMissingError } from './errors.ts';
import { fileSystemError, makeFolder } from './file-system-error.ts';
import { reusableResult, writeManifest } from './manifest.ts';
import { outOfMemoryError } from './out-of-memory.ts';
import type { ProgressServer } from './progress-server.ts';
import { readShard, type Shard } from './stages/shard.ts';
import { createStageContext, Interrupted, type StageContext } from './stages/stage-context.ts';
import { writeTerminationMessage } from './termination-message.ts';
import { TENSORFLOW_WARNING } from './tensorflow-package.ts';
import { checkUpstream } from './upstream.ts';
import { TimeAtWork } from './time-at-work.ts';

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

/** Loaded where it is asked for only: local runs have no port. Who cannot be watched works all the same. */
async function serveProgress(input: StageInput): Promise<ProgressServer | undefined> {
  const port = process.env[PORT_ENVIRONMENT];
  if (port === undefined) return undefined;
  try {
    const { ProgressServer } = await import('./progress-server.ts');
    const server = new ProgressServer(input);
    await server.listen(Number(port));
    return server;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    emit({ type: 'log', level: 'warning', message: `progress and metrics are not served (${PORT_ENVIRONMENT}=${port}): ${reason}` });
    return undefined;
  }
}

/** The result of a stage that need not run; a warning where it has to although there is a manifest. */
function resultOf(input: StageInput): Promise<StageMetrics | undefined> {
  return reusableResult(input, (message) =>
    emit({ type: 'log', level: 'warning', message: `the stage runs again: ${message} (${input.output})` }),
  );
}

/** Runs the stage to its end, or until another process has come there. */
async function workOn(input: StageInput, shard: Shard): Promise<StageMetrics> {
  const name = `${shard.number}-${randomUUID()}`;
  const now = () => performance.now();
  const time = new TimeAtWork(input.output, name, now());
  const emitInTime = (event: StageEvent) => {
    emit(event);
    time.noteNowAndThen(now());
  };
  const context = createStageContext(input, { emit: emitInTime, isStopping: () => interruption.aborted, now, process: name, shard });
  try {
    if (interruption.aborted) context.stop('stopped before it began');
    const metrics = await (await STAGE_FUNCTIONS[input.stage]())(context);
    const reused = await resultOf(input);
    if (reused === undefined) await writeManifest(input, metrics, time.total(now()));
    return reused ?? metrics;
  } catch (error) {
    time.note(now());
    throw outOfMemoryError(error, input.stage) ?? error;
  }
}

async function runStage(): Promise<StageMetrics> {
  const input = readInput();
  const shard = readShard(input, process.env);
  progressServer = await serveProgress(input);
  const reused = await resultOf(input);
  if (reused !== undefined) return reused;
  await checkUpstream(input);
  makeFolder(join(input.output, ARTIFACTS.checkpoint));
  try {
    // Looked at once more now that the checkpoint folder is there: who completes the stage from now on takes it away.
    return (await resultOf(input)) ?? (await workOn(input, shard));
  } catch (error) {
    const completed = await resultOf(input);
    if (completed === undefined) throw error;
    return completed;
  }
}

/** What an error means to whoever started the stage. */
function report(error: unknown): number {
  if (error instanceof Interrupted) {
    emit({ type: 'log', level: 'info', message: error.message });
    return EXIT.interrupted;
  }
  if (error instanceof UpstreamMissingError) {
    emit({ type: 'error', exitCode: EXIT.upstreamMissing, message: error.message, file: error.file, field: error.field });
    return EXIT.upstreamMissing;
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
  emit({ type: 'result', metrics: await runStage() });
  process.exitCode = EXIT.success;
} catch (error) {
  process.exitCode = report(error);
}
