import type { V1Job } from '@kubernetes/client-node';
import { ignoreStatus } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterExperiment } from './cluster-experiment.ts';
import { ANNOTATIONS } from './names.ts';
import { jobsPath } from './resource-paths.ts';

/**
 * Gives up a Job that an experiment needs no longer; where it is the only one to need it, the Job goes and its pod ends.
 * @throws ApiError, a conflict where somebody has changed the Job meanwhile
 */
export async function releaseJob(
  cluster: Pick<Cluster, 'merge' | 'delete'>,
  { uid, namespace }: Pick<ClusterExperiment, 'uid' | 'namespace'>,
  { metadata = {} }: V1Job,
): Promise<void> {
  const others = (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
  const path = `${jobsPath(namespace)}/${metadata.name}`;
  const { resourceVersion } = metadata;
  if (others.length === 0) return ignoreStatus(404, cluster.delete(path, { uid: metadata.uid, resourceVersion }));
  await ignoreStatus(404, cluster.merge(path, { metadata: { resourceVersion, ownerReferences: others } }));
}

/**
 * From now on the Job may go, as soon as the experiment wants it. Not before its end is told in the status: with a Job that goes while
 * nobody looks, its result would be lost, and the stage would run again. Of several owners the first has its way. Where the experiment wants it no more,
 * the Job stays.
 * @throws ApiError
 */
export async function expireJob(
  cluster: Pick<Cluster, 'merge'>,
  experiment: Pick<ClusterExperiment, 'uid' | 'namespace'> & { readonly ttlSecondsAfterFinished?: number },
  job: V1Job,
): Promise<void> {
  const { ttlSecondsAfterFinished = null, namespace } = experiment;
  const { metadata, spec } = job;
  const isOurs = metadata?.annotations?.[ANNOTATIONS.timeToLive] !== undefined;
  if (!isFirstOwner(experiment, job) || (ttlSecondsAfterFinished === null && !isOurs)) return;
  if ((spec?.ttlSecondsAfterFinished ?? null) === ttlSecondsAfterFinished) return;
  const annotations = { [ANNOTATIONS.timeToLive]: ttlSecondsAfterFinished === null ? null : String(ttlSecondsAfterFinished) };
  const patch = { metadata: { annotations }, spec: { ttlSecondsAfterFinished } };
  await ignoreStatus(404, cluster.merge(`${jobsPath(namespace)}/${metadata?.name}`, patch));
}

/** Of several owners of a Job the first decides what may change in it. */
export const isFirstOwner = ({ uid }: Pick<ClusterExperiment, 'uid'>, { metadata }: V1Job): boolean =>
  metadata?.ownerReferences?.[0]?.uid === uid;

/** Whether the Job has its end, good or bad. */
export const isFinished = ({ status }: V1Job): boolean =>
  status?.conditions?.some(({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True') ?? false;
