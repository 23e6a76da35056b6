import type {
  KubernetesObject,
  V1ContainerState,
  V1ContainerStatus,
  V1Job,
  V1JobStatus,
  V1OwnerReference,
  V1Pod,
  V1PodSpec,
  V1PodStatus,
} from '@kubernetes/client-node';
import { API_VERSION, KIND } from '../api/experiment.ts';
import type { Experiment } from '../api/experiment.ts';
import { ExperimentStatus } from '../api/status.ts';
import { defined } from './defined.ts';
import { CONTAINER } from './build-pod.ts';
import { hasEnded, isRefused, storageConditionOf } from './read-status.ts';
import { ANNOTATIONS, claimName, LABELS } from './names.ts';
import type { StageRecord } from './observe.ts';
import { isEnded } from './observe-pod.ts';
import { isFinished } from './owned-jobs.ts';

export interface RawExperiment extends KubernetesObject {
  readonly spec: Experiment['spec'];
  readonly status?: ExperimentStatus;
}

/** An experiment as it is kept in the cache. */
export interface CachedExperiment {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  readonly isDeleting: boolean;
  /** Where its artifacts lie. */
  readonly claim: string;
  /** Left out for one that has ended and was not edited since: ten thousand of them are kept. */
  readonly spec: Experiment['spec'] | undefined;
  /** After how long its Jobs may go, in seconds; undefined: never. */
  readonly ttlSecondsAfterFinished: number | undefined;
  readonly status: ExperimentStatus | undefined;
}

/** Whether nothing is left to do about an experiment until it is edited, whoever looks at it. */
function isSettled(generation: number | undefined, status: ExperimentStatus | undefined): boolean {
  const isTold = hasEnded(status) && status?.observedGeneration === generation;
  return isTold && !isRefused(status) && storageConditionOf(status) === undefined;
}

/** What the cache keeps of an experiment. */
export function keepExperiment({ metadata = {}, spec, status }: RawExperiment): CachedExperiment {
  const { name = '', namespace = '', uid = '', generation = 0, resourceVersion = '', deletionTimestamp } = metadata;
  const settled = isSettled(generation, status);
  return {
    name,
    namespace,
    uid,
    generation,
    resourceVersion,
    isDeleting: deletionTimestamp !== undefined,
    claim: claimName({ name, claimName: spec.storage.claimName }),
    spec: settled ? undefined : spec,
    ttlSecondsAfterFinished: spec.ttlSecondsAfterFinished,
    status: settled ? settledStatus(status) : knownStatus(status),
  };
}

/** What this version knows of a status: fields of a newer one are their writer's, and must not look like a change. */
function knownStatus(status: ExperimentStatus | undefined): ExperimentStatus | undefined {
  return status === undefined ? undefined : (ExperimentStatus.safeParse(status).data ?? status);
}

/** Of an ended experiment: which keys it has completed, and what the metrics tell of it. */
function settledStatus(status: ExperimentStatus | undefined): ExperimentStatus | undefined {
  if (status === undefined) return undefined;
  const { observedGeneration, phase, stage, meanIou, completionTime, results, conditions } = status;
  const stages = status.stages?.map(({ name, state, key, meanIou: ofStage, startTime, completionTime, attempts }) =>
    defined({ name, state, key, meanIou: ofStage, startTime, completionTime, attempts }),
  );
  const summary = conditions?.filter(({ type }) => type === 'Succeeded');
  return defined({ observedGeneration, phase, stage, meanIou, completionTime, results, conditions: summary, stages });
}

/** Texts that nearly every object repeats: a constant is there once, what a list brings once for each object. */
const USUAL: ReadonlyMap<string, string> = new Map([API_VERSION, KIND, 'batch/v1', 'Job'].map((text) => [text, text]));
const usual = (text: string): string => USUAL.get(text) ?? text;

const keepOwner = ({ apiVersion, kind, ...owner }: V1OwnerReference): V1OwnerReference => ({
  apiVersion: usual(apiVersion),
  kind: usual(kind),
  ...owner,
});

const ENDS_OF_JOBS: ReadonlySet<string> = new Set(['Complete', 'Failed', 'FailureTarget']);
/** Of a Job that is complete nobody asks more. */
const COMPLETE: NonNullable<V1JobStatus['conditions']> = [{ type: 'Complete', status: 'True' }];

function keepJobStatus({ conditions, startTime, completionTime, active, failed, succeeded }: V1JobStatus): V1JobStatus {
  const isComplete = conditions?.some(({ type, status }) => type === 'Complete' && status === 'True');
  const ends = conditions?.filter(({ type }) => ENDS_OF_JOBS.has(type));
  return { conditions: isComplete ? COMPLETE : ends, startTime, completionTime, active, failed, succeeded };
}

/** What is read of a Job: it has neither template nor managed fields. */
export function keepJob(job: V1Job): V1Job {
  const { metadata = {}, spec, status = {} } = job;
  if (isFinished(job)) return keepFinishedJob(job);
  const { name, namespace, uid, resourceVersion, labels, annotations, creationTimestamp, deletionTimestamp } = metadata;
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      labels: only(labels, LABELS.queue),
      annotations: only(annotations, ANNOTATIONS.template, ANNOTATIONS.remakesFor, ANNOTATIONS.timeToLive),
      ownerReferences: metadata.ownerReferences?.map(keepOwner),
      creationTimestamp,
      deletionTimestamp,
    },
    spec:
      spec === undefined
        ? undefined
        : ({
            suspend: spec.suspend,
            completions: spec.completions,
            backoffLimit: spec.backoffLimit,
            activeDeadlineSeconds: spec.activeDeadlineSeconds,
            ttlSecondsAfterFinished: spec.ttlSecondsAfterFinished,
          } as V1Job['spec']),
    status: keepJobStatus(status),
  };
}

/**
 * Nearly all Jobs have ended, four of each experiment: nothing but their end may be changed in them, and where their pods run, or on what they wait,
 * is asked no more. Whose they are and how they ended stays: a status may have to be told of them anew, after an edit or for another experiment.
 */
function keepFinishedJob({ metadata = {}, spec, status = {} }: V1Job): V1Job {
  const { name, namespace, uid, annotations, ownerReferences, creationTimestamp } = metadata;
  const { activeDeadlineSeconds, ttlSecondsAfterFinished } = spec ?? {};
  return {
    metadata: {
      name,
      namespace,
      uid,
      annotations: only(annotations, ANNOTATIONS.remakesFor, ANNOTATIONS.timeToLive),
      ownerReferences: ownerReferences?.map(keepOwner),
      creationTimestamp,
    },
    spec:
      activeDeadlineSeconds === undefined && ttlSecondsAfterFinished === undefined
        ? undefined
        : ({ activeDeadlineSeconds, ttlSecondsAfterFinished } as V1Job['spec']),
    status: keepJobStatus(status),
  };
}

/** Of the entries those with these keys; undefined where there are none. */
function only(entries: Readonly<Record<string, string>> = {}, ...keys: readonly string[]): Record<string, string> | undefined {
  const kept = keys.filter((key) => key in entries).map((key) => [key, entries[key]] as const);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** The Job that a pod belongs to. */
export const jobOfPod = ({ metadata }: V1Pod): string | undefined => metadata?.ownerReferences?.find(({ kind }) => kind === 'Job')?.name;

/** What is read of a pod: of one that has ended, whose it is and how it ended. Its last word is the only place where its result lies. */
export function keepPod(pod: V1Pod): V1Pod {
  const { metadata = {}, spec, status = {} } = pod;
  const { name, namespace, uid, ownerReferences, creationTimestamp, deletionTimestamp } = metadata;
  const { phase, message, conditions, podIP } = status;
  const kept = { name, namespace, ownerReferences: ownerReferences?.map(keepPodOwner), creationTimestamp };
  const containerStatuses = keepContainers(status);
  if (isEnded(pod)) {
    const place = { nodeName: spec?.nodeName } as V1PodSpec;
    return { metadata: kept, spec: place, status: { phase, message, containerStatuses } };
  }
  return {
    metadata: { ...kept, uid, deletionTimestamp, labels: only(metadata.labels, LABELS.stage, LABELS.key) },
    spec: keepPlace(spec) as V1Pod['spec'],
    status: { phase, message, podIP, conditions: conditions?.filter(({ type }) => type === 'PodScheduled'), containerStatuses },
  };
}

const keepPodOwner = ({ apiVersion, kind, name, uid }: V1OwnerReference): V1OwnerReference => ({
  apiVersion: usual(apiVersion),
  kind: usual(kind),
  name,
  uid,
});

/** Of the stage's container the image that ran and how it stands; of other ones, which somebody's webhook may have added, nothing. */
function keepContainers({ containerStatuses }: V1PodStatus): V1ContainerStatus[] | undefined {
  return containerStatuses
    ?.filter(({ name }) => name === CONTAINER)
    .map(({ imageID, state }) => ({ name: CONTAINER, imageID, state: keepState(state) }) as V1ContainerStatus);
}

function keepState({ waiting, running, terminated }: V1ContainerState = {}): V1ContainerState {
  if (terminated !== undefined) {
    const { exitCode, reason, message, finishedAt } = terminated;
    return { terminated: { exitCode, reason, message, finishedAt } };
  }
  return running === undefined ? { waiting } : { running: {} };
}

/** Where a pod is; where it is nowhere yet, what that may be due to. */
function keepPlace({ nodeName, schedulerName, resourceClaims, volumes }: Partial<V1PodSpec> = {}): Partial<V1PodSpec> {
  if (nodeName !== undefined) return { nodeName };
  return { schedulerName, resourceClaims, volumes: volumes?.filter(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined) };
}

/** Values under keys of which one value may have several, and one key several values. A lone one, as most are, is kept without a set around it. */
export class Index {
  readonly #members = new Map<string, string | Set<string>>();

  add(key: string, member: string): void {
    const members = this.#members.get(key);
    if (members === undefined) this.#members.set(key, member);
    else if (typeof members !== 'string') members.add(member);
    else if (members !== member) this.#members.set(key, new Set([members, member]));
  }

  remove(key: string, member: string): void {
    const members = this.#members.get(key);
    if (members === undefined) return;
    if (typeof members !== 'string') members.delete(member);
    if (members === member || (typeof members !== 'string' && members.size === 0)) this.#members.delete(key);
  }

  members(key: string): readonly string[] {
    const members = this.#members.get(key);
    return members === undefined ? [] : typeof members === 'string' ? [members] : [...members];
  }
}

/** The stage keys that an experiment has completed on its claim. */
export function completedKeys({ namespace, claim, status }: CachedExperiment): string[] {
  return (status?.stages ?? [])
    .filter(({ state, key }) => key !== undefined && (state === 'Complete' || state === 'Cached'))
    .map(({ key }) => completedKey(namespace, claim, key ?? ''));
}

/**
 * Whether an experiment has completed the stage of this key, and not before.
 * @param since in milliseconds since the epoch
 */
export function hasCompletedSince({ status }: Pick<CachedExperiment, 'status'> = { status: undefined }, key: string, since = 0): boolean {
  const completion = status?.stages?.find((stage) => stage.key === key)?.completionTime;
  return since === 0 || (completion !== undefined && Date.parse(completion) >= since);
}

export const completedKey = (namespace: string, claim: string, key: string): string => `${namespace}/${claim}/${key}`;

export const CACHED_ELSEWHERE: StageRecord = { state: 'Cached', isOwn: false };
