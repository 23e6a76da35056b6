import { isDeepStrictEqual } from 'node:util';
import type { CoreV1Event, KubernetesObject } from '@kubernetes/client-node';
import { API_VERSION, KIND } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import { isStatus } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterExperiment } from './cluster-experiment.ts';
import { QUEUED } from './observe.ts';
import { storageConditionOf, summaryConditionOf, troubleConditionOf } from './read-status.ts';
import { eventsPath, experimentsPath } from './resource-paths.ts';

/**
 * Progress, pods and times are written at most this often; where an experiment stands, at once. With more than fifty experiments at work they are
 * written more seldom, ten a second in all: a status costs the API server more than most that it is asked for. A thousand that wait (suspended,
 * queued, refused) say little, and keep back nobody's numbers but each other's. Where more than ten a second come to another place, as when hundreds
 * begin at once, that keeps numbers back, too: most of them are told with the next place.
 */
const NUMBERS_EVERY_MS = 5000;
const NUMBERS_EVERY_MS_FOR_EACH = 100;
const NUMBERS_EVERY_MS_IN_A_CROWD = 20_000;
const CROWD = { milestones: 50, withinMs: 5000 } as const;

export interface StatusWriterOptions {
  readonly cluster: Pick<Cluster, 'create' | 'apply'>;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  /** Asks for the experiment to be looked at again. */
  readonly requeueAfter: (key: string, delayMs: number) => void;
}

/** The part of a status that is worth a request of its own. */
function milestones(status: ExperimentStatus | undefined): unknown {
  const conditions = status?.conditions?.map(({ type, status: value, reason }) => [type, value, reason]);
  const stages = status?.stages?.map(({ name, state, reason, key }) => [name, state, reason, key]);
  return { phase: status?.phase, stage: status?.stage, generation: status?.observedGeneration, conditions, stages };
}

/** Whether the status tells of a stage that runs on a node. One that a queue or a quota holds back has the state Running, too. */
const isAtWork = ({ stages = [] }: ExperimentStatus): boolean =>
  stages.some(({ state, node }) => state === 'Running' && node !== undefined);

interface EventText {
  readonly reason: string;
  readonly message: string;
  readonly isWarning: boolean;
}

/** What a change of status is worth telling people, besides the status itself. */
function eventsOf(before: ExperimentStatus | undefined, after: ExperimentStatus): EventText[] {
  const completed = (after.stages ?? [])
    .filter(({ state }) => state === 'Complete')
    .filter(({ name, key }) => before?.stages?.some((stage) => stage.name === name && stage.key === key && stage.state === 'Running'))
    .map(({ name }) => name);
  const [old, summary] = [before, after].map(summaryConditionOf);
  const isNews = summary !== undefined && (old?.reason !== summary.reason || old.status !== summary.status);
  const trouble = troubleConditionOf(after);
  const isWarning = summary?.status === 'False' || (trouble !== undefined && trouble.reason !== QUEUED);
  const storage = storageConditionOf(after);
  const isStorageNews = storage !== undefined && storage.reason !== storageConditionOf(before)?.reason;
  const events = isStorageNews ? [{ reason: storage.reason, message: `storage: ${storage.message}`, isWarning: true }] : [];
  if (isNews) return [{ reason: summary.reason, message: summary.message, isWarning }, ...events];
  if (completed.length === 0) return events;
  return [{ reason: 'StageComplete', message: `${completed.join(', ')} complete; ${summary?.message ?? ''}`, isWarning: false }, ...events];
}

/** Writes statuses: one request for a change, and the event that tells of it after it. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  /** The last status written, until the cache shows it: deciding on an older one would write it twice. */
  readonly #written = new Map<string, { readonly status: ExperimentStatus; readonly version: bigint }>();
  /** When the status of each experiment that has not ended was last written. */
  readonly #writtenAt = new Map<string, number>();
  /** Those of them that are at work. */
  readonly #atWork = new Set<string>();
  /** When statuses that tell of another place were written, of late. */
  #milestonesAt: readonly number[] = [];

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** The status as it is, even if the cache does not show it yet. */
  latest(key: string, cached: ExperimentStatus | undefined): ExperimentStatus | undefined {
    return this.#written.get(key)?.status ?? cached;
  }

  /** The cache shows this version of the experiment: a status written before it need not be remembered. */
  seen(key: string, resourceVersion: string): void {
    const written = this.#written.get(key);
    if (written !== undefined && BigInt(resourceVersion) >= written.version) this.#written.delete(key);
  }

  forget(key: string): void {
    this.#written.delete(key);
    this.#writtenAt.delete(key);
    this.#atWork.delete(key);
  }

  /**
   * @param shown the version of the experiment that the cache shows when the answer is there
   * @throws ApiError
   */
  async write(
    key: string,
    { name, namespace, uid }: Pick<ClusterExperiment, 'name' | 'namespace' | 'uid'>,
    status: ExperimentStatus,
    previous: ExperimentStatus | undefined,
    shown: () => string | undefined,
  ): Promise<void> {
    const { cluster, now, requeueAfter } = this.#options;
    if (isDeepStrictEqual(status, previous)) return;
    const isMilestone = !isDeepStrictEqual(milestones(status), milestones(previous));
    const wait = isMilestone ? 0 : this.#delay(key, status);
    if (wait > 0) return requeueAfter(key, wait);
    try {
      const path = `${experimentsPath(namespace)}/${name}/status`;
      const metadata = { name, namespace, uid };
      const answer = await cluster.apply<KubernetesObject>(path, { apiVersion: API_VERSION, kind: KIND, metadata, status });
      this.#writtenAt.set(key, now());
      if (isMilestone) this.#milestonesAt = [...this.#recentMilestones(), now()];
      if (isAtWork(status)) this.#atWork.add(key);
      else this.#atWork.delete(key);
      this.#written.set(key, { status, version: BigInt(answer.metadata?.resourceVersion ?? 0) });
      // The watch may have been faster than the answer.
      this.seen(key, shown() ?? '0');
    } catch (error) {
      // Deleted meanwhile: there is nobody to tell.
      if (isStatus(error, 404)) return;
      throw error;
    }
    for (const text of eventsOf(previous, status)) await this.#tell({ name, namespace, uid }, text);
  }

  /** For how long numbers that change all the time have to wait, in milliseconds. */
  #delay(key: string, status: ExperimentStatus): number {
    const last = this.#writtenAt.get(key);
    const passed = this.#options.now() - (last ?? -Infinity);
    // A clock that was set back says nothing.
    const others = isAtWork(status) ? this.#atWork : this.#writtenAt;
    const ofCrowd = this.#recentMilestones().length > CROWD.milestones ? NUMBERS_EVERY_MS_IN_A_CROWD : 0;
    const period = Math.max(NUMBERS_EVERY_MS, NUMBERS_EVERY_MS_FOR_EACH * others.size, ofCrowd);
    return passed < 0 ? 0 : Math.max(0, period - passed);
  }

  #recentMilestones(): readonly number[] {
    const now = this.#options.now();
    // A clock that was set back says nothing.
    return this.#milestonesAt.filter((at) => at <= now && now - at < CROWD.withinMs);
  }

  async #tell(object: Pick<ClusterExperiment, 'name' | 'namespace' | 'uid'>, { reason, message, isWarning }: EventText): Promise<void> {
    const time = new Date(this.#options.now()).toISOString();
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: `${object.name}.`, namespace: object.namespace },
      involvedObject: { apiVersion: API_VERSION, kind: KIND, ...object },
      reason,
      // The API takes no more.
      message: message.slice(0, 1000),
      type: isWarning ? 'Warning' : 'Normal',
      source: { component: 'cdsp-operator' },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    // Events inform; an experiment whose event is refused (a namespace that is being deleted) goes on all the same.
    await this.#options.cluster.create(eventsPath(object.namespace), event as unknown as CoreV1Event).catch(() => {});
  }
}
