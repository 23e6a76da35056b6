import type { CoreV1Event } from '@kubernetes/client-node';
import type { Cluster } from './cluster.ts';
import { eventsPath } from './resource-paths.ts';

/** The events of a namespace that a field selector chooses; the API server goes through all of the namespace for it. */
export async function listEvents(cluster: Pick<Cluster, 'list'>, namespace: string, fieldSelector: string): Promise<CoreV1Event[]> {
  return (await cluster.list<CoreV1Event>(eventsPath(namespace), { fieldSelector })).items;
}

/** When it was seen last, in milliseconds since the epoch. */
export const timeOfEvent = ({ lastTimestamp, eventTime, metadata }: CoreV1Event): number =>
  new Date(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? 0).getTime();

export const newestEvent = (events: readonly CoreV1Event[]): CoreV1Event | undefined =>
  events.toSorted((a, b) => timeOfEvent(b) - timeOfEvent(a)).at(0);
