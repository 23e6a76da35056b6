import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { z } from 'zod';
import { EXIT, StageMetrics } from '../api/stage-contract.ts';
import type { Observed } from '../plan/decide.ts';
import { classifyExit } from '../plan/exits.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import type { StageFailure, StageState } from '../plan/stage-state.ts';
import { CONTAINER } from './build-job.ts';

/** What a stage writes into its termination message (4096 bytes at most), which outlives the pod's logs and node. */
const TerminationMessage = z.union([
  z.object({ result: StageMetrics }),
  z.object({ error: z.object({ message: z.string(), file: z.string().optional(), field: z.string().optional() }) }),
]);

/** One stage as the cluster shows it. */
export interface StageView {
  readonly state: StageState;
  /** Attempts so far, the running one included. */
  readonly attempts: number;
  readonly job?: string;
  readonly pod?: string;
  readonly node?: string;
  /** When its first pod started, and when it ended. */
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly metrics?: z.output<typeof StageMetrics>;
  /** Why it does not run although it should: the scheduler's or the kubelet's own words. */
  readonly trouble?: Trouble;
  /** Digest of the image that ran. */
  readonly imageId?: string;
}

export interface Trouble {
  readonly reason: string;
  readonly message: string;
}

/** What is known of a stage apart from its Job: the status of this experiment and of others on the same claim. */
export interface StageRecord {
  readonly state: 'Complete' | 'Cached' | 'Failed';
  readonly failure?: StageFailure & { readonly failures: number };
  readonly metrics?: z.output<typeof StageMetrics>;
  /** Of the experiment itself, not of another one on the claim. */
  readonly isOwn: boolean;
}

const terminated = (pod: V1Pod) => pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.state?.terminated;
const timeOf = (date: Date | string | undefined): string | undefined =>
  date === undefined ? undefined : typeof date === 'string' ? date : date.toISOString();

function messageOf(pod: V1Pod): z.output<typeof TerminationMessage> | undefined {
  const text = terminated(pod)?.message;
  if (text === undefined) return undefined;
  try {
    return TerminationMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The metrics that a pod which has succeeded left; none where its message cannot be read. */
function metricsOf(pod: V1Pod): z.output<typeof StageMetrics> {
  const message = messageOf(pod);
  return message !== undefined && 'result' in message ? message.result : {};
}

/** Why a pod failed, for people: the stage's own words where it left some. */
function failureOf(pod: V1Pod | undefined, fallback: string): Omit<StageFailure, 'at'> {
  if (pod === undefined) return { exitCode: EXIT.failure, message: fallback };
  const end = terminated(pod);
  const message = messageOf(pod);
  const exitCode = end?.exitCode ?? EXIT.failure;
  if (message !== undefined && 'error' in message) return { exitCode, ...message.error };
  if (end?.reason === 'OOMKilled') return { exitCode, message: 'killed for its memory; raise spec.placement memory, or lower batchSize' };
  const words = pod.status?.message ?? end?.message;
  return { exitCode, message: words ?? `ended with exit code ${exitCode}` };
}

const WAITING_TROUBLES = new Set([
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/** What keeps a pod from running. */
function troubleOf(pod: V1Pod): Trouble | undefined {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return { reason: scheduled.reason ?? 'Unschedulable', message: scheduled.message ?? 'not scheduled' };
  const waiting = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.state?.waiting;
  if (waiting?.reason !== undefined && WAITING_TROUBLES.has(waiting.reason)) {
    return { reason: waiting.reason, message: waiting.message ?? waiting.reason };
  }
  return undefined;
}

const createdAt = (pod: V1Pod) => new Date(pod.metadata?.creationTimestamp ?? 0).getTime();
const newestOf = (pods: readonly V1Pod[]): V1Pod | undefined => pods.toSorted((a, b) => createdAt(b) - createdAt(a)).at(0);
const isEnded = (pod: V1Pod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

function conditionOf(job: V1Job, type: string) {
  return job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
}

/** How a Job and its pods stand, as the state that `decide` understands. */
function stateOfJob(job: V1Job, pods: readonly V1Pod[], succeeded: V1Pod | undefined, retries: number): StageState {
  if (succeeded !== undefined || conditionOf(job, 'Complete') !== undefined) return { kind: 'Complete' };
  const counted = pods.filter(
    (pod) => pod.status?.phase === 'Failed' && classifyExit(terminated(pod)?.exitCode ?? EXIT.failure, null) === 'failed',
  );
  const failures = Math.max(job.status?.failed ?? 0, counted.length);
  const failed = conditionOf(job, 'Failed') ?? conditionOf(job, 'FailureTarget');
  if (failed !== undefined) {
    const last = newestOf(pods.filter((pod) => pod.status?.phase === 'Failed'));
    const failure = failureOf(last, failed.message ?? failed.reason ?? 'the Job failed');
    const message = failed.reason === 'DeadlineExceeded' ? `took longer than its deadline: ${failure.message}` : failure.message;
    // The Job has made all its attempts: whatever their number, none is left.
    return {
      kind: 'Failed',
      ...failure,
      message,
      failures: Math.max(failures, retries + 1),
      interruptions: 0,
      at: new Date(failed.lastTransitionTime ?? 0).getTime(),
    };
  }
  const isIdle = pods.every(isEnded);
  if (job.spec?.suspend === true && isIdle && job.metadata?.deletionTimestamp === undefined) {
    return { kind: 'Interrupted', failures, interruptions: 0 };
  }
  return { kind: 'Running', failures, interruptions: 0 };
}

function stateOfRecord(record: StageRecord): StageState {
  if (record.state === 'Failed' && record.failure !== undefined) {
    return { kind: 'Failed', interruptions: 0, ...record.failure };
  }
  return { kind: record.isOwn && record.state === 'Complete' ? 'Complete' : 'Cached' };
}

/** One stage from its Job, that Job's pods, and what the records say where there is none. */
export function viewStage(job: V1Job | undefined, pods: readonly V1Pod[], record: StageRecord | undefined, retries: number): StageView {
  if (record !== undefined && (record.state !== 'Failed' || job === undefined)) {
    return { state: stateOfRecord(record), attempts: pods.length, ...(record.metrics === undefined ? {} : { metrics: record.metrics }) };
  }
  if (job === undefined) return { state: { kind: 'Pending' }, attempts: 0 };
  const succeeded = pods.find((pod) => pod.status?.phase === 'Succeeded');
  const state = stateOfJob(job, pods, succeeded, retries);
  const newest = succeeded ?? newestOf(pods);
  const end = newest === undefined ? undefined : terminated(newest);
  const trouble = newest === undefined || state.kind !== 'Running' ? undefined : troubleOf(newest);
  const metrics = succeeded === undefined ? undefined : metricsOf(succeeded);
  const imageId = newest?.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.imageID;
  return {
    state,
    attempts: Math.max(pods.length, (job.status?.failed ?? 0) + (job.status?.succeeded ?? 0) + (job.status?.active ?? 0)),
    job: job.metadata?.name,
    pod: newest?.metadata?.name,
    node: newest?.spec?.nodeName,
    startedAt: timeOf(job.status?.startTime),
    endedAt: state.kind === 'Complete' ? timeOf(end?.finishedAt ?? job.status?.completionTime) : undefined,
    ...(metrics === undefined ? {} : { metrics }),
    ...(trouble === undefined ? {} : { trouble }),
    ...(imageId === undefined || imageId === '' ? {} : { imageId }),
  };
}

/** Everything that is looked at to see where an experiment stands. */
export interface ClusterFacts {
  jobOf(stage: PlannedStage): V1Job | undefined;
  podsOf(job: V1Job): readonly V1Pod[];
  recordOf(stage: PlannedStage): StageRecord | undefined;
}

export type StageViews = ReadonlyMap<PlannedStage['name'], StageView>;

/** Every stage of the plan. */
export function viewStages(plan: Plan, facts: ClusterFacts): StageViews {
  return new Map(
    plan.stages.map((stage) => {
      const job = facts.jobOf(stage);
      return [stage.name, viewStage(job, job === undefined ? [] : facts.podsOf(job), facts.recordOf(stage), plan.retries)] as const;
    }),
  );
}

export const observedOf = (views: StageViews): Observed => new Map([...views].map(([name, { state }]) => [name, state]));
