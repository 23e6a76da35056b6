import { inspectFolder, type FolderContent } from '../../trainer-image/stage-folder.ts';
import { EXIT } from '../api/stage-contract.ts';
import type { StageEvent, StageMetrics } from '../api/stage-contract.ts';
import type { StageName } from '../api/experiment.ts';
import { classifyExit } from '../plan/exits.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import { placementOf } from '../plan/placement.ts';
import { buildStageInput } from '../plan/stage-input.ts';
import type { StageRunner } from '../plan/stage-runner.ts';
import type { Attempts, StageState } from '../plan/stage-state.ts';
import type { StorageLock } from './lock.ts';
import type { LocatedExperiment } from './paths.ts';
import type { RunEvent, StageOutcome } from './run-events.ts';
import { prepareFolder, stageFolder } from './stage-folders.ts';
import { startStageProcess } from './stage-process.ts';
import type { ProcessEnd, StageProcess } from './stage-process.ts';

export interface LocalStageRunnerOptions {
  /** With absolute paths. */
  readonly experiment: LocatedExperiment;
  /** Program that runs one stage; see operator/api/stage-contract.ts. */
  readonly trainer: string;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  readonly onEvent?: (event: RunEvent) => void;
  readonly lock?: Pick<StorageLock, 'addStage' | 'removeStage'>;
  /** Compares the content of complete stages with their manifests, not only the sizes. */
  readonly verify?: boolean;
  /** How long a stage may take to keep its checkpoint after SIGTERM, in milliseconds. */
  readonly graceMs?: number;
}

export interface LocalStageRunner extends StageRunner {
  /** Resolves when a stage ends; at once if none runs. */
  changed(): Promise<void>;
  /** Resolves when none runs. */
  settled(): Promise<void>;
  /** Stops every stage that runs; resolves when none does. */
  stopAll(): Promise<void>;
}

const GRACE_MS = 120_000;
const NO_ATTEMPTS: Attempts = { failures: 0, interruptions: 0 };

/** What went wrong, from the stage's own account or its last words. */
function failureOf({ code, signal, error, output }: ProcessEnd): { exitCode: number; message: string; file?: string; field?: string } {
  if (error !== undefined) return { exitCode: code ?? error.exitCode, message: error.message, file: error.file, field: error.field };
  const how = signal === null ? `ended with exit code ${code}` : `crashed (${signal})`;
  const words = output.length === 0 ? '' : `; its last output:\n${output.join('\n')}`;
  return { exitCode: code ?? EXIT.failure, message: `${how}${words}` };
}

/** Of a stage's placement, what counts on one machine: without GPUs it sees none. */
function environmentOf({ spec }: LocatedExperiment, { name }: PlannedStage): NodeJS.ProcessEnv {
  return placementOf(spec.placement, name).gpus === 0 ? { ...process.env, CUDA_VISIBLE_DEVICES: '-1' } : process.env;
}

/** Runs stages as child processes of this one, with their artifacts below the storage path. */
export function createLocalStageRunner(options: LocalStageRunnerOptions): LocalStageRunner {
  const { experiment, trainer, now, onEvent = () => {}, lock, verify = false, graceMs = GRACE_MS } = options;
  const folderOf = (stage: PlannedStage) => stageFolder(experiment.spec.storage.path, stage);
  /** What this run has seen of each stage; for others the folder tells. */
  const states = new Map<StageName, StageState>();
  const running = new Map<StageName, { process: StageProcess; settled: Promise<void> }>();

  /** The furthest each stage got, over all attempts: an attempt that only repeats what an earlier one did is no progress. */
  const furthest = new Map<string, number>();

  function goesFurther(stage: StageName, { done, total, unit, preparing }: Extract<StageEvent, { type: 'progress' }>): boolean {
    const phase = `${stage}: ${unit} of ${total}${preparing === true ? ', preparing' : ''}`;
    const before = furthest.get(phase);
    furthest.set(phase, Math.max(done, before ?? done));
    return before !== undefined && done > before;
  }

  async function settled(): Promise<void> {
    await Promise.all([...running.values()].map((stage) => stage.settled));
  }

  async function stateOf(stage: PlannedStage): Promise<StageState> {
    const seen = states.get(stage.name);
    if (seen !== undefined) return seen;
    const content = await inspectFolder(folderOf(stage), stage, verify);
    const state = stateFromFolder(content);
    // Looked at once: what is complete stays complete while the folder is locked.
    states.set(stage.name, state);
    if (content.kind === 'Damaged') {
      onEvent({ type: 'note', level: 'warning', message: `${stage.name} runs again: ${content.message} (${folderOf(stage)})` });
    }
    return state;
  }

  async function settle(stage: PlannedStage, end: ProcessEnd, attempts: Attempts, hasProgressed: boolean): Promise<StageState> {
    const ending = classifyExit(end.code, end.signal);
    const interruptions = hasProgressed ? 1 : attempts.interruptions + 1;
    switch (ending) {
      case 'interrupted':
        return { kind: 'Interrupted', failures: attempts.failures, interruptions };
      case 'succeeded': {
        const content = await inspectFolder(folderOf(stage), stage);
        if (content.kind === 'Complete') return { kind: 'Complete' };
        const why = content.kind === 'Damaged' ? content.message : 'it wrote no manifest';
        const message = `ended as if complete, but ${why}`;
        return { kind: 'Failed', failures: attempts.failures + 1, interruptions: 0, exitCode: EXIT.failure, message, at: now() };
      }
      case 'failed':
        return { kind: 'Failed', failures: attempts.failures + 1, interruptions: 0, at: now(), ...failureOf(end) };
      default:
        return ending satisfies never;
    }
  }

  return {
    async observe(plan) {
      const observed = new Map<StageName, StageState>();
      for (const stage of plan.stages) observed.set(stage.name, await stateOf(stage));
      return observed;
    },

    async start(plan: Plan, stage: PlannedStage) {
      const before = await stateOf(stage);
      if (before.kind === 'Running' || before.kind === 'Complete' || before.kind === 'Cached') return;
      const attempts = before.kind === 'Pending' ? NO_ATTEMPTS : before;
      const folder = folderOf(stage);
      await prepareFolder(folder, stage, await inspectFolder(folder, stage, verify));
      const startedAt = now();
      let metrics: StageMetrics = {};
      let hasProgressed = false;
      const receive = (event: StageEvent) => {
        if (event.type === 'result') metrics = event.metrics;
        if (event.type === 'progress') hasProgressed = goesFurther(stage.name, event) || hasProgressed;
        onEvent({ type: 'stage', stage: stage.name, event });
      };
      onEvent({ type: 'start', stage: stage.name, attempt: attempts.failures + 1 });
      const input = buildStageInput(experiment, plan, stage, folderOf);
      const process = startStageProcess(input, { trainer, environment: environmentOf(experiment, stage), onEvent: receive });
      states.set(stage.name, { kind: 'Running', failures: attempts.failures, interruptions: attempts.interruptions });
      const settled = process.ended.then(async (end) => {
        const state = await settle(stage, end, attempts, hasProgressed);
        states.set(stage.name, state);
        running.delete(stage.name);
        if (process.pid !== undefined) lock?.removeStage(process.pid);
        const outcome = state.kind as StageOutcome;
        onEvent({ type: 'end', stage: stage.name, outcome, seconds: (now() - startedAt) / 1000, metrics });
      });
      running.set(stage.name, { process, settled });
      if (process.pid !== undefined) lock?.addStage(process.pid);
    },

    stop(_plan: Plan, stage: PlannedStage) {
      running.get(stage.name)?.process.stop(graceMs);
      return Promise.resolve();
    },

    async changed() {
      if (running.size > 0) await Promise.race([...running.values()].map(({ settled }) => settled));
    },

    settled,

    async stopAll() {
      for (const { process } of running.values()) process.stop(graceMs);
      await settled();
    },
  };
}

function stateFromFolder(content: FolderContent): StageState {
  switch (content.kind) {
    case 'Missing':
      return { kind: 'Pending' };
    case 'Complete':
      return { kind: 'Cached' };
    case 'Unfinished':
    case 'Damaged':
      return { kind: 'Interrupted', ...NO_ATTEMPTS };
    default:
      return content satisfies never;
  }
}
