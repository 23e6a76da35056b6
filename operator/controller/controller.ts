import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { StageName } from '../api/experiment.ts';
import { CACHED_ELSEWHERE, completedKey, completedKeys, Index, jobOfPod, keepExperiment, keepJob, keepPod } from './caches.ts';
import type { CachedExperiment, RawExperiment } from './caches.ts';
import type { StagePodSettings } from './build-job.ts';
import type { LiveProgress } from './build-status.ts';
import { isStatus } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { Informer } from './informer.ts';
import { MANAGED_SELECTOR } from './names.ts';
import { experimentsPath, jobsPath, podsPath, Reconciler } from './reconciler.ts';
import { WorkQueue } from './queue.ts';

export interface ControllerOptions {
  readonly cluster: Cluster;
  readonly settings: StagePodSettings;
  readonly trainerVersion: string;
  /** All namespaces by default. */
  readonly namespace?: string;
  readonly parallelism?: number;
  readonly live?: (experiment: string) => ReadonlyMap<StageName, LiveProgress>;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly now?: () => number;
}

const NOTHING: ReadonlyMap<StageName, LiveProgress> = new Map();

/** Caches, queue and reconciler of one operator, wired: a change to an experiment, its Jobs or their pods puts the experiment into the queue. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #experiments: Informer<RawExperiment, CachedExperiment>;
  readonly #jobs: Informer<V1Job, V1Job>;
  readonly #pods: Informer<V1Pod, V1Pod>;
  readonly #podsByJob = new Index();
  readonly #completed = new Index();
  readonly #reconciler: Reconciler;
  #queue: WorkQueue | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { cluster, namespace, log, now = Date.now } = options;
    const onError = (error: unknown) => log('watch failed', { error: String(error) });
    const query = { labelSelector: MANAGED_SELECTOR };
    this.#experiments = new Informer({
      cluster,
      path: experimentsPath(namespace),
      keep: keepExperiment,
      onChange: (key, after, before) => this.#experimentChanged(key, after, before),
      onError,
    });
    this.#jobs = new Informer({
      cluster,
      path: jobsPath(namespace),
      query,
      keep: keepJob,
      onChange: (_key, after, before) => this.#wakeOwners(after ?? before),
      onError,
    });
    this.#pods = new Informer({
      cluster,
      path: podsPath(namespace),
      query,
      keep: keepPod,
      onChange: (key, after, before) => this.#podChanged(key, after, before),
      onError,
    });
    this.#reconciler = new Reconciler({
      cluster,
      settings: options.settings,
      trainerVersion: options.trainerVersion,
      live: options.live ?? (() => NOTHING),
      now,
      requeueAfter: (key, delay) => this.#queue?.addAfter(key, delay),
      caches: {
        experiment: (key) => this.#experiments.get(key),
        job: (space, name) => this.#jobs.get(`${space}/${name}`),
        podsOf: (space, job) => this.#podsByJob.members(`${space}/${job}`).flatMap((key) => this.#pods.get(key) ?? []),
        completeElsewhere: (space, claim, key) =>
          this.#completed.members(completedKey(space, claim, key)).length > 0 ? CACHED_ELSEWHERE : undefined,
      },
    });
  }

  /** Fills the caches; nothing is changed yet. */
  async sync(): Promise<void> {
    await Promise.all([this.#jobs.start(), this.#pods.start(), this.#experiments.start()]);
  }

  /** Begins to act: this replica leads. */
  lead(): void {
    this.#queue = new WorkQueue({
      parallelism: this.#options.parallelism ?? 16,
      work: (key) => this.#reconciler.reconcile(key),
      onError: (key, error) => {
        // A conflict only says that the cache is behind; it will catch up.
        if (!isStatus(error, 409)) this.#options.log('reconciling failed', { experiment: key, error: String(error) });
      },
    });
    for (const [key] of this.#experiments.entries()) this.#queue.add(key);
  }

  /** Stops acting; what is under way is finished first. */
  async stopLeading(): Promise<void> {
    const queue = this.#queue;
    this.#queue = undefined;
    await queue?.close();
  }

  async stop(): Promise<void> {
    await this.stopLeading();
    await Promise.all([this.#experiments.stop(), this.#jobs.stop(), this.#pods.stop()]);
  }

  get queueDepth(): number {
    return this.#queue?.depth ?? 0;
  }

  #experimentChanged(key: string, after: CachedExperiment | undefined, before: CachedExperiment | undefined): void {
    if (before !== undefined) for (const done of completedKeys(before)) this.#completed.remove(done, key);
    if (after !== undefined) for (const done of completedKeys(after)) this.#completed.add(done, key);
    if (after !== undefined) this.#reconciler.seen(key, after.resourceVersion);
    if (after?.spec !== undefined || after === undefined) this.#queue?.add(key);
  }

  #podChanged(key: string, after: V1Pod | undefined, before: V1Pod | undefined): void {
    const pod = after ?? before;
    const job = pod === undefined ? undefined : jobOfPod(pod);
    if (pod === undefined || job === undefined) return;
    const jobKey = `${pod.metadata?.namespace}/${job}`;
    if (after === undefined) this.#podsByJob.remove(jobKey, key);
    else this.#podsByJob.add(jobKey, key);
    this.#wakeOwners(this.#jobs.get(jobKey));
  }

  #wakeOwners(job: V1Job | undefined): void {
    for (const { name } of job?.metadata?.ownerReferences ?? []) this.#queue?.add(`${job?.metadata?.namespace}/${name}`);
  }
}
