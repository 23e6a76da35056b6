import type { V1OwnerReference } from '@kubernetes/client-node';
import { API_VERSION, KIND } from '../api/experiment.ts';
import type { Experiment } from '../api/experiment.ts';

/** An experiment as it lies in the cluster, defaulted by the API server. */
export interface ClusterExperiment {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly spec: Experiment['spec'];
}

export function ownerReference({ name, uid }: Pick<ClusterExperiment, 'name' | 'uid'>): V1OwnerReference {
  return { apiVersion: API_VERSION, kind: KIND, name, uid };
}
