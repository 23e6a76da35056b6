import type { StageName } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import { blamedStage } from '../plan/decide.ts';
import type { Decision, StageDecision } from '../plan/decide.ts';
import type { Plan } from '../plan/plan.ts';
import { isComplete } from '../plan/stage-state.ts';
import type { StageView, StageViews } from './observe.ts';

type Condition = NonNullable<ExperimentStatus['conditions']>[number];
type StageStatus = NonNullable<ExperimentStatus['stages']>[number];

/** What a running stage says of itself, from its /progress. */
export interface LiveProgress {
  readonly done: number;
  readonly total: number;
  readonly loss?: number;
  readonly meanIou?: number;
}

export interface StatusInput {
  readonly generation: number;
  readonly plan: Plan;
  readonly views: StageViews;
  readonly decision: Decision;
  readonly live: ReadonlyMap<StageName, LiveProgress>;
  /** The status as it is now; what did not change keeps its times. */
  readonly previous: ExperimentStatus | undefined;
  /** RFC 3339. */
  readonly now: string;
}

const numberIn = (metrics: StageView['metrics'], name: string): number | undefined => {
  const value = metrics?.[name];
  return typeof value === 'number' ? value : undefined;
};

/** An object without the fields that are undefined: a status holds no nulls. */
function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

const percent = ({ done, total }: LiveProgress) => Math.min(100, Math.floor((100 * done) / Math.max(1, total)));

function failureStatus(state: StageView['state']): StageStatus['failure'] {
  if (state.kind !== 'Failed') return undefined;
  const { exitCode, message, file, field, failures } = state;
  return defined({ exitCode, message, file, field, failures });
}

function stageStatus(plan: Plan, name: StageName, view: StageView, decision: StageDecision | undefined, live?: LiveProgress): StageStatus {
  const { state } = view;
  const isDone = isComplete(state);
  const message = decision === undefined || isDone ? undefined : (view.trouble?.message ?? decision.message);
  return defined({
    name,
    state: state.kind,
    reason: view.trouble?.reason ?? decision?.reason,
    message,
    failure: failureStatus(state),
    key: plan.stages.find((stage) => stage.name === name)?.key,
    progress: isDone ? 100 : live === undefined ? undefined : percent(live),
    loss: live?.loss ?? numberIn(view.metrics, 'loss'),
    meanIou: live?.meanIou ?? numberIn(view.metrics, 'meanIou'),
    attempts: view.attempts > 0 ? view.attempts : undefined,
    job: view.job,
    pod: view.pod,
    node: view.node,
    startTime: view.startedAt,
    completionTime: view.endedAt,
  });
}

/** Keeps the time of a condition whose status did not change. */
function withTimes(conditions: readonly Omit<Condition, 'lastTransitionTime'>[], previous: readonly Condition[], now: string): Condition[] {
  return conditions.map((condition) => {
    const before = previous.find(({ type }) => type === condition.type);
    return { ...condition, lastTransitionTime: before?.status === condition.status ? before.lastTransitionTime : now };
  });
}

type Summary = Pick<Condition, 'reason' | 'message'>;

/** The experiment in a word and a sentence. */
function summarize(decision: Decision, current: StageDecision | undefined, trouble: StageView['trouble']): Summary {
  if (decision.outcome === 'Succeeded') return { reason: 'Succeeded', message: 'every stage is complete' };
  if (decision.outcome === 'Suspended') return { reason: 'Suspended', message: 'suspended; spec.suspend: false lets it go on' };
  const blamed = blamedStage(decision);
  if (decision.outcome === 'Failed' && blamed !== undefined)
    return { reason: blamed.reason, message: `${blamed.stage}: ${blamed.message}` };
  if (trouble !== undefined) return { reason: trouble.reason, message: `${current?.stage ?? ''} does not run: ${trouble.message}` };
  return { reason: 'Running', message: current === undefined ? 'starting' : `${current.stage}: ${current.message}` };
}

function conditionsOf(decision: Decision, summary: Summary, trouble: StageView['trouble'], generation: number) {
  const { outcome } = decision;
  const succeeded = outcome === 'Succeeded' ? 'True' : outcome === 'Failed' ? 'False' : 'Unknown';
  const is = (value: boolean) => (value ? 'True' : 'False');
  const make = (type: string, status: Condition['status'], said: Summary = summary) => ({
    type,
    status,
    ...said,
    observedGeneration: generation,
  });
  return [
    make('Succeeded', succeeded),
    // The two that kstatus (Flux, kpt, Argo CD by its script) understands without knowing the kind.
    make('Reconciling', is(outcome === 'Active')),
    make('Stalled', is(outcome === 'Failed')),
    make('Suspended', is(outcome === 'Suspended')),
    ...(trouble === undefined ? [] : [make('Scheduled', 'False', trouble)]),
  ];
}

const PHASES = { Active: 'Running', Succeeded: 'Succeeded', Failed: 'Failed', Suspended: 'Suspended' } as const;

/** The status of an experiment. Pure; equal facts give an equal status, so that nothing is written where nothing changed. */
export function buildStatus({ generation, plan, views, decision, live, previous, now }: StatusInput): ExperimentStatus {
  const stages = [...views].map(([name, view]) => {
    const reason = decision.reasons.find(({ stage }) => stage === name);
    return stageStatus(plan, name, view, reason, live.get(name));
  });
  // The stage that runs, or the one that ran last.
  const running = decision.reasons.find(({ stage }) => !isComplete(views.get(stage)?.state ?? { kind: 'Pending' }));
  const current = running ?? decision.reasons.at(-1);
  const shown = stages.find(({ name }) => name === current?.stage);
  const trouble = current === undefined ? undefined : views.get(current.stage)?.trouble;
  const summary = summarize(decision, current, trouble);
  return defined({
    observedGeneration: generation,
    phase: PHASES[decision.outcome],
    stage: current?.stage,
    progress: shown?.progress,
    loss: stages.findLast(({ loss }) => loss !== undefined)?.loss,
    meanIou: stages.findLast(({ meanIou, name }) => meanIou !== undefined && name !== 'classify')?.meanIou,
    conditions: withTimes(conditionsOf(decision, summary, trouble, generation), previous?.conditions ?? [], now),
    stages,
  });
}
