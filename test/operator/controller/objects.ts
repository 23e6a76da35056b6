import type { V1Job, V1Pod } from '@kubernetes/client-node';

/** Jobs and pods as the API shows them, with no more than a test speaks of. */
export function makeJob(status: NonNullable<V1Job['status']> = {}, spec: Partial<NonNullable<V1Job['spec']>> = {}): V1Job {
  return { metadata: { name: 'job', namespace: 'lab', uid: 'job-uid' }, spec: spec as V1Job['spec'], status };
}

export interface PodEnd {
  readonly exitCode: number;
  readonly message?: string;
  readonly reason?: string;
}

let made = 0;
export function makePod(phase: string, end?: PodEnd, status: NonNullable<V1Pod['status']> = {}): V1Pod {
  made++;
  const state = end === undefined ? {} : { terminated: { finishedAt: new Date(5000), ...end } };
  return {
    metadata: {
      name: `pod-${made}`,
      namespace: 'lab',
      creationTimestamp: new Date(1000 * made),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'job', uid: 'job-uid' }],
    },
    spec: { nodeName: 'node-1', containers: [] },
    status: {
      phase,
      containerStatuses: [{ name: 'stage', state, image: '', imageID: 'sha256:abc', ready: false, restartCount: 0 }],
      ...status,
    },
  };
}

export const condition = (type: string, reason: string, message: string) => ({
  type,
  status: 'True',
  reason,
  message,
  lastTransitionTime: new Date(9000),
});
