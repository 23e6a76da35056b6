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

/**
 * The newest warning, unless an event with one of these reasons tells that it is over.
 * Of two that were seen in the same second the later in the list is the newer: the names of an object's events end with the time of their making.
 */
export function newestWarning(events: readonly CoreV1Event[], over: ReadonlySet<string>): CoreV1Event | undefined {
  const telling = events.filter(({ type, reason = '' }) => type === 'Warning' || over.has(reason));
  const newest = telling.toSorted((a, b) => timeOfEvent(a) - timeOfEvent(b)).at(-1);
  return newest?.type === 'Warning' ? newest : undefined;
}
