import { createHash } from 'node:crypto';
import type { StageName } from '../api/experiment.ts';

/** Labels and names of what the operator makes. Names are deterministic: the same stage on the same volume is always the same Job. */
export const LABELS = {
  managedBy: 'app.kubernetes.io/managed-by',
  component: 'app.kubernetes.io/component',
  /** The first 16 digits of the stage key. */
  key: 'cdsp.dev/key',
  stage: 'cdsp.dev/stage',
} as const;
export const ANNOTATIONS = {
  /** The whole stage key; a label's value is too short for it. */
  key: 'cdsp.dev/stage-key',
  claim: 'cdsp.dev/claim',
} as const;
export const MANAGED_BY = 'cdsp';
export const MANAGED_SELECTOR = `${LABELS.managedBy}=${MANAGED_BY}`;

const KEY_DIGITS = 16;
export const shortKey = (key: string): string => key.slice(0, KEY_DIGITS);

const digest = (text: string, length: number): string => createHash('sha256').update(text).digest('hex').slice(0, length);

/** The claim that an experiment's artifacts lie on: its own, unless it names one. */
export function claimName(experiment: { name: string; claimName?: string }): string {
  return experiment.claimName ?? `cdsp-${experiment.name}`;
}

/**
 * The Job of a stage on a claim. Two experiments that need the same key on the same claim thereby share one; on different
 * claims the names differ.
 */
export function jobName(stage: StageName, key: string, claim: string): string {
  return `cdsp-${stage}-${shortKey(key)}-${digest(claim, 6)}`;
}
