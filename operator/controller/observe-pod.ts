import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { EXIT } from '../api/stage-contract.ts';
import type { StageFailure } from '../plan/stage-state.ts';
import { CONTAINER } from './build-pod.ts';
import { defined } from './defined.ts';
import { parseTermination } from './parse-termination.ts';
import type { StageResult } from './parse-termination.ts';

export interface Trouble {
  /** The condition that tells of it. */
  readonly condition: 'Scheduled' | 'Started' | 'StorageReady';
  readonly reason: string;
  readonly message: string;
  /** Nothing but an edit of the experiment helps. */
  readonly needsChange?: boolean;
  /** The message says that it is tried again, and not what went wrong: what was told of the same pod before says more. */
  readonly isBare?: boolean;
}

export const terminated = (pod: V1Pod) => pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.state?.terminated;
export const timeOf = (date: Date | string | undefined): string | undefined =>
  date === undefined ? undefined : typeof date === 'string' ? date : date.toISOString();

/** The result that a pod which has succeeded left; empty where its message cannot be read. */
export const resultOf = (pod: V1Pod): StageResult => parseTermination(terminated(pod)?.message).result ?? {};

/** Why a pod failed, for people: the stage's own words where it left some. */
export function failureOf(pod: V1Pod | undefined, fallback: string): Omit<StageFailure, 'at'> {
  if (pod === undefined) return { exitCode: EXIT.failure, message: fallback };
  const end = terminated(pod);
  const exitCode = end?.exitCode ?? EXIT.failure;
  const { error } = parseTermination(end?.message);
  if (error !== undefined) return { exitCode, ...error };
  if (end?.reason === 'OOMKilled') return { exitCode, message: 'killed for its memory; raise spec.placement memory, or lower batchSize' };
  const words = pod.status?.message ?? end?.message;
  return { exitCode, message: words ?? `ended with exit code ${exitCode}` };
}

const PULL_BACKOFF = 'ImagePullBackOff';
/** The kubelet tries and waits by turns: these are its words for an image after a try, by what went wrong, and while it waits. */
const PULL_TROUBLES = new Set([PULL_BACKOFF, 'ErrImagePull', 'RegistryUnavailable', 'SignatureValidationFailed']);
/** What it says while it waits: from Kubernetes 1.32 on with the reason and the message of the last try. */
const BACKOFF_MESSAGE = /^Back-off pulling image "[^"]*"(?:: \w+: (?<lastTry>.+))?$/s;

/** One trouble as long as the image cannot be pulled, in the same words after a try and while the kubelet waits: each change is told, and counted anew. */
function pullTrouble(message: string): Trouble {
  const backoff = BACKOFF_MESSAGE.exec(message);
  const lastTry = backoff?.groups?.lastTry;
  const trouble = { condition: 'Started', reason: PULL_BACKOFF, message: lastTry ?? message } as const;
  return backoff === null || lastTry !== undefined ? trouble : { ...trouble, isBare: true };
}

const WAITING_TROUBLES = new Set([
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/** What keeps a pod from running. */
export function troubleOf(pod: V1Pod): Trouble | undefined {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    return { condition: 'Scheduled', reason: scheduled.reason ?? 'Unschedulable', message: scheduled.message ?? 'not scheduled' };
  }
  const waiting = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.state?.waiting;
  if (waiting?.reason !== undefined && PULL_TROUBLES.has(waiting.reason)) return pullTrouble(waiting.message ?? waiting.reason);
  if (waiting?.reason !== undefined && WAITING_TROUBLES.has(waiting.reason)) {
    return { condition: 'Started', reason: waiting.reason, message: waiting.message ?? waiting.reason };
  }
  return undefined;
}

/** An object that waits and does not say for what, or not all of it; events about it, or about its claims, may. */
export interface Silence {
  readonly uid: string;
  /** Events from before that speak of something else. */
  readonly since?: Date;
  /** Claims whose volumes it may wait for; events about them may tell, too. */
  readonly claims?: readonly string[];
  /** What is known without events. */
  readonly otherwise?: Trouble;
  /** What the scheduler says of a pod for which it finds no place. Where a claim is to blame, the cause is in the claim's events alone. */
  readonly said?: Trouble;
}

/** Whether no scheduler has said where the pod may run: there is none of that name, or it waits for something that is not there, such as a volume. */
const isOverlooked = ({ spec, status }: V1Pod): boolean =>
  spec?.nodeName === undefined && status?.conditions?.some(({ type }) => type === 'PodScheduled') !== true;

const claimsOf = ({ spec }: V1Pod): string[] =>
  (spec?.volumes ?? []).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);

function overlooked(pod: V1Pod): Trouble {
  const { schedulerName = 'default-scheduler', resourceClaims = [] } = pod.spec ?? {};
  const devices = resourceClaims.map(({ resourceClaimName, resourceClaimTemplateName }) =>
    resourceClaimName === undefined ? `of the template ${resourceClaimTemplateName}` : resourceClaimName,
  );
  const volumes = claimsOf(pod);
  const needs = [
    ...(devices.length === 0 ? [] : [`, and it needs the resource claim ${devices.join(' and ')}`]),
    ...(volumes.length === 0 ? [] : [`, and it waits where the volume of ${volumes.join(' or ')} is not made yet`]),
  ].join('');
  const message = `no scheduler has said where pod ${pod.metadata?.name} may run; its schedulerName is ${schedulerName}${needs}`;
  return { condition: 'Scheduled', reason: 'NotScheduled', message };
}

/** The pod that does not begin, and of which no condition says all there is to say, else the Job that has no pod that could. */
export function silenceOf(job: V1Job, newest: V1Pod | undefined): Silence | undefined {
  const since = newest?.metadata?.creationTimestamp;
  if (newest === undefined || isEnded(newest)) return defined({ uid: job.metadata?.uid ?? '', since });
  if (hasStarted(newest)) return undefined;
  const uid = newest.metadata?.uid ?? '';
  const said = troubleOf(newest);
  if (said !== undefined) return said.condition === 'Scheduled' ? { uid, claims: claimsOf(newest), said } : undefined;
  return isOverlooked(newest) ? defined({ uid, since, claims: claimsOf(newest), otherwise: overlooked(newest) }) : { uid };
}

const createdAt = (pod: V1Pod) => new Date(pod.metadata?.creationTimestamp ?? 0).getTime();
export const newestOf = (pods: readonly V1Pod[]): V1Pod | undefined => pods.toSorted((a, b) => createdAt(b) - createdAt(a)).at(0);
export const isEnded = (pod: V1Pod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export const isFailed = (pod: V1Pod) => pod.status?.phase === 'Failed';
export const hasStarted = (pod: V1Pod): boolean => {
  const state = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.state;
  return state?.running !== undefined || state?.terminated !== undefined || isEnded(pod);
};

/** The pods of a Job that have not ended, taken together. */
export interface Work {
  /** Which of them people are told of: one that has begun, else one that says what it waits for, else the newest. */
  readonly shown?: V1Pod;
  readonly hasBegun: boolean;
  /** What keeps those from running that wait. */
  readonly trouble?: Trouble;
  /** How many shards run, where others wait: fewer places than shards are less speed, and no trouble. */
  readonly note?: string;
}

export function workOf(pods: readonly V1Pod[], shards: number): Work {
  const active = pods.filter((pod) => !isEnded(pod));
  const begun = active.filter(hasStarted);
  const blocked = newestOf(active.filter((pod) => !hasStarted(pod) && troubleOf(pod) !== undefined));
  const trouble = blocked === undefined ? undefined : troubleOf(blocked);
  if (begun.length === 0) return { shown: blocked ?? newestOf(active), hasBegun: false, trouble };
  const count = `${begun.length} of ${Math.max(shards, active.length)} shards ${begun.length === 1 ? 'runs' : 'run'}`;
  const note = trouble === undefined ? undefined : `${count}; the others: ${trouble.message}`;
  return { shown: newestOf(begun), hasBegun: true, note };
}

export interface PodView {
  readonly pod?: string;
  readonly node?: string;
  /** The image that ran, by digest. */
  readonly imageId?: string;
}

/** As long as the resource takes; one that is cut would be another one. */
const LONGEST_IMAGE = 2048;

export function podView(pod: V1Pod): PodView {
  const { imageID: imageId = '' } = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER) ?? {};
  return {
    pod: pod.metadata?.name,
    node: pod.spec?.nodeName,
    ...(imageId === '' || imageId.length > LONGEST_IMAGE ? {} : { imageId }),
  };
}
