import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import { API_VERSION, Experiment, KIND } from '../../../../operator/api/experiment.ts';
import type { ExperimentInput, StageName } from '../../../../operator/api/experiment.ts';
import type { Finding } from '../../../../operator/api/findings.ts';
import type { ExperimentStatus } from '../../../../operator/api/status.ts';
import {
  completedKey,
  completedKeys,
  hasCompletedSince,
  jobOfPod,
  keepExperiment,
  keepJob,
  keepPod,
} from '../../../../operator/controller/caches.ts';
import type { CachedExperiment, RawExperiment } from '../../../../operator/controller/caches.ts';
import type { LiveProgress } from '../../../../operator/controller/live-progress.ts';
import { LABELS } from '../../../../operator/controller/names.ts';
import { Reconciler } from '../../../../operator/controller/reconciler.ts';
import type { Caches } from '../../../../operator/controller/reconciler.ts';
import { OperatorConfig } from '../../../../operator/config.ts';
import { ApiServer } from './api-server.ts';
import type { Change, Resource, Stored } from './api-server.ts';
import { JobController } from './job-controller.ts';

export type SpecInput = Partial<ExperimentInput['spec']>;
export type CachedResource = 'cdspexperiments' | 'jobs' | 'pods';
const CACHED: readonly CachedResource[] = ['cdspexperiments', 'jobs', 'pods'];

/** A cache that shows its resource as it was at some time. */
class LaggingCache<T> {
  readonly objects = new Map<string, T>();
  /** How many of the server's changes it has seen. */
  position = 0;
  version = 0;
}

/** An operator whose caches lag behind an API server as much as a test wants, and Kubernetes' controllers beside it. */
export class World {
  readonly api = new ApiServer();
  readonly controllers = new JobController(this.api);
  /** Milliseconds since the epoch. */
  time = 1_000_000;
  /** Milliseconds for which the operator has been running. */
  uptime = 0;
  trainerImage = 'trainer:1';
  findings: readonly Finding[] = [];
  readonly live = new Map<StageName, LiveProgress>();
  readonly requeued: { readonly key: string; readonly delayMs: number }[] = [];
  readonly handOvers: { readonly stage: StageName; readonly upstream: readonly string[] }[] = [];
  readonly followed = new Map<string, readonly string[]>();
  /** How often the reconciler has looked at where the stages of an experiment stand. */
  looks = 0;
  /** How often it has checked a spec. */
  checks = 0;
  /** Trouble of which the reconciler only told. */
  readonly errors: unknown[] = [];
  reconciler: Reconciler;
  #experiments = new LaggingCache<CachedExperiment>();
  #jobs = new LaggingCache<V1Job>();
  #pods = new LaggingCache<V1Pod>();

  constructor() {
    this.reconciler = this.#makeReconciler();
  }

  #makeReconciler(): Reconciler {
    return new Reconciler({
      cluster: this.api.client(),
      caches: this.#caches(),
      settings: OperatorConfig.parse({ trainerImage: this.trainerImage }),
      check: () => {
        this.checks++;
        return this.findings;
      },
      live: () => this.live,
      now: () => this.time,
      elapsed: () => this.uptime,
      requeueAfter: (key, delayMs) => this.requeued.push({ key, delayMs }),
      onHandOver: (_key, stage, upstream) => this.handOvers.push({ stage, upstream }),
      onError: (_key, error) => this.errors.push(error),
    });
  }

  #caches(): Caches {
    const others = (claimKey: string) => (experiment: CachedExperiment) => completedKeys(experiment).includes(claimKey);
    return {
      experiment: (key) => this.#experiments.objects.get(key),
      job: (namespace, name) => this.#jobs.objects.get(`${namespace}/${name}`),
      hasReached: (_namespace, version) => this.#jobs.version >= Number(version),
      podsOf: (_namespace, job) => [...this.#pods.objects.values()].filter((pod) => jobOfPod(pod) === job),
      jobsOf: (uid) => [...this.#jobs.objects.values()].filter((job) => job.metadata?.ownerReferences?.some((owner) => owner.uid === uid)),
      isAwaitedByOthers: ({ namespace, name }, job) =>
        [...this.followed].some(([key, jobs]) => key !== `${namespace}/${name}` && jobs.includes(`${namespace}/${job}`)),
      completeElsewhere: (namespace, claim, key, since) => {
        const lenders = [...this.#experiments.objects.values()].filter(others(completedKey(namespace, claim, key)));
        const lender = lenders.find((experiment) => hasCompletedSince(experiment, key, since));
        return lender === undefined ? undefined : `${lender.namespace}/${lender.name}`;
      },
      follow: (key, jobs) => {
        this.looks++;
        this.followed.set(key, jobs);
      },
    };
  }

  /** A person makes an experiment; the claim that it names was there before. */
  create(name = 'cats', settings: SpecInput = {}): void {
    const { spec } = Experiment.parse({
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: { name },
      spec: { dataset: { generator: {} }, ...settings },
    });
    const { claimName } = spec.storage;
    if (claimName !== undefined && this.api.find('persistentvolumeclaims', claimName) === undefined) this.makeClaim(claimName, 0);
    this.api.put('cdspexperiments', { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace: 'lab' }, spec });
  }

  /** A person makes a claim, at a time in milliseconds since the epoch. */
  makeClaim(name: string, time: number): void {
    const metadata = { name, namespace: 'lab', creationTimestamp: new Date(time) };
    this.api.put('persistentvolumeclaims', { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata });
  }

  /** A person changes fields of its spec. */
  edit(name: string, change: (spec: Experiment['spec']) => Experiment['spec']): void {
    const existing = this.api.find<RawExperiment>('cdspexperiments', name);
    if (existing !== undefined) this.api.put('cdspexperiments', { ...existing, spec: change(existing.spec) });
  }

  experiment(name = 'cats'): RawExperiment | undefined {
    return this.api.find<RawExperiment>('cdspexperiments', name);
  }

  status(name = 'cats'): ExperimentStatus | undefined {
    return this.experiment(name)?.status;
  }

  condition(type: string, name = 'cats') {
    return this.status(name)?.conditions?.find((condition) => condition.type === type);
  }

  stage(stage: StageName, name = 'cats') {
    return this.status(name)?.stages?.find((entry) => entry.name === stage);
  }

  jobOf(stage: StageName): V1Job | undefined {
    return this.controllers.jobs().find(({ metadata }) => metadata?.labels?.[LABELS.stage] === stage);
  }

  /** The operator's caches see further changes: all, or of one resource and so many. */
  show(resources: readonly CachedResource[] = CACHED, atMost = Infinity): void {
    for (const resource of resources) {
      const cache = this.#cacheOf(resource);
      const news = this.api.changes.slice(cache.position);
      let left = atMost;
      for (const change of news) {
        if (change.resource === resource && left-- <= 0) break;
        cache.position++;
        if (change.resource === resource) this.#take(change);
      }
    }
  }

  #cacheOf(resource: CachedResource): LaggingCache<unknown> {
    return { cdspexperiments: this.#experiments, jobs: this.#jobs, pods: this.#pods }[resource];
  }

  #take({ resource, key, version, object }: Change): void {
    const cache = this.#cacheOf(resource as CachedResource);
    cache.version = version;
    const before = cache.objects.get(key);
    if (resource === 'jobs' && object === undefined && before !== undefined) this.reconciler.jobGone(key, before as V1Job);
    if (object === undefined) cache.objects.delete(key);
    else cache.objects.set(key, keep(resource, object));
    if (resource === 'cdspexperiments' && object !== undefined) this.reconciler.seen(key, String(version));
  }

  /** @throws what the operator's queue would try again after */
  reconcile(name = 'cats'): Promise<void> {
    return this.reconciler.reconcile(`lab/${name}`);
  }

  /** Everybody has seen everything, and the operator has had its say. */
  async step(name = 'cats'): Promise<void> {
    this.show();
    await this.reconcile(name);
    this.controllers.work();
    this.show();
  }

  /** The stage's pod ends, the Job controller has seen it, and so has the operator. */
  async end(stage: StageName, exitCode = 0, message?: string, name = 'cats'): Promise<void> {
    const pod = this.controllers.activePod(this.jobOf(stage)?.metadata?.name ?? '');
    if (pod === undefined) throw new Error(`no pod of ${stage} runs`);
    this.controllers.end(pod, exitCode, message);
    this.controllers.work();
    await this.step(name);
  }

  /** The process of the operator is replaced: what it held in memory is gone, its caches are filled anew. */
  restart(): void {
    this.#experiments = new LaggingCache();
    this.#jobs = new LaggingCache();
    this.#pods = new LaggingCache();
    this.reconciler = this.#makeReconciler();
    for (const resource of CACHED) {
      const cache = this.#cacheOf(resource);
      cache.position = this.api.changes.length;
      cache.version = this.api.version;
      for (const object of this.api.all<Stored>(resource))
        cache.objects.set(`${object.metadata?.namespace}/${object.metadata?.name}`, keep(resource, object));
    }
  }

  /** Requests of the operator during `act`. */
  async requestsOf(act: () => Promise<void>): Promise<string[]> {
    const before = this.api.requests.length;
    await act();
    return this.api.requests.slice(before);
  }
}

function keep(resource: Resource, object: KubernetesObject): unknown {
  const copy = structuredClone(object);
  if (resource === 'jobs') return keepJob(copy);
  return resource === 'pods' ? keepPod(copy) : keepExperiment(copy as RawExperiment);
}
