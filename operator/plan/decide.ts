import type { StageName } from '../api/experiment.ts';
import { EXIT } from '../api/stage-contract.ts';
import type { Plan, PlannedStage } from './plan.ts';
import { isComplete } from './stage-state.ts';
import type { StageState } from './stage-state.ts';

/** States of the plan's stages; one that is not there is Pending. */
export type Observed = ReadonlyMap<StageName, StageState>;

export type Outcome = 'Active' | 'Succeeded' | 'Failed' | 'Suspended';

export type StageReason =
  | 'Cached'
  | 'Complete'
  | 'NotNeeded'
  | 'Running'
  | 'Stopping'
  | 'Starting'
  | 'Resuming'
  | 'Retrying'
  | 'WaitsForRetry'
  | 'WaitsForUpstream'
  | 'Suspended'
  | 'BadInput'
  | 'Unavailable'
  | 'UpstreamMissing'
  | 'DeadlineExceeded'
  | 'RetriesExhausted'
  | 'InterruptedTooOften'
  | 'UpstreamFailed';

export interface StageDecision {
  readonly stage: StageName;
  readonly reason: StageReason;
  readonly message: string;
}

export interface Decision {
  readonly start: readonly StageName[];
  readonly stop: readonly StageName[];
  /** Nothing runs and nothing will. */
  readonly done: boolean;
  readonly outcome: Outcome;
  /** One for every stage of the plan. */
  readonly reasons: readonly StageDecision[];
  /** When to decide again even if nothing changes, in milliseconds since the epoch. */
  readonly wakeAt?: number;
}

/** Interruptions in a row, without progress in between, after which a stage is given up. */
export const MAX_INTERRUPTIONS = 5;
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 60_000;

/** Waiting time before attempt `failures` + 1: 1 s, 2 s, 4 s … 60 s. */
export function retryDelay(failures: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, failures - 1));
}

/** Why a stage without artifacts is left out. */
export const NOT_NEEDED = 'its artifacts are not there, and no stage needs them';
/** Stages that make nothing a person wants: their artifacts serve the stages after them. The others make labels, the model, the scores. */
const SERVING: ReadonlySet<StageName> = new Set<StageName>(['classify']);

/**
 * Whether a stage whose artifacts are gone has to make them again. One that only serves others, all of which are complete, need not;
 * artifacts that are there but damaged are made again in any case, since somebody may read them.
 */
export function isNeeded(
  { name }: Pick<PlannedStage, 'name'>,
  { stages }: { readonly stages: readonly Pick<PlannedStage, 'name' | 'dependsOn'>[] },
  observed: Observed,
): boolean {
  const stateOf = (stage: StageName): StageState => observed.get(stage) ?? { kind: 'Pending' };
  if (!SERVING.has(name) || stateOf(name).kind !== 'Pending') return true;
  const served = stages.filter(({ dependsOn }) => dependsOn.includes(name));
  return served.length === 0 || served.some((stage) => !isComplete(stateOf(stage.name)));
}

type Verdict = Omit<StageDecision, 'stage'> & { readonly wakeAt?: number };

/** What to do about one stage whose upstream stages are complete. */
function judge(state: StageState, { retries, suspend }: Plan, now: number): Verdict {
  switch (state.kind) {
    case 'Cached':
      return { reason: 'Cached', message: 'complete already' };
    case 'Complete':
      return { reason: 'Complete', message: 'complete' };
    case 'Running':
      return suspend ? { reason: 'Stopping', message: 'the experiment is suspended' } : { reason: 'Running', message: 'running' };
    case 'Pending':
      return suspend ? { reason: 'Suspended', message: 'the experiment is suspended' } : { reason: 'Starting', message: 'not run yet' };
    case 'Interrupted':
      if (state.interruptions >= MAX_INTERRUPTIONS) {
        const message = `interrupted ${state.interruptions} times in a row without getting further; often the memory does not suffice`;
        return { reason: 'InterruptedTooOften', message };
      }
      if (suspend) return { reason: 'Suspended', message: 'the experiment is suspended' };
      return { reason: 'Resuming', message: 'unfinished; goes on where it stopped' };
    case 'Failed': {
      if (state.isLate) return { reason: 'DeadlineExceeded', message: state.message };
      if (state.exitCode === EXIT.badInput) return { reason: 'BadInput', message: state.message };
      if (state.exitCode === EXIT.upstreamMissing) return { reason: 'UpstreamMissing', message: state.message };
      if (state.exitCode === EXIT.unavailable) return { reason: 'Unavailable', message: state.message };
      if (state.failures > retries) return { reason: 'RetriesExhausted', message: `failed ${state.failures} times: ${state.message}` };
      if (suspend) return { reason: 'Suspended', message: 'the experiment is suspended' };
      const wakeAt = state.at + retryDelay(state.failures);
      const attempt = `attempt ${state.failures + 1} of ${retries + 1} after: ${state.message}`;
      return now < wakeAt ? { reason: 'WaitsForRetry', message: attempt, wakeAt } : { reason: 'Retrying', message: attempt };
    }
    default:
      return state satisfies never;
  }
}

const SUCCESSES: ReadonlySet<StageReason> = new Set(['Cached', 'Complete', 'NotNeeded']);
const STARTS: ReadonlySet<StageReason> = new Set(['Starting', 'Resuming', 'Retrying']);
/** What a stage has itself to answer for. */
const OWN_FAILURES: ReadonlySet<StageReason> = new Set([
  'BadInput',
  'Unavailable',
  'UpstreamMissing',
  'DeadlineExceeded',
  'RetriesExhausted',
  'InterruptedTooOften',
]);
const ENDS_IN_FAILURE: ReadonlySet<StageReason> = new Set([...OWN_FAILURES, 'UpstreamFailed']);

/** The stage that made the experiment fail, and why; undefined where none did. */
export function blamedStage({ reasons }: Decision): StageDecision | undefined {
  return reasons.find(({ reason }) => OWN_FAILURES.has(reason));
}

function outcomeOf(verdicts: readonly Verdict[]): Outcome {
  if (verdicts.every(({ reason }) => SUCCESSES.has(reason))) return 'Succeeded';
  if (verdicts.some(({ reason }) => ENDS_IN_FAILURE.has(reason))) return 'Failed';
  return verdicts.some(({ reason }) => reason === 'Suspended' || reason === 'Stopping') ? 'Suspended' : 'Active';
}

/**
 * What to start and stop now. Pure, and shared by the local runner and the operator.
 * Exit code 65 is never retried; exit code 75 and signals do not count as failures.
 */
export function decide(plan: Plan, observed: Observed, now: number): Decision {
  const stateOf = (name: StageName): StageState => observed.get(name) ?? { kind: 'Pending' };
  const verdicts = new Map<StageName, Verdict>();
  for (const stage of plan.stages) verdicts.set(stage.name, verdictOf(stage));

  function verdictOf(stage: PlannedStage): Verdict {
    const state = stateOf(stage.name);
    if (isComplete(state) || state.kind === 'Running') return judge(state, plan, now);
    if (!isNeeded(stage, plan, observed)) return { reason: 'NotNeeded', message: NOT_NEEDED };
    const failed = stage.dependsOn.find((name) => ENDS_IN_FAILURE.has(verdicts.get(name)?.reason ?? 'Starting'));
    if (failed !== undefined) return { reason: 'UpstreamFailed', message: `${failed} failed` };
    const missing = stage.dependsOn.find((name) => !isComplete(stateOf(name)));
    if (missing === undefined) return judge(state, plan, now);
    if (plan.suspend) return { reason: 'Suspended', message: 'the experiment is suspended' };
    return { reason: 'WaitsForUpstream', message: `waits for ${missing}` };
  }

  const named = [...verdicts];
  const all = [...verdicts.values()];
  const start = named.filter(([, { reason }]) => STARTS.has(reason)).map(([name]) => name);
  const stop = named.filter(([, { reason }]) => reason === 'Stopping').map(([name]) => name);
  const wakeTimes = all.flatMap(({ wakeAt }) => wakeAt ?? []);
  const isActive = all.some(
    ({ reason }) => reason === 'Running' || reason === 'Stopping' || reason === 'WaitsForRetry' || STARTS.has(reason),
  );
  return {
    start,
    stop,
    done: !isActive,
    outcome: outcomeOf(all),
    reasons: named.map(([stage, { reason, message }]) => ({ stage, reason, message })),
    ...(wakeTimes.length > 0 ? { wakeAt: Math.min(...wakeTimes) } : {}),
  };
}
