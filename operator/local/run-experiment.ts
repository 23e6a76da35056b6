import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findImagenetWeights } from '../../trainer-image/model/weights/imagenet-weights.ts';
import { inspectFolder } from '../../trainer-image/stage-folder.ts';
import { TRAINER_VERSION } from '../../trainer-image/version.ts';
import type { Experiment, StageName } from '../api/experiment.ts';
import { EXIT } from '../api/stage-contract.ts';
import type { Manifest, StageMetrics } from '../api/stage-contract.ts';
import { blamedStage, decide, isNeeded, NOT_NEEDED } from '../plan/decide.ts';
import type { Decision, Observed, Outcome } from '../plan/decide.ts';
import { forecast } from '../plan/forecast.ts';
import type { StageForecast } from '../plan/forecast.ts';
import { planExperiment, planUntil } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import { isComplete } from '../plan/stage-state.ts';
import type { StageState } from '../plan/stage-state.ts';
import { openDigestCache } from './digest-cache.ts';
import { readPrevious, writeRecord } from './experiment-record.ts';
import { resolveIdentities } from './identities.ts';
import { createLocalStageRunner } from './local-stage-runner.ts';
import type { LocalStageRunner } from './local-stage-runner.ts';
import { lockStorage } from './lock.ts';
import { resolvePaths } from './paths.ts';
import type { LocatedExperiment } from './paths.ts';
import type { RunEvent } from './run-events.ts';
import { hasCheckpoint, stageFolder } from './stage-folders.ts';

const TRAINER = fileURLToPath(new URL('../../trainer-image/main.ts', import.meta.url));

export interface LocalOptions {
  /** Folder of the YAML file; relative paths start there. */
  readonly baseFolder: string;
  /** Program that runs one stage; this project's own trainer by default. */
  readonly trainer?: string;
  /** Part of the stage keys; the version of this package by default. */
  readonly trainerVersion?: string;
  /** Checks the content of complete stages against the SHA-256 in their manifests, not only the sizes. */
  readonly verify?: boolean;
  readonly onEvent?: (event: RunEvent) => void;
  /** In milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface RunOptions extends LocalOptions {
  /** Aborted: stages keep a checkpoint, and the run ends as Interrupted. */
  readonly signal?: AbortSignal;
  /** The last stage to run; all by default. */
  readonly until?: StageName;
  /** How long a stage may take to keep its checkpoint, in milliseconds. */
  readonly graceMs?: number;
}

export interface RunStage {
  readonly stage: StageName;
  readonly key: string;
  readonly folder: string;
  readonly state: StageState;
  /** Of a complete stage. */
  readonly manifest?: Manifest;
}

export interface RunResult {
  readonly outcome: Exclude<Outcome, 'Active'> | 'Interrupted';
  /** For the process that ran it; see EXIT. */
  readonly exitCode: number;
  /** The storage folder. */
  readonly storage: string;
  readonly stages: readonly RunStage[];
  /** The stage to blame, unless the run succeeded. */
  readonly failure?: { readonly stage: StageName; readonly message: string; readonly file?: string; readonly field?: string };
}

interface Prepared {
  readonly experiment: LocatedExperiment;
  readonly plan: Plan;
  readonly storage: string;
}

async function prepare(experiment: Experiment, options: LocalOptions): Promise<Prepared> {
  const located = resolvePaths(experiment, options.baseFolder);
  const storage = located.spec.storage.path;
  const cache = openDigestCache(join(storage, 'digests.json'));
  const identities = await resolveIdentities(located, cache, findImagenetWeights);
  if (existsSync(storage)) cache.save();
  const plan = planExperiment(located, { trainerVersion: options.trainerVersion ?? TRAINER_VERSION, identities });
  return { experiment: located, plan, storage };
}

function createRunner({ experiment }: Prepared, options: RunOptions, lock?: Parameters<typeof createLocalStageRunner>[0]['lock']) {
  const { trainer = TRAINER, now = Date.now, onEvent, verify, graceMs } = options;
  return createLocalStageRunner({ experiment, trainer, now, onEvent, lock, verify, graceMs });
}

/**
 * What a run would do now: each stage with its key, whether it would run, be reused or go on, and why. Starts nothing.
 * @throws BadInputError as a run would, where data or weights are missing
 */
export async function forecastExperiment(experiment: Experiment, options: LocalOptions): Promise<StageForecast[]> {
  const prepared = await prepare(experiment, options);
  const observed = await createRunner(prepared, options).observe(prepared.plan);
  const { plan, storage } = prepared;
  const checkpoints = new Set<StageName>();
  for (const stage of plan.stages) if (await hasCheckpoint(stageFolder(storage, stage))) checkpoints.add(stage.name);
  return forecast(plan, observed, readPrevious(storage, plan.experiment), checkpoints);
}

/** Observes, decides and acts until nothing is left to do or the signal comes. */
async function runToEnd(plan: Plan, runner: LocalStageRunner, now: () => number, signal: AbortSignal): Promise<Decision> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  for (;;) {
    const decision = decide(plan, await runner.observe(plan), now());
    if (decision.done || signal.aborted) return decision;
    const named = (names: readonly StageName[]) => plan.stages.filter(({ name }) => names.includes(name));
    for (const stage of named(decision.stop)) await runner.stop(plan, stage);
    for (const stage of named(decision.start)) await runner.start(plan, stage);
    const isWaiting = decision.start.length === 0 && decision.reasons.every(({ reason }) => reason !== 'Running' && reason !== 'Stopping');
    const next = isWaiting ? wait((decision.wakeAt ?? now()) - now(), signal) : runner.changed();
    await Promise.race([next, aborted]);
  }
}

async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, milliseconds), undefined, { signal }).catch(() => {});
}

async function describeStages({ plan, storage }: Prepared, runner: LocalStageRunner): Promise<RunStage[]> {
  const observed = await runner.observe(plan);
  return Promise.all(
    plan.stages.map(async (stage) => {
      const folder = stageFolder(storage, stage);
      const content = await inspectFolder(folder, stage);
      const state = observed.get(stage.name) ?? { kind: 'Pending' };
      const manifest = content.kind === 'Complete' ? content.manifest : undefined;
      return { stage: stage.name, key: stage.key, folder, state, manifest };
    }),
  );
}

function resultOf(decision: Decision, wasAborted: boolean, storage: string, stages: readonly RunStage[]): RunResult {
  if (decision.outcome === 'Succeeded') return { outcome: 'Succeeded', exitCode: EXIT.success, storage, stages };
  if (wasAborted && decision.outcome !== 'Failed') return { outcome: 'Interrupted', exitCode: EXIT.interrupted, storage, stages };
  if (decision.outcome !== 'Failed') return { outcome: 'Suspended', exitCode: EXIT.success, storage, stages };
  const blamed = blamedStage(decision);
  const state = stages.find(({ stage }) => stage === blamed?.stage)?.state;
  const failed = state?.kind === 'Failed' ? state : undefined;
  const failure =
    blamed === undefined ? undefined : { stage: blamed.stage, message: blamed.message, file: failed?.file, field: failed?.field };
  // A stage that crashed may have ended with any code; a run ends with a documented one.
  const exitCode = Object.values(EXIT).find((code) => code === failed?.exitCode) ?? EXIT.failure;
  return { outcome: 'Failed', exitCode, storage, stages, failure };
}

/** Whether a stage that has just been completed would have another key now: files were replaced while they were read. */
async function hasChanged(experiment: Experiment, options: LocalOptions, stages: readonly RunStage[]): Promise<boolean> {
  const completed = stages.filter(({ state }) => state.kind === 'Complete');
  if (completed.length === 0) return false;
  const now = await prepare(experiment, options).catch(() => undefined);
  return completed.some(({ stage, key }) => now?.plan.stages.find(({ name }) => name === stage)?.key !== key);
}

/** Tells what is planned, and the results that are there already. */
async function announce({ plan, storage }: Prepared, observed: Observed, onEvent: (event: RunEvent) => void): Promise<void> {
  const isCached = (name: StageName) => isComplete(observed.get(name) ?? { kind: 'Pending' });
  const stages = plan.stages.map(({ name, key }) => ({ stage: name, key, cached: isCached(name) }));
  onEvent({ type: 'plan', experiment: plan.experiment, storage, stages });
  const gone = plan.stages.filter((stage) => !isNeeded(stage, plan, observed));
  const left = [...plan.omitted, ...gone.map(({ name }) => ({ stage: name, reason: NOT_NEEDED }))];
  for (const { stage, reason } of left) onEvent({ type: 'note', level: 'info', message: `${stage} is left out: ${reason}` });
  for (const stage of plan.stages.filter(({ name }) => isCached(name))) {
    const content = await inspectFolder(stageFolder(storage, stage), stage);
    const metrics = content.kind === 'Complete' ? (content.manifest.metrics as StageMetrics) : {};
    onEvent({ type: 'end', stage: stage.name, outcome: 'Cached', seconds: 0, metrics });
  }
}

/**
 * Runs an experiment with child processes of this one and returns when it is complete, failed, suspended or interrupted.
 * Complete stages are reused; started again after any interruption, it goes on where it stopped.
 * @throws StorageLockedError where another run holds the storage folder
 * @throws BadInputError where data, weights or external labels are missing, or the storage folder cannot be written
 */
export async function runExperiment(experiment: Experiment, options: RunOptions): Promise<RunResult> {
  const { now = Date.now, onEvent = () => {}, signal = new AbortController().signal } = options;
  const storage = resolvePaths(experiment, options.baseFolder).spec.storage.path;
  const onWait = (message: string) => onEvent({ type: 'note', level: 'info', message });
  const lock = await lockStorage(storage, { experiment: experiment.metadata.name, now, onWait, signal }).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (lock === undefined) return { outcome: 'Interrupted', exitCode: EXIT.interrupted, storage, stages: [] };
  try {
    const whole = await prepare(experiment, options);
    const plan = options.until === undefined ? whole.plan : planUntil(whole.plan, options.until);
    const prepared = { ...whole, plan };
    const runner = createRunner(prepared, options, lock);
    const observed = await runner.observe(plan);
    await announce(prepared, observed, onEvent);
    writeRecord(storage, whole.plan, whole.experiment.spec);
    try {
      await runToEnd(plan, runner, now, signal);
    } finally {
      await runner.stopAll();
    }
    const decision = decide(plan, await runner.observe(plan), now());
    const stages = await describeStages(prepared, runner);
    if (await hasChanged(experiment, options, stages)) {
      const message =
        'the data or the weights changed while the run was going on, so its results may rest on both the old and the new; run again';
      onEvent({ type: 'note', level: 'warning', message });
    }
    return resultOf(decision, signal.aborted, storage, stages);
  } finally {
    lock.release();
  }
}
