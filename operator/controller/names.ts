import { createHash } from 'node:crypto';
import type { KubernetesObject } from '@kubernetes/client-node';
import type { StageName } from '../api/experiment.ts';

/** Labels and names of what the operator makes. Names are deterministic: the same stage on the same volume is always the same Job. */
export const LABELS = {
  managedBy: 'app.kubernetes.io/managed-by',
  component: 'app.kubernetes.io/component',
  /** The first 16 digits of the stage key. */
  key: 'cdsp.dev/key',
  stage: 'cdsp.dev/stage',
  /** Six digits that stand for the claim; pods that share a ReadWriteOnce claim find each other's node by it. */
  claim: 'cdsp.dev/claim',
  /** Kueue's. */
  queue: 'kueue.x-k8s.io/queue-name',
} as const;
export const ANNOTATIONS = {
  /** The whole stage key; a label's value is too short for it. */
  key: 'cdsp.dev/stage-key',
  claim: 'cdsp.dev/claim',
  /** Digest of the pod's template apart from what the key says: placement, images, pull secrets. */
  template: 'cdsp.dev/template',
  /** On a Job that makes lost artifacts again: the uid of the Job that missed them. */
  remakesFor: 'cdsp.dev/remakes-for',
  /** On a Job that has its time to live from the experiment, and so loses it with an edit: others may have set one, too. */
  timeToLive: 'cdsp.dev/ttl-seconds-after-finished',
} as const;
export const MANAGED_BY = 'cdsp';
export const MANAGED_SELECTOR = `${LABELS.managedBy}=${MANAGED_BY}`;
/** Whether an object is the operator's own; another one of its name is somebody else's, and left alone. */
export const isOwn = ({ metadata }: KubernetesObject): boolean => metadata?.labels?.[LABELS.managedBy] === MANAGED_BY;

/** Of a key of a cache or queue, namespace/name. */
export const namespaceOf = (key: string): string => key.split('/', 1)[0];

const KEY_DIGITS = 16;
export const shortKey = (key: string): string => key.slice(0, KEY_DIGITS);

export const digest = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);

export const claimDigest = (claim: string): string => digest(claim, 6);

/** The claim that an experiment's artifacts lie on: its own, unless it names one. */
export function claimName(experiment: { name: string; claimName?: string }): string {
  return experiment.claimName ?? `cdsp-${experiment.name}`;
}

/**
 * The Job of a stage on a claim. Two experiments that need the same key on the same claim thereby share one; on different
 * claims the names differ.
 */
export function jobName(stage: StageName, key: string, claim: string): string {
  return `cdsp-${stage}-${shortKey(key)}-${claimDigest(claim)}`;
}
