import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import type { Experiment } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import { claimName } from './names.ts';
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
  readonly status: ExperimentStatus | undefined;
}

const ENDED = new Set(['Succeeded', 'Failed']);

/** Whether nothing is left to do about an experiment until it is edited. */
function isSettled(generation: number | undefined, status: ExperimentStatus | undefined): boolean {
  return status?.phase !== undefined && ENDED.has(status.phase) && status.observedGeneration === generation;
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
    status: settled ? settledStatus(status) : status,
  };
}

/** Of an ended experiment: which keys it has completed, and its result for the metrics. */
function settledStatus(status: ExperimentStatus | undefined): ExperimentStatus | undefined {
  if (status === undefined) return undefined;
  const { observedGeneration, phase, meanIou, stages } = status;
  const kept = stages?.map(({ name, state, key }) => ({ name, state, key }));
  return { observedGeneration, phase, ...(meanIou === undefined ? {} : { meanIou }), ...(kept === undefined ? {} : { stages: kept }) };
}

/** A Job without its template and managed fields. */
export function keepJob({ metadata = {}, spec, status }: V1Job): V1Job {
  const { name, namespace, uid, resourceVersion, annotations, ownerReferences, deletionTimestamp } = metadata;
  return {
    metadata: { name, namespace, uid, resourceVersion, annotations, ownerReferences, deletionTimestamp },
    spec: spec === undefined ? undefined : ({ suspend: spec.suspend, completions: spec.completions } as V1Job['spec']),
    status,
  };
}

/** The Job that a pod belongs to. */
export const jobOfPod = ({ metadata }: V1Pod): string | undefined => metadata?.ownerReferences?.find(({ kind }) => kind === 'Job')?.name;

export function keepPod({ metadata = {}, spec, status }: V1Pod): V1Pod {
  const { name, namespace, uid, ownerReferences, creationTimestamp, deletionTimestamp } = metadata;
  const { phase, reason, message, conditions, containerStatuses, podIP } = status ?? {};
  return {
    metadata: { name, namespace, uid, ownerReferences, creationTimestamp, deletionTimestamp },
    spec: { nodeName: spec?.nodeName } as V1Pod['spec'],
    status: { phase, reason, message, podIP, conditions: conditions?.filter(({ type }) => type === 'PodScheduled'), containerStatuses },
  };
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

export const completedKey = (namespace: string, claim: string, key: string): string => `${namespace}/${claim}/${key}`;

export const CACHED_ELSEWHERE: StageRecord = { state: 'Cached', isOwn: false };
