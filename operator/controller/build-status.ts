import type { StageName } from '../api/experiment.ts';
import { formatFinding } from '../api/findings.ts';
import type { Finding } from '../api/findings.ts';
import type { ExperimentStatus } from '../api/status.ts';
import { blamedStage } from '../plan/decide.ts';
import type { Decision, StageDecision } from '../plan/decide.ts';
import type { Plan } from '../plan/plan.ts';
import { isComplete } from '../plan/stage-state.ts';
import { defined } from './defined.ts';
import { buildProvenance, buildResults } from './build-results.ts';
import type { ClusterExperiment } from './cluster-experiment.ts';
import type { LiveProgress } from './live-progress.ts';
import type { StageView, StageViews } from './observe.ts';
import type { Trouble } from './observe-pod.ts';
import { plainReason, plainSentence } from './plain-text.ts';
import { volumeNamedIn } from './pod-volumes.ts';
import { endOf, hasEnded, INVALID_SPEC, summaryConditionOf } from './read-status.ts';
import type { Condition } from './read-status.ts';
import type { Concern } from './refused-deeds.ts';

type StageStatus = NonNullable<ExperimentStatus['stages']>[number];

export interface StatusInput {
  readonly experiment: ClusterExperiment;
  /** Of the artifacts, once it is there. */
  readonly storage: ExperimentStatus['storage'];
  /** As the stages name it. */
  readonly trainerImage: string;
  readonly plan: Plan;
  readonly views: StageViews;
  readonly decision: Decision;
  /** What the API server said where it refused what a stage needs, or a change of the volume. */
  readonly refusals: ReadonlyMap<Concern, Trouble>;
  readonly live: ReadonlyMap<StageName, LiveProgress>;
  /** The status as it is now; what did not change keeps its times. */
  readonly previous: ExperimentStatus | undefined;
  /** RFC 3339. */
  readonly now: string;
}

const percent = ({ done, total }: LiveProgress) => Math.min(100, Math.floor((100 * done) / Math.max(1, total)));

/** As a column shows it; stages and results have all digits. The largest numbers there are cannot be rounded. */
function shortened(value: number | undefined): number | undefined {
  const short = Number(value?.toPrecision(4));
  return Number.isFinite(short) ? short : value;
}

/** None of a stage that tells of no terms. */
function lossesOf(live: LiveProgress | undefined): StageStatus['losses'] {
  const { losses = [] } = live ?? {};
  return losses.length === 0 ? undefined : losses.map(({ name, value }) => ({ name, value }));
}

function failureStatus(state: StageView['state']): StageStatus['failure'] {
  if (state.kind !== 'Failed') return undefined;
  const { exitCode, message, file, field, failures } = state;
  return defined({ exitCode, message: plainSentence(message), file, field, failures });
}

/** Reason of a stage that runs again although it was complete. */
export const ARTIFACTS_GONE = 'ArtifactsGone';

/** What was told of a stage before, as far as it is the same stage. */
function stageBefore({ plan, previous }: StatusInput, name: StageName): StageStatus | undefined {
  const key = plan.stages.find((stage) => stage.name === name)?.key;
  return previous?.stages?.find((stage) => stage.name === name && stage.key === key);
}

/** What keeps a stage from running, in words that a status takes: the scheduler's, the kubelet's, the API server's or an event's. */
function shownTrouble(input: StatusInput, name: StageName): Trouble | undefined {
  const { views, refusals, decision } = input;
  const view = views.get(name);
  // Nobody waits for a stage of a suspended experiment to run.
  const waiting = decision.outcome === 'Suspended' ? undefined : view?.trouble;
  const trouble = waiting ?? refusals.get(name);
  if (trouble === undefined) return undefined;
  const shown = { ...trouble, reason: plainReason(trouble.reason), message: plainSentence(trouble.message) };
  const before = trouble.isBare === true ? stageBefore(input, name) : undefined;
  const isOfSamePod = before?.reason === shown.reason && before.pod === view?.pod;
  return isOfSamePod ? { ...shown, message: before.message ?? shown.message } : shown;
}

/** Where a stage stands, in a word and a sentence. */
function saidOf(view: StageView, decision: StageDecision | undefined, retries: number, trouble: Trouble | undefined) {
  const { state } = view;
  if (view.lostTo !== undefined && state.kind === 'Pending')
    return { reason: ARTIFACTS_GONE, message: 'its artifacts are gone from the volume; it makes them again' };
  if (trouble !== undefined) return { reason: trouble.reason, message: trouble.message };
  if (view.isMute)
    return { reason: 'ResultLost', message: 'complete, but its pod is gone with the result; it runs again to read it from the volume' };
  if (isComplete(state) || decision === undefined) return { reason: decision?.reason, message: undefined };
  if (state.kind === 'Running' && decision.reason === 'Running' && view.lastFailure !== undefined) {
    const attempt = `attempt ${Math.min(state.failures, retries) + 1} of ${retries + 1} after: ${view.lastFailure}`;
    return { reason: 'Retrying', message: plainSentence(attempt) };
  }
  if (state.kind === 'Running' && view.job === undefined) {
    return { reason: 'Ending', message: 'its Job is gone; begins again when the pod that is left has ended' };
  }
  if (decision.reason === 'Running' && view.hasBegun !== true) return { reason: decision.reason, message: 'waits for its pod to begin' };
  const message = decision.reason === 'Running' ? (view.note ?? decision.message) : decision.message;
  return { reason: decision.reason, message: plainSentence(message) };
}

function stageStatus(input: StatusInput, name: StageName, view: StageView): StageStatus {
  const { plan, decision } = input;
  const live = input.live.get(name);
  const key = plan.stages.find((stage) => stage.name === name)?.key;
  const before = stageBefore(input, name);
  const reason = decision.reasons.find(({ stage }) => stage === name);
  const said = saidOf(view, reason, plan.retries, shownTrouble(input, name));
  const isDone = isComplete(view.state);
  if (view.isRecorded) {
    // Its Job may be gone; what it was is told on.
    const told = { state: view.state.kind, reason: said.reason, message: said.message, failure: failureStatus(view.state), key };
    return defined({ ...(before ?? { name }), ...told, progress: isDone ? 100 : undefined });
  }
  const isLive = live !== undefined && !isDone;
  return defined({
    name,
    state: view.state.kind,
    ...said,
    failure: failureStatus(view.state),
    key,
    progress: isDone ? 100 : isLive ? percent(live) : view.state.kind === 'Running' ? before?.progress : undefined,
    loss: live?.loss ?? view.result?.loss ?? before?.loss,
    losses: lossesOf(live) ?? before?.losses,
    meanIou: view.result?.meanIou ?? live?.meanIou ?? before?.meanIou,
    remadeFor: view.lostTo ?? before?.remadeFor,
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

const isAtWork = (view: StageView | undefined): boolean => view?.state.kind === 'Running' && view.trouble === undefined;

/** The experiment in a word and a sentence. */
function summarize(
  { decision, experiment, storage }: StatusInput,
  current: StageStatus | undefined,
  view: StageView | undefined,
  trouble: Trouble | undefined,
): Summary {
  if (decision.outcome === 'Succeeded') return { reason: 'Succeeded', message: 'every stage is complete' };
  if (decision.outcome === 'Suspended') {
    const isEnding = view?.hasBegun === true && decision.reasons.some(({ reason }) => reason === 'Stopping');
    const message = 'suspended; spec.suspend: false lets it go on';
    return { reason: 'Suspended', message: isEnding ? `${message} (${current?.name ?? ''} is writing its checkpoint)` : message };
  }
  const blamed = blamedStage(decision);
  if (decision.outcome === 'Failed' && blamed !== undefined) {
    const { file, field } = current?.failure ?? {};
    const where = [field, file].filter((part) => part !== undefined && !blamed.message.includes(part));
    const message = [blamed.stage, ...where, blamed.message].join(': ');
    const volume = volumeNamedIn(message, experiment.spec, storage?.claimName ?? '');
    return { reason: blamed.reason, message: volume === undefined ? message : `${message} (${volume})` };
  }
  if (trouble !== undefined)
    return { reason: trouble.reason, message: `${current?.name ?? ''}${isAtWork(view) ? '' : ' does not run'}: ${trouble.message}` };
  return { reason: 'Running', message: current === undefined ? 'starting' : `${current.name}: ${current.message ?? current.state}` };
}

const is = (value: boolean) => (value ? 'True' : 'False');

/** The conditions of an outcome. Reconciling and Stalled are those that kstatus (Flux, kpt) understands without knowing the kind. */
function conditionsOf(
  outcome: Decision['outcome'],
  summary: Summary,
  generation: number,
  isStuck = false,
): Omit<Condition, 'lastTransitionTime'>[] {
  const said = { ...summary, message: plainSentence(summary.message) };
  const make = (type: string, status: Condition['status']) => ({ type, status, ...said, observedGeneration: generation });
  return [
    make('Succeeded', outcome === 'Succeeded' ? 'True' : outcome === 'Failed' ? 'False' : 'Unknown'),
    make('Reconciling', is(outcome === 'Active' && !isStuck)),
    make('Stalled', is(outcome === 'Failed' || isStuck)),
    make('Suspended', is(outcome === 'Suspended')),
  ];
}

const troubleCondition = ({ condition, reason, message }: Trouble, generation: number): Omit<Condition, 'lastTransitionTime'> => ({
  type: condition,
  status: 'False',
  reason: plainReason(reason),
  message: plainSentence(message),
  observedGeneration: generation,
});

const PHASES = { Active: 'Running', Succeeded: 'Succeeded', Failed: 'Failed', Suspended: 'Suspended' } as const;

/** The stage that is to blame, that runs, or that ran last. */
function currentStage(decision: Decision, stages: readonly StageStatus[]): StageStatus | undefined {
  const blamed = blamedStage(decision)?.stage;
  const isDone = ({ state, reason }: StageStatus) => state === 'Complete' || state === 'Cached' || reason === 'NotNeeded';
  return stages.find(({ name }) => name === blamed) ?? stages.find((stage) => !isDone(stage)) ?? stages.at(-1);
}

/** When it ended. What is edited in vain has failed once more; a success whose edit changed nothing stays what it was. */
function completionTimeOf(
  phase: ExperimentStatus['phase'],
  reason: string,
  generation: number,
  previous: ExperimentStatus | undefined,
  now: string,
): string | undefined {
  if (!hasEnded({ phase })) return undefined;
  const isSameFailure = previous?.observedGeneration === generation && summaryConditionOf(previous)?.reason === reason;
  const isSame = previous?.phase === phase && (phase === 'Succeeded' || isSameFailure);
  return (isSame ? endOf(previous) : undefined) ?? now;
}

/** The status of an experiment. Pure; equal facts give an equal status, so that nothing is written where nothing changed. */
export function buildStatus(input: StatusInput): ExperimentStatus {
  const { experiment, views, decision, previous, now } = input;
  const { generation, spec } = experiment;
  const stages = [...views].map(([name, view]) => stageStatus(input, name, view));
  const current = currentStage(decision, stages);
  const trouble = current === undefined ? undefined : shownTrouble(input, current.name);
  const view = current === undefined ? undefined : views.get(current.name);
  const summary = summarize(input, current, view, trouble);
  const isStuck = decision.outcome === 'Active' && !isAtWork(view) && trouble?.needsChange === true;
  const conditions = conditionsOf(decision.outcome, summary, generation, isStuck);
  const troubled = [trouble, input.refusals.get('storage')].flatMap((each) =>
    each === undefined ? [] : [troubleCondition(each, generation)],
  );
  const results = buildResults(views, spec, previous?.results);
  const phase = PHASES[decision.outcome];
  const isSameData = stageBefore(input, input.plan.stages[0].name) !== undefined;
  return defined({
    observedGeneration: generation,
    phase,
    stage: current?.name,
    progress: current?.progress,
    loss: shortened(current?.loss ?? stages.findLast(({ loss }) => loss !== undefined)?.loss),
    meanIou: shortened(results?.meanIou ?? stages.findLast(({ meanIou, name }) => meanIou !== undefined && name === 'segment')?.meanIou),
    completionTime: completionTimeOf(phase, summary.reason, generation, previous, now),
    conditions: withTimes([...conditions, ...troubled], previous?.conditions ?? [], now),
    results,
    provenance: buildProvenance(views, spec, input.trainerImage, previous?.provenance, isSameData),
    storage: input.storage,
    stages,
  });
}

/** A stage of an experiment that is refused: its Job is gone or told to go, and nothing begins. What is complete, or has failed, stays so. */
function refusedStage(stage: StageStatus): StageStatus {
  const refused = (state: 'Interrupted' | 'Pending', message: string): StageStatus =>
    defined({ ...stage, state, reason: INVALID_SPEC, message, progress: undefined });
  switch (stage.state) {
    case 'Running':
    case 'Interrupted':
      return refused('Interrupted', 'stopped: the experiment is refused as it is');
    case 'Pending':
      return refused('Pending', 'not started: the experiment is refused as it is');
    case 'Cached':
    case 'Complete':
    case 'Failed':
      return stage;
    default:
      return stage.state satisfies never;
  }
}

/** The status of an experiment that this operator cannot run; what it had come to stays, and that nothing runs any more is told. */
export function buildRefusal(
  generation: number,
  findings: readonly Finding[],
  previous: ExperimentStatus | undefined,
  now: string,
): ExperimentStatus {
  const summary = { reason: INVALID_SPEC, message: findings.map(formatFinding).join('; ') };
  const stages = previous?.stages?.map(refusedStage);
  return defined({
    ...previous,
    observedGeneration: generation,
    phase: 'Failed',
    progress: stages?.find(({ name }) => name === previous?.stage)?.progress,
    completionTime: completionTimeOf('Failed', INVALID_SPEC, generation, previous, now),
    conditions: withTimes(conditionsOf('Failed', summary, generation), previous?.conditions ?? [], now),
    stages,
  });
}
