import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { find } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { listEvents, newestWarning } from './events.ts';
import { claimsPath } from './resource-paths.ts';

export interface SeenClaims {
  /** Whether all have their volume, which they keep: they will never be what a pod waits for. */
  readonly areBound: boolean;
  /** Of each that has none, why, where its events tell. */
  readonly words: readonly string[];
}

/** Of a claim whose volume is made where its pod will run: it waits for the pod, as it is meant to, and warnings from before are over. */
const WAITS_FOR_POD = new Set(['WaitForFirstConsumer', 'WaitForPodScheduled']);

/**
 * Which of a pod's claims have no volume, and why. The scheduler says at most that one has none; the cause is in the events of the claim alone.
 * @throws ApiError
 */
export async function seeClaims(cluster: Pick<Cluster, 'get' | 'list'>, namespace: string, claims: readonly string[]): Promise<SeenClaims> {
  const words: string[] = [];
  let areBound = true;
  for (const name of claims) {
    const claim = await find<V1PersistentVolumeClaim>(cluster, `${claimsPath(namespace)}/${name}`);
    if (claim?.status?.phase === 'Bound') continue;
    areBound = false;
    if (claim?.status?.phase !== 'Pending') continue;
    // By uid: events outlive a claim, and one of the same name that was made since has no part in them.
    const warning = newestWarning(await listEvents(cluster, namespace, `involvedObject.uid=${claim.metadata?.uid}`), WAITS_FOR_POD);
    if (warning !== undefined) words.push(`claim ${name} is not bound: ${warning.message ?? warning.reason}`);
  }
  return { areBound, words };
}
