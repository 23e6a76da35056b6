import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { Experiment, StageName } from '../api/experiment.ts';
import type { Finding } from '../api/findings.ts';
import type { OperatorConfig } from '../config.ts';
import type { StagePodSettings } from './build-pod.ts';
import { completedKey, completedKeys, hasCompletedSince, Index, jobOfPod, keepExperiment, keepJob, keepPod } from './caches.ts';
import type { CachedExperiment, RawExperiment } from './caches.ts';
import { ApiError, isStatus } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { ExpectedPods, isServed } from './expected-pods.ts';
import { InformerGroup } from './informer-group.ts';
import type { LiveProgress, StagePod } from './live-progress.ts';
import { LABELS, MANAGED_SELECTOR, namespaceOf } from './names.ts';
import { exponential, WorkQueue } from './queue.ts';
import type { Lane } from './queue.ts';
import { Reconciler } from './reconciler.ts';
import { experimentsPath, jobsPath, podsPath } from './resource-paths.ts';

/** Told what happens, for metrics; all are called on the hot path and must be quick. */
export interface ControllerObserver {
  readonly onReconciled?: (seconds: number) => void;
  readonly onReconcileError?: (error: unknown) => void;
  /** Seconds from when the last upstream pod was seen to have succeeded to when the next stage's Job was made. */
  readonly onHandOver?: (experiment: string, stage: StageName, seconds: number) => void;
  readonly onWatchRestart?: (resource: string, error: unknown) => void;
}

export interface ControllerOptions extends ControllerObserver {
  readonly cluster: Pick<Cluster, 'get' | 'list' | 'watch' | 'create' | 'apply' | 'merge' | 'delete'>;
  readonly config: StagePodSettings & Pick<OperatorConfig, 'namespaces' | 'parallelism'>;
  readonly check: (experiment: Experiment) => readonly Finding[];
  readonly live?: (experiment: string) => ReadonlyMap<StageName, LiveProgress>;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** In milliseconds since the epoch. */
  readonly now?: () => number;
  /** In milliseconds, never going back. */
  readonly elapsed?: () => number;
}

const NOTHING: ReadonlyMap<StageName, LiveProgress> = new Map();

/** Every so often all experiments are looked at again, whatever the watches say: what was missed is found then, at the latest. */
const RESYNC_MS = 10 * 60_000;

/** So many Jobs that the Job controller has not come to, as a share of the workers, keep new experiments from beginning. */
const HELD_BACK_SHARE = 1 / 8;

/** Caches, queue and reconciler of one operator, wired: a change to an experiment, its Jobs or their pods puts the experiment into the queue. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #experiments: InformerGroup<RawExperiment, CachedExperiment>;
  readonly #jobs: InformerGroup<V1Job, V1Job>;
  readonly #pods: InformerGroup<V1Pod, V1Pod>;
  readonly #podsByJob = new Index();
  readonly #jobsByOwner = new Index();
  readonly #completed = new Index();
  /** Experiments by the Jobs that they wait for, and the other way round. */
  readonly #followers = new Index();
  readonly #followed = new Map<string, readonly string[]>();
  /** When a Job's pod was first seen to have succeeded. */
  readonly #succeededAt = new Map<string, number>();
  /** Namespaces whose caches are filled; undefined stands for the whole cluster. */
  readonly #filled = new Set<string | undefined>();
  /** To be called when a listed namespace cannot be read. */
  readonly #denied = new Map<string, () => void>();
  readonly #expected = new ExpectedPods(() => this.#queue?.dispatch());
  readonly #reconciler: Reconciler;
  #queue: WorkQueue | undefined;
  #resync: NodeJS.Timeout | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { cluster, config, log, now = Date.now, elapsed = () => performance.now() } = options;
    const common = (resource: string) => ({
      cluster,
      namespaces: config.namespaces,
      onError: (error: unknown, namespace?: string) => {
        options.onWatchRestart?.(resource, error);
        log('watch failed', { resource, namespace, error: String(error) });
        if (namespace !== undefined && isStatus(error, 403, 404)) this.#denied.get(namespace)?.();
      },
    });
    const query = { labelSelector: MANAGED_SELECTOR };
    this.#experiments = new InformerGroup({
      ...common('cdspexperiments'),
      pathOf: experimentsPath,
      keep: keepExperiment,
      onChange: (key, after, before) => this.#experimentChanged(key, after, before),
    });
    this.#jobs = new InformerGroup({
      ...common('jobs'),
      pathOf: jobsPath,
      query,
      keep: keepJob,
      onChange: (key, after, before) => this.#jobChanged(key, after, before),
    });
    this.#pods = new InformerGroup({
      ...common('pods'),
      pathOf: podsPath,
      query,
      keep: keepPod,
      onChange: (key, after, before) => this.#podChanged(key, after, before),
    });
    this.#reconciler = new Reconciler({
      cluster,
      settings: config,
      check: options.check,
      live: options.live ?? (() => NOTHING),
      now,
      elapsed,
      requeueAfter: (key, delay) => this.#queue?.addAfter(key, delay),
      onHandOver: (key, stage, upstream) => this.#handedOver(key, stage, upstream),
      onJob: (job) => {
        // The watch may have been faster than the answer.
        const made = this.#jobs.get(job);
        if (this.#podsByJob.members(job).length === 0 && (made === undefined || !isServed(made))) this.#expected.add(job);
      },
      onError: (key, error) => this.#failed(key, error),
      caches: {
        experiment: (key) => this.#experiments.get(key),
        job: (space, name) => this.#jobs.get(`${space}/${name}`),
        hasReached: (space, version) => this.#jobs.hasReached(space, version),
        podsOf: (space, job) => this.#podsByJob.members(`${space}/${job}`).flatMap((key) => this.#pods.get(key) ?? []),
        jobsOf: (uid) => this.#jobsByOwner.members(uid).flatMap((key) => this.#jobs.get(key) ?? []),
        completeElsewhere: (space, claim, key, since) =>
          this.#completed
            .members(completedKey(space, claim, key))
            .find((lender) => hasCompletedSince(this.#experiments.get(lender), key, since)),
        isAwaitedByOthers: ({ namespace, name }, job) =>
          this.#followers.members(`${namespace}/${job}`).some((key) => key !== `${namespace}/${name}`),
        follow: (key, jobs) => this.#follow(key, jobs),
      },
    });
  }

  /**
   * Fills the caches; nothing is changed yet. A listed namespace that cannot be read, because it is gone or its role is, keeps nobody else waiting:
   * it is filled when it can be, and until then nothing is done in it. One at least has to be there.
   */
  async sync(): Promise<void> {
    const namespaces = [...new Set(this.#options.config.namespaces)];
    if (namespaces.length === 0) return this.#fill(undefined);
    const filled = namespaces.map((namespace) => this.#fill(namespace));
    const denied = namespaces.map((namespace) => new Promise<void>((resolve) => this.#denied.set(namespace, resolve)));
    const settled = filled.map((fill, index) => Promise.race([fill, denied[index]]));
    await Promise.all([Promise.any(filled), ...settled]);
    const unread = namespaces.filter((namespace) => !this.#filled.has(namespace));
    if (unread.length > 0)
      this.#options.log('some namespaces cannot be read; their experiments wait until they can', { namespaces: unread });
  }

  async #fill(namespace: string | undefined): Promise<void> {
    // A Job that goes meanwhile leaves pods: asked for later, they are there.
    const jobsAndPods = this.#jobs.start(namespace).then(() => this.#pods.start(namespace));
    await Promise.all([jobsAndPods, this.#experiments.start(namespace)]);
    this.#filled.add(namespace);
    // One that could not be read when the others could.
    if (this.#queue !== undefined) this.#enqueueAll();
  }

  /** Begins to act: this replica leads. */
  lead(): void {
    const { parallelism } = this.#options.config;
    this.#queue = new WorkQueue({
      parallelism,
      isHeldBack: () => this.#expected.count >= Math.max(1, HELD_BACK_SHARE * parallelism),
      work: (key) => this.#reconcile(key),
      backoff: (failures, error) => Math.max(exponential(failures), error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0),
      onError: (key, error) => this.#failed(key, error),
    });
    this.#enqueueAll();
    this.#resync = setInterval(() => this.resync(), RESYNC_MS);
  }

  /** Looks at all experiments again, and forgets what is of no use any more. */
  resync(): void {
    this.#reconciler.tidy();
    this.#enqueueAll();
  }

  /** Stops acting; what is under way is finished first. */
  async stopLeading(): Promise<void> {
    clearInterval(this.#resync);
    const queue = this.#queue;
    this.#queue = undefined;
    this.#expected.clear();
    await queue?.close();
  }

  async stop(): Promise<void> {
    await this.stopLeading();
    await Promise.all([this.#experiments.stop(), this.#jobs.stop(), this.#pods.stop()]);
  }

  get queueDepth(): number {
    return this.#queue?.depth ?? 0;
  }

  experiments(): Iterable<[string, CachedExperiment]> {
    return this.#experiments.entries();
  }

  /** Looks at an experiment again, such as when its stage has told something new. */
  enqueue(key: string): void {
    this.#queue?.add(key);
  }

  /** The stages' pods that run now, with the experiments that wait for them. */
  *runningPods(): Generator<StagePod> {
    for (const [, pod] of this.#pods.entries()) {
      const { status, metadata } = pod;
      if (status?.phase !== 'Running' || status.podIP === undefined || metadata?.deletionTimestamp !== undefined) continue;
      const experiments = this.#followers.members(`${metadata?.namespace}/${jobOfPod(pod)}`);
      if (experiments.length === 0) continue;
      const { [LABELS.stage]: stage, [LABELS.key]: stageKey = '' } = metadata?.labels ?? {};
      yield { experiments, stage: stage as StageName, key: stageKey, podIP: status.podIP };
    }
  }

  async #reconcile(key: string): Promise<void> {
    // Experiments alone, without their Jobs, look as if nothing had begun.
    if (!this.#filled.has(undefined) && !this.#filled.has(namespaceOf(key))) return;
    const started = performance.now();
    try {
      await this.#reconciler.reconcile(key);
    } finally {
      this.#options.onReconciled?.((performance.now() - started) / 1000);
    }
  }

  #failed(key: string, error: unknown): void {
    // A conflict only says that the cache is behind; it will catch up.
    if (isStatus(error, 409)) return;
    this.#options.onReconcileError?.(error);
    this.#options.log('reconciling failed', { experiment: key, error: String(error) });
  }

  /** Experiments that have ended and were not edited have nothing to be done about, unless their Jobs are to go. */
  #enqueueAll(): void {
    for (const [key, experiment] of this.#experiments.entries())
      if (experiment.spec !== undefined || experiment.ttlSecondsAfterFinished !== undefined) this.#queue?.add(key, laneOf(experiment));
  }

  #experimentChanged(key: string, after: CachedExperiment | undefined, before: CachedExperiment | undefined): void {
    if (before !== undefined) for (const done of completedKeys(before)) this.#completed.remove(done, key);
    if (after !== undefined) for (const done of completedKeys(after)) this.#completed.add(done, key);
    if (after !== undefined) this.#reconciler.seen(key, after.resourceVersion);
    if (after === undefined) this.#queue?.cancel(key);
    // One that has just ended is looked at once more, and forgotten.
    if (after?.spec !== undefined || before?.spec !== undefined || after === undefined) this.#queue?.add(key, laneOf(after));
  }

  #jobChanged(key: string, after: V1Job | undefined, before: V1Job | undefined): void {
    for (const { uid } of before?.metadata?.ownerReferences ?? []) this.#jobsByOwner.remove(uid, key);
    for (const { uid } of after?.metadata?.ownerReferences ?? []) this.#jobsByOwner.add(uid, key);
    if (after === undefined) {
      this.#succeededAt.delete(key);
      if (before !== undefined) this.#reconciler.jobGone(key, before);
    }
    if (after === undefined || isServed(after)) this.#expected.delete(key);
    this.#wake(key);
    // An owner that was edited may have no use for it any more, and so not follow it.
    const { namespace, ownerReferences = [] } = (after ?? before)?.metadata ?? {};
    for (const { name } of ownerReferences) this.#queue?.add(`${namespace}/${name}`);
  }

  #podChanged(key: string, after: V1Pod | undefined, before: V1Pod | undefined): void {
    const pod = after ?? before;
    const job = pod === undefined ? undefined : jobOfPod(pod);
    if (pod === undefined || job === undefined) return;
    const jobKey = `${pod.metadata?.namespace}/${job}`;
    if (after === undefined) this.#podsByJob.remove(jobKey, key);
    else {
      this.#podsByJob.add(jobKey, key);
      this.#expected.delete(jobKey);
    }
    if (this.#podsByJob.members(jobKey).length === 0) this.#succeededAt.delete(jobKey);
    const isNews = after?.status?.phase === 'Succeeded' && before !== undefined && before.status?.phase !== 'Succeeded';
    if (isNews && !this.#succeededAt.has(jobKey)) this.#succeededAt.set(jobKey, performance.now());
    this.#wake(jobKey, isNews ? 'urgent' : 'ordinary');
  }

  #wake(jobKey: string, lane: Lane = 'ordinary'): void {
    for (const key of this.#followers.members(jobKey)) this.#queue?.add(key, lane);
  }

  #follow(key: string, jobs: readonly string[]): void {
    const before = this.#followed.get(key) ?? [];
    if (before.length === jobs.length && before.every((job, index) => job === jobs[index])) return;
    for (const job of before) this.#followers.remove(job, key);
    for (const job of jobs) this.#followers.add(job, key);
    if (jobs.length === 0) this.#followed.delete(key);
    else this.#followed.set(key, jobs);
  }

  #handedOver(key: string, stage: StageName, upstream: readonly string[]): void {
    const times = upstream.flatMap((job) => this.#succeededAt.get(`${namespaceOf(key)}/${job}`) ?? []);
    // Without one it is the first stage, or one that this process did not see end.
    if (times.length > 0) this.#options.onHandOver?.(key, stage, (performance.now() - Math.max(...times)) / 1000);
  }
}

/** An experiment of which nothing was ever told has not begun. */
const laneOf = (experiment: CachedExperiment | undefined): Lane =>
  experiment?.status?.phase === undefined && experiment !== undefined ? 'patient' : 'ordinary';
