import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { EXIT } from '../api/stage-contract.ts';
import type { Observed } from '../plan/decide.ts';
import { classifyExit } from '../plan/exits.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import type { StageFailure, StageState } from '../plan/stage-state.ts';
import { ANNOTATIONS, LABELS } from './names.ts';
import { isFirstOwner } from './owned-jobs.ts';
import {
  failureOf,
  hasStarted,
  isEnded,
  isFailed,
  newestOf,
  podView,
  resultOf,
  silenceOf,
  terminated,
  timeOf,
  workOf,
} from './observe-pod.ts';
import type { PodView, Silence, Trouble } from './observe-pod.ts';
import type { StageResult } from './parse-termination.ts';

/** One stage as the cluster shows it. */
export interface StageView extends PodView {
  readonly state: StageState;
  /** Attempts so far, the running one included. */
  readonly attempts: number;
  readonly job?: string;
  /** When its Job started, and when the pod that completed it ended, or the Job gave it up. */
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly result?: StageResult;
  /** The container of one of its pods has begun; it runs not only in name. */
  readonly hasBegun?: boolean;
  /** Why it does not run although it should: the scheduler's or the kubelet's own words. */
  readonly trouble?: Trouble;
  /** How far it runs where it does so in part only. */
  readonly note?: string;
  /** It does not run, and neither its Job nor its pod says all about why. */
  readonly silence?: Silence;
  /** Why the attempt before this one failed. */
  readonly lastFailure?: string;
  /** The state comes from a status; the times and names of that time are there. */
  readonly isRecorded?: boolean;
  /** It is complete by the doing of others: whether on the volume that is there now, the age of the claim shows. */
  readonly isBorrowed?: boolean;
  /** A Job of the stage's name that has to go before the stage can start: failed in an earlier generation, or placed as nobody wants it any more. */
  readonly obsoleteJob?: V1Job;
  /** Its failed Job did not find the artifacts of the stages before it, whoever has started it. */
  readonly missesUpstream?: boolean;
  /** It was complete, and the Job of this uid, of a stage after it, did not find its artifacts: it has to make them again. */
  readonly lostTo?: string;
  /** Its Job is there and not this experiment's. */
  readonly isForeign?: boolean;
  /** It was completed while nobody looked, and its pod is gone with the result: a new Job finds the artifacts complete, and tells it. */
  readonly isMute?: boolean;
}

/** What is known of a stage apart from its Job: the status of this experiment and of others on the same claim. */
export interface StageRecord {
  readonly state: 'Complete' | 'Cached' | 'Failed';
  readonly failure?: StageFailure & { readonly failures: number };
  /** Of the experiment itself, not of another one on the claim. */
  readonly isOwn: boolean;
}

/** What one stage is judged by. */
export interface StageFacts {
  readonly job: V1Job | undefined;
  /** Of the Job, and of earlier Jobs of its name. */
  readonly pods: readonly V1Pod[];
  readonly record: StageRecord | undefined;
  readonly retries: number;
  /** The experiment that asks. */
  readonly uid: string;
  /** A suspended experiment leaves a Job to those others that have a use for it. */
  readonly isSuspended?: boolean;
  /** Whether a failed Job is this generation's own failure; one from before an edit is not. */
  readonly countsFailure: boolean;
  /** What has kept its pod from running as far as the status tells. */
  readonly lastTrouble?: string;
  /** Digest of the pod as the experiment wants it now. */
  readonly template: string | undefined;
  /** Whether what its pod says at the end is of the experiment's results. */
  readonly tellsResults?: boolean;
  /** The cache does not show pods that are there. */
  readonly isBehind?: boolean;
  /** Its artifacts were lost and are not there again: Jobs and pods from before that do not count. */
  readonly loss?: Loss;
  /**
   * When the claim was made, in milliseconds since the epoch, where it was asked for: what ended before lies on another volume, of a claim that had
   * the same name. Infinity where the claim is not there.
   */
  readonly claimMadeAt?: number;
}

/** The Job that missed the artifacts of an earlier stage. */
export interface Loss {
  readonly uid: string;
  /** When it was made; undefined where it is gone. */
  readonly since?: Date;
}

/** Reason of a stage that waits in a queue, as it is meant to. */
export const QUEUED = 'Queued';

/** A Job that Kueue holds back has no pods to ask. */
function queueTroubleOf(job: V1Job): Trouble | undefined {
  const queue = job.metadata?.labels?.[LABELS.queue];
  if (queue === undefined || job.spec?.suspend !== true) return undefined;
  return { condition: 'Scheduled', reason: QUEUED, message: `waits until Kueue admits it to the queue ${queue}` };
}

function conditionOf(job: V1Job, type: string) {
  return job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
}

const isQueued = (job: V1Job): boolean => job.metadata?.labels?.[LABELS.queue] !== undefined;

/** The failure of a Job that has given up: whatever the number of its attempts, none is left. */
function failedState(
  job: V1Job,
  failed: NonNullable<ReturnType<typeof conditionOf>>,
  pods: readonly V1Pod[],
  facts: StageFacts,
): StageState {
  const failure = failureOf(newestOf(pods.filter(isFailed)), failed.message ?? failed.reason ?? 'the Job failed');
  const end = { interruptions: 0, at: new Date(failed.lastTransitionTime ?? 0).getTime() };
  const failures = failuresOf(job, pods);
  if (failed.reason !== 'DeadlineExceeded') return { kind: 'Failed', ...failure, failures: Math.max(failures, facts.retries + 1), ...end };
  const told = facts.record?.failure?.isLate === true ? facts.record.failure.message : undefined;
  const waited = facts.lastTrouble === undefined ? '' : `; it waited: ${facts.lastTrouble}`;
  const message = told ?? `took longer than deadlineSeconds (${job.spec?.activeDeadlineSeconds ?? 0} s)${waited}`;
  return { kind: 'Failed', exitCode: failure.exitCode, message, isLate: true, failures, ...end };
}

function endedAt(job: V1Job, { kind }: StageState, succeeded: V1Pod | undefined): string | undefined {
  if (kind === 'Complete') return timeOf((succeeded && terminated(succeeded)?.finishedAt) ?? job.status?.completionTime);
  // The first of the two to come: it stays as it is when the other one is there.
  return kind === 'Failed' ? timeOf((conditionOf(job, 'FailureTarget') ?? conditionOf(job, 'Failed'))?.lastTransitionTime) : undefined;
}

const missesUpstream = (job: V1Job, pods: readonly V1Pod[]): boolean =>
  (conditionOf(job, 'Failed') ?? conditionOf(job, 'FailureTarget')) !== undefined &&
  pods.some((pod) => isFailed(pod) && terminated(pod)?.exitCode === EXIT.upstreamMissing);

/** Attempts that count against the retries; the Job may be behind its pods. */
function failuresOf(job: V1Job, pods: readonly V1Pod[]): number {
  const counted = pods.filter((pod) => isFailed(pod) && classifyExit(terminated(pod)?.exitCode ?? EXIT.failure, null) === 'failed');
  return Math.max(job.status?.failed ?? 0, counted.length);
}

/** How a Job and its pods stand, as the state that `decide` understands. */
function stateOfJob(job: V1Job, pods: readonly V1Pod[], facts: StageFacts): StageState {
  if (pods.some(({ status }) => status?.phase === 'Succeeded') || conditionOf(job, 'Complete') !== undefined) return { kind: 'Complete' };
  const failures = failuresOf(job, pods);
  const failed = conditionOf(job, 'Failed') ?? conditionOf(job, 'FailureTarget');
  if (failed !== undefined) return facts.countsFailure ? failedState(job, failed, pods, facts) : { kind: 'Pending' };
  const isStopped = job.spec?.suspend === true && !isQueued(job) && pods.every(isEnded);
  if (isStopped && job.metadata?.deletionTimestamp === undefined) return { kind: 'Interrupted', failures, interruptions: 0 };
  if (isMisplaced(job, pods, facts)) return { kind: 'Pending' };
  return { kind: 'Running', failures, interruptions: 0 };
}

/** Whether a Job was told of another place than the experiment wants now. */
function isElsewhere(job: V1Job, { template }: StageFacts): boolean {
  const placed = job.metadata?.annotations?.[ANNOTATIONS.template];
  return template !== undefined && placed !== undefined && placed !== template;
}

/**
 * Whether a Job that waits for a place has to be made anew for another one. Of several experiments that share it the first says where: whoever makes it
 * anew is the first then, so that they do not argue about it.
 */
const isMisplaced = (job: V1Job, pods: readonly V1Pod[], facts: StageFacts): boolean =>
  isElsewhere(job, facts) && isFirstOwner(facts, job) && !pods.some(hasStarted);

/** What keeps a stage from running, and whose placement it is that the cluster cannot serve, where it is another experiment's. */
function withOrigin(trouble: Trouble | undefined, job: V1Job, facts: StageFacts): Trouble | undefined {
  const [first] = job.metadata?.ownerReferences ?? [];
  if (trouble === undefined || isFirstOwner(facts, job) || first === undefined || !isElsewhere(job, facts)) return trouble;
  return { ...trouble, message: `${trouble.message}; experiment ${first.name} has started the stage, with its own placement` };
}

function stateOfRecord(record: StageRecord): StageState {
  if (record.state === 'Failed' && record.failure !== undefined) return { kind: 'Failed', interruptions: 0, ...record.failure };
  return { kind: record.isOwn && record.state === 'Complete' ? 'Complete' : 'Cached' };
}

/** Whether a Job made the artifacts that were lost, and not those in their place. */
function isFromBeforeLoss({ metadata }: V1Job, { loss }: StageFacts): boolean {
  if (loss === undefined) return false;
  const remakesFor = metadata?.annotations?.[ANNOTATIONS.remakesFor];
  if (remakesFor === undefined) return true;
  // Another experiment on the claim may have missed them, too, and be quicker.
  const isLater = loss.since === undefined || new Date(metadata?.creationTimestamp ?? 0) >= new Date(loss.since);
  return remakesFor !== loss.uid && !isLater;
}

/** Whether a Job, or a pod, ended before the claim was made. */
const isOlderThanClaim = (ended: Date | string | undefined, { claimMadeAt }: StageFacts): boolean =>
  claimMadeAt !== undefined && ended !== undefined && new Date(ended).getTime() < claimMadeAt;

/** Whether a Job of others completed the stage on another volume. */
const isOnOtherVolume = (job: V1Job, facts: StageFacts): boolean =>
  !ownedBy(job, facts.uid) && conditionOf(job, 'Complete') !== undefined && isOlderThanClaim(job.status?.completionTime, facts);

/** Failed attempts, and the one under way or that was the last. Shards are one attempt together, and one that was interrupted goes on. */
function attemptsOf(job: V1Job, { kind }: StageState, pods: readonly V1Pod[]): number {
  const failures = failuresOf(job, pods);
  if (kind === 'Failed') return failures;
  const isUnderWay = kind === 'Complete' || pods.some((pod) => !isFailed(pod) || kind === 'Interrupted');
  return failures + (isUnderWay ? 1 : 0);
}

/** A stage without a Job: its pods may outlive a Job that somebody deleted, and may even have completed it. */
function viewOrphans(facts: StageFacts): StageView {
  const { pods, loss } = facts;
  const isThere = (pod: V1Pod) => pod.status?.phase === 'Succeeded' && !isOlderThanClaim(terminated(pod)?.finishedAt, facts);
  const succeeded = loss === undefined ? pods.find(isThere) : undefined;
  if (succeeded !== undefined)
    return { state: { kind: 'Complete' }, attempts: 1, ...podView(succeeded), result: resultOf(succeeded), isBorrowed: true };
  const active = pods.find((pod) => !isEnded(pod));
  if (active === undefined) return { state: { kind: 'Pending' }, attempts: 0 };
  const begun = hasStarted(active) ? { hasBegun: true } : {};
  return { state: { kind: 'Running', failures: 0, interruptions: 0 }, attempts: 1, ...podView(active), ...begun };
}

/** Whether a stage of results is complete and nobody can say with which. A pod that still runs in the cache will say it. */
const isMute = (job: V1Job, pods: readonly V1Pod[], { tellsResults, uid }: StageFacts): boolean =>
  tellsResults === true && ownedBy(job, uid) && conditionOf(job, 'Complete') !== undefined && pods.every(isFailed);

/** One stage from its Job, the pods of that name, and what the records say where there is none. */
export function viewStage(facts: StageFacts): StageView {
  const { job, record } = facts;
  // What others tell counts less than a Job that is at work.
  const isKnown = record !== undefined && (record.isOwn ? record.state !== 'Failed' : !isActive(facts));
  if (record !== undefined && (isKnown || job === undefined)) {
    return { state: stateOfRecord(record), attempts: 0, isRecorded: true, ...(record.isOwn ? {} : { isBorrowed: true }) };
  }
  if (job === undefined) return viewOrphans(facts);
  if (isFromBeforeLoss(job, facts) || isOnOtherVolume(job, facts)) return { state: { kind: 'Pending' }, attempts: 0, obsoleteJob: job };
  const pods = facts.pods.filter(({ metadata }) => metadata?.ownerReferences?.some(({ uid }) => uid === job.metadata?.uid));
  const isWithoutWords = isMute(job, pods, facts);
  if (isWithoutWords && !facts.isBehind) return { state: { kind: 'Pending' }, attempts: 0, obsoleteJob: job, isMute: true };
  const succeeded = pods.find(({ status }) => status?.phase === 'Succeeded');
  const result = succeeded === undefined ? undefined : resultOf(succeeded);
  const asJob: StageState = isWithoutWords
    ? { kind: 'Running', failures: failuresOf(job, pods), interruptions: 0 }
    : stateOfJob(job, pods, facts);
  if (facts.isSuspended && asJob.kind !== 'Complete' && isWantedByOthers(job, facts.uid))
    return { state: { kind: 'Pending' }, attempts: 0 };
  // The pod found the artifacts on the volume, where experiments that are gone had left them.
  const state: StageState = asJob.kind === 'Complete' && result?.reused === true ? { kind: 'Cached' } : asJob;
  const work = workOf(pods, job.spec?.completions ?? 1);
  const shown = succeeded ?? work.shown ?? newestOf(pods);
  const isRunning = state.kind === 'Running';
  const trouble = isRunning ? withOrigin(queueTroubleOf(job) ?? work.trouble, job, facts) : undefined;
  const isSilent = isRunning && !work.hasBegun && job.spec?.suspend !== true;
  const silence = isSilent ? silenceOf(job, shown) : undefined;
  const failedBefore = isRunning ? newestOf(pods.filter(isFailed)) : undefined;
  return {
    state,
    attempts: attemptsOf(job, asJob, pods),
    job: job.metadata?.name,
    ...(shown === undefined ? {} : podView(shown)),
    startedAt: timeOf(job.status?.startTime),
    endedAt: endedAt(job, asJob, succeeded),
    ...(result === undefined ? {} : { result }),
    ...(isRunning && work.hasBegun ? { hasBegun: true } : {}),
    ...(trouble === undefined ? {} : { trouble }),
    ...(isRunning && work.note !== undefined ? { note: work.note } : {}),
    ...(silence === undefined ? {} : { silence }),
    ...(failedBefore === undefined ? {} : { lastFailure: failureOf(failedBefore, '').message }),
    ...(state.kind === 'Pending' || isPlacedAnew(job, state, facts) ? { obsoleteJob: job } : {}),
    ...(missesUpstream(job, pods) ? { missesUpstream: true } : {}),
    ...(isRunning && !ownedBy(job, facts.uid) ? { isForeign: true } : {}),
    ...(asJob.kind === 'Complete' && !ownedBy(job, facts.uid) ? { isBorrowed: true } : {}),
  };
}

const isActive = (facts: StageFacts): boolean => facts.job !== undefined && stateOfJob(facts.job, facts.pods, facts).kind === 'Running';

const ownedBy = (job: V1Job, uid: string): boolean => job.metadata?.ownerReferences?.some((owner) => owner.uid === uid) ?? false;

/** Whether other experiments have a use for the Job, too. */
export const isWantedByOthers = (job: V1Job, uid: string): boolean =>
  job.metadata?.ownerReferences?.some((owner) => owner.uid !== uid) ?? false;

/** Whether a stopped Job would go on in a place that nobody wants any more. */
const isPlacedAnew = (job: V1Job, state: StageState, facts: StageFacts): boolean => state.kind === 'Interrupted' && isElsewhere(job, facts);

export type StageViews = ReadonlyMap<PlannedStage['name'], StageView>;

/** Every stage of the plan. */
export function viewStages(plan: Plan, factsOf: (stage: PlannedStage) => StageFacts): StageViews {
  return new Map(plan.stages.map((stage) => [stage.name, viewStage(factsOf(stage))] as const));
}

export const observedOf = (views: StageViews): Observed => new Map([...views].map(([name, { state }]) => [name, state]));
