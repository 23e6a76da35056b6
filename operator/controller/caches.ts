import type { KubernetesObject, V1Job, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import type { Experiment } from '../api/experiment.ts';
import { ExperimentStatus } from '../api/status.ts';
import { defined } from './defined.ts';
import { INVALID_SPEC } from './build-status.ts';
import { claimName, LABELS } from './names.ts';
import type { StageRecord } from './observe.ts';

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

/** Outcomes, and phases, after which nothing runs. */
export const ENDED: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);

/** Whether an operator, which may have been of another version or configuration, has found that it cannot run the experiment. */
export const isRefused = (status: ExperimentStatus | undefined): boolean =>
  status?.conditions?.some(({ type, reason }) => type === 'Succeeded' && reason === INVALID_SPEC) ?? false;

/** Whether nothing is left to do about an experiment until it is edited, whoever looks at it. */
function isSettled(generation: number | undefined, status: ExperimentStatus | undefined): boolean {
  const hasEnded = status?.phase !== undefined && ENDED.has(status.phase) && status.observedGeneration === generation;
  return hasEnded && !isRefused(status);
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
  const { observedGeneration, phase, stage, meanIou, results, conditions } = status;
  const stages = status.stages?.map(({ name, state, key, meanIou: ofStage, startTime, completionTime, attempts }) =>
    defined({ name, state, key, meanIou: ofStage, startTime, completionTime, attempts }),
  );
  const summary = conditions?.filter(({ type }) => type === 'Succeeded');
  return defined({ observedGeneration, phase, stage, meanIou, results, conditions: summary, stages });
}

/** A Job without its template and managed fields. */
export function keepJob({ metadata = {}, spec, status }: V1Job): V1Job {
  const { name, namespace, uid, resourceVersion, labels, annotations, ownerReferences, creationTimestamp, deletionTimestamp } = metadata;
  return {
    metadata: { name, namespace, uid, resourceVersion, labels, annotations, ownerReferences, creationTimestamp, deletionTimestamp },
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
    status,
  };
}

/** The Job that a pod belongs to. */
export const jobOfPod = ({ metadata }: V1Pod): string | undefined => metadata?.ownerReferences?.find(({ kind }) => kind === 'Job')?.name;

export function keepPod({ metadata = {}, spec, status }: V1Pod): V1Pod {
  const { name, namespace, uid, ownerReferences, creationTimestamp, deletionTimestamp } = metadata;
  const { [LABELS.stage]: stage = '', [LABELS.key]: key = '' } = metadata.labels ?? {};
  const labels = { [LABELS.stage]: stage, [LABELS.key]: key };
  const { phase, reason, message, conditions, containerStatuses, podIP } = status ?? {};
  return {
    metadata: { name, namespace, uid, labels, ownerReferences, creationTimestamp, deletionTimestamp },
    spec: keepPlace(spec) as V1Pod['spec'],
    status: { phase, reason, message, podIP, conditions: conditions?.filter(({ type }) => type === 'PodScheduled'), containerStatuses },
  };
}

/** Where a pod is; where it is nowhere yet, what that may be due to. */
function keepPlace({ nodeName, schedulerName, resourceClaims, volumes }: Partial<V1PodSpec> = {}): Partial<V1PodSpec> {
  if (nodeName !== undefined) return { nodeName };
  return { schedulerName, resourceClaims, volumes: volumes?.filter(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined) };
}

/** Values under keys of which one value may have several, and one key several values. */
export class Index {
  readonly #members = new Map<string, Set<string>>();

  add(key: string, member: string): void {
    const members = this.#members.get(key);
    if (members === undefined) this.#members.set(key, new Set([member]));
    else members.add(member);
  }

  remove(key: string, member: string): void {
    const members = this.#members.get(key);
    members?.delete(member);
    if (members?.size === 0) this.#members.delete(key);
  }

  members(key: string): readonly string[] {
    return [...(this.#members.get(key) ?? [])];
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
