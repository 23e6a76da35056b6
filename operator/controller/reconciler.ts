import { isDeepStrictEqual } from 'node:util';
import type { CoreV1Event, KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import { API_VERSION, GROUP, KIND, VERSION } from '../api/experiment.ts';
import type { Experiment, StageName } from '../api/experiment.ts';
import { PLURAL } from '../api/crd.ts';
import type { ExperimentStatus } from '../api/status.ts';
import { decide } from '../plan/decide.ts';
import type { Decision } from '../plan/decide.ts';
import { planExperiment } from '../plan/plan.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import { buildClaim, buildJob, ownerReference } from './build-job.ts';
import type { ClusterExperiment, StagePodSettings } from './build-job.ts';
import { buildStatus } from './build-status.ts';
import type { LiveProgress } from './build-status.ts';
import { keepJob } from './caches.ts';
import type { CachedExperiment } from './caches.ts';
import { isStatus } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { jobName } from './names.ts';
import { observedOf, viewStages } from './observe.ts';
import type { StageRecord, StageViews } from './observe.ts';
import { referencedIdentities } from './references.ts';

/** What the reconciler reads; the informers' caches behind it. */
export interface Caches {
  experiment(key: string): CachedExperiment | undefined;
  job(namespace: string, name: string): V1Job | undefined;
  podsOf(namespace: string, job: string): readonly V1Pod[];
  /** What other experiments on the claim say of a stage key. */
  completeElsewhere(namespace: string, claim: string, key: string): StageRecord | undefined;
}

export interface ReconcilerOptions {
  readonly cluster: Pick<Cluster, 'create' | 'apply' | 'merge' | 'delete'>;
  readonly caches: Caches;
  readonly settings: StagePodSettings;
  /** Part of the stage keys: the image's digest, or its name. */
  readonly trainerVersion: string;
  readonly live: (experiment: string) => ReadonlyMap<StageName, LiveProgress>;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  /** Asks to be called again for this key. */
  readonly requeueAfter: (key: string, delayMs: number) => void;
  readonly onHandOver?: (experiment: string, stage: StageName) => void;
}

/** Path of a resource in one namespace, or in all. */
const pathOf =
  (api: string, plural: string) =>
  (namespace?: string): string =>
    `/${api}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}`;
export const experimentsPath = pathOf(`apis/${GROUP}/${VERSION}`, PLURAL);
export const jobsPath = pathOf('apis/batch/v1', 'jobs');
export const podsPath = pathOf('api/v1', 'pods');
const claimsPath = pathOf('api/v1', 'persistentvolumeclaims');
const eventsPath = pathOf('api/v1', 'events');

interface Situation {
  readonly key: string;
  readonly experiment: ClusterExperiment;
  readonly claim: string;
  readonly plan: Plan;
  readonly views: StageViews;
  readonly decision: Decision;
}

/** Progress, pods and times are written at most this often; where an experiment stands, at once. */
const NUMBERS_EVERY_MS = 5000;

/** The part of a status that is worth a request of its own. */
function milestones(status: ExperimentStatus | undefined): unknown {
  const conditions = status?.conditions?.map(({ type, status: value, reason }) => [type, value, reason]);
  const stages = status?.stages?.map(({ name, state, reason, key }) => [name, state, reason, key]);
  return { phase: status?.phase, stage: status?.stage, generation: status?.observedGeneration, conditions, stages };
}

/** Brings one experiment nearer to what it asks for. Called for one key at a time; what it makes has deterministic names, so that calling it twice is harmless. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** The last status written, until the cache shows it: deciding on an older one would write it twice. */
  readonly #written = new Map<string, { readonly status: ExperimentStatus; readonly version: bigint }>();
  readonly #claims = new Set<string>();
  /** Jobs that were made and are not in the cache yet. */
  readonly #created = new Map<string, V1Job>();
  /** When a status was last written, for those that may wait. */
  readonly #reportedAt = new Map<string, number>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(key: string): Promise<void> {
    const cached = this.#options.caches.experiment(key);
    if (cached === undefined || cached.isDeleting) {
      this.#written.delete(key);
      this.#reportedAt.delete(key);
      return;
    }
    const { spec } = cached;
    if (spec === undefined) return;
    const before = this.#look(key, { ...cached, spec });
    const hasActed = await this.#act(before);
    // What was started is told as started, in one write, without waiting for the caches to show it.
    const situation = hasActed ? this.#look(key, { ...cached, spec }) : before;
    await this.#report(situation, this.#written.get(key)?.status ?? cached.status);
    const { wakeAt } = situation.decision;
    if (wakeAt !== undefined) this.#options.requeueAfter(key, Math.max(0, wakeAt - this.#options.now()));
  }

  /** The cache shows this version of the experiment: a status written before it need not be remembered. */
  seen(key: string, resourceVersion: string): void {
    const written = this.#written.get(key);
    if (written !== undefined && BigInt(resourceVersion) >= written.version) this.#written.delete(key);
  }

  #look(key: string, cached: CachedExperiment & { spec: Experiment['spec'] }): Situation {
    const { caches, trainerVersion, now } = this.#options;
    const { name, namespace, claim, spec } = cached;
    const experiment = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec } as const;
    const plan = planExperiment(experiment, { trainerVersion, identities: referencedIdentities(spec) });
    const status = this.#written.get(key)?.status ?? cached.status;
    const views = viewStages(plan, {
      jobOf: (stage) => this.#jobOf(namespace, jobName(stage.name, stage.key, claim)),
      podsOf: (job) => caches.podsOf(namespace, job.metadata?.name ?? ''),
      recordOf: (stage) => ownRecord(status, cached.generation, stage) ?? caches.completeElsewhere(namespace, claim, stage.key),
    });
    return { key, experiment: cached, claim, plan, views, decision: decide(plan, observedOf(views), now()) };
  }

  /** A Job in the cache, or one just made that the cache does not show yet. */
  #jobOf(namespace: string, name: string): V1Job | undefined {
    const id = `${namespace}/${name}`;
    const job = this.#options.caches.job(namespace, name);
    if (job !== undefined) this.#created.delete(id);
    return job ?? this.#created.get(id);
  }

  /** @returns whether there was anything to do */
  async #act(situation: Situation): Promise<boolean> {
    const { decision, plan } = situation;
    if (decision.start.length + decision.stop.length === 0) return false;
    const named = (names: readonly StageName[]) => plan.stages.filter(({ name }) => names.includes(name));
    if (decision.start.length > 0) await this.#ensureClaim(situation);
    await Promise.all([
      ...named(decision.start).map((stage) => this.#start(situation, stage)),
      ...named(decision.stop).map((stage) => this.#suspend(situation, stage)),
    ]);
    return true;
  }

  /** The operator's own claim, once; one that the experiment names is somebody else's to make. */
  async #ensureClaim({ experiment, claim }: Situation): Promise<void> {
    const id = `${experiment.namespace}/${claim}`;
    if (experiment.spec.storage.claimName !== undefined || this.#claims.has(id)) return;
    await ignore(409, this.#options.cluster.create(claimsPath(experiment.namespace), buildClaim(experiment, claim)));
    this.#claims.add(id);
  }

  async #start(situation: Situation, stage: PlannedStage): Promise<void> {
    const { experiment, claim, plan } = situation;
    const { cluster, caches, settings } = this.#options;
    const name = jobName(stage.name, stage.key, claim);
    const existing = this.#jobOf(experiment.namespace, name);
    if (existing?.spec?.suspend === true) {
      await cluster.merge(`${jobsPath(experiment.namespace)}/${name}`, { spec: { suspend: false } });
      return;
    }
    try {
      const job = await cluster.create(jobsPath(experiment.namespace), buildJob(experiment, plan, stage, { claim, settings }));
      if (caches.job(experiment.namespace, name) === undefined) this.#created.set(`${experiment.namespace}/${name}`, keepJob(job));
      this.#options.onHandOver?.(situation.key, stage.name);
    } catch (error) {
      // Another experiment's, or our own that the cache does not show yet: it gets this experiment as an owner beside the others.
      if (!isStatus(error, 409)) throw error;
      await this.#share(situation, name);
    }
  }

  async #share({ experiment }: Situation, name: string): Promise<void> {
    const job = this.#options.caches.job(experiment.namespace, name);
    const owners = job?.metadata?.ownerReferences ?? [];
    if (job === undefined || owners.some(({ uid }) => uid === experiment.uid)) return;
    await this.#options.cluster.merge(`${jobsPath(experiment.namespace)}/${name}`, {
      metadata: { resourceVersion: job.metadata?.resourceVersion, ownerReferences: [...owners, ownerReference(experiment)] },
    });
  }

  async #suspend({ experiment, claim }: Situation, stage: PlannedStage): Promise<void> {
    const { cluster, caches } = this.#options;
    const name = jobName(stage.name, stage.key, claim);
    if (caches.job(experiment.namespace, name)?.spec?.suspend === true) return;
    await ignore(404, cluster.merge(`${jobsPath(experiment.namespace)}/${name}`, { spec: { suspend: true } }));
  }

  /** One status write where something changed, then one event where the summary did. */
  async #report({ key, experiment, plan, views, decision }: Situation, previous: ExperimentStatus | undefined): Promise<void> {
    const { cluster, live, now } = this.#options;
    const time = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const status = buildStatus({ generation: experiment.generation, plan, views, decision, live: live(key), previous, now: time });
    if (isDeepStrictEqual(status, previous)) return;
    const wait = isDeepStrictEqual(milestones(status), milestones(previous)) ? this.#reportDelay(key) : 0;
    if (wait > 0) {
      this.#options.requeueAfter(key, wait);
      return;
    }
    const { name, namespace, uid } = experiment;
    const metadata = { name, namespace, uid };
    try {
      const path = `${experimentsPath(namespace)}/${name}/status`;
      const answer = await cluster.apply<KubernetesObject>(path, { apiVersion: API_VERSION, kind: KIND, metadata, status });
      this.#reportedAt.set(key, now());
      this.#written.set(key, { status, version: BigInt(answer.metadata?.resourceVersion ?? 0) });
      // The watch may have been faster than the answer.
      this.seen(key, this.#options.caches.experiment(key)?.resourceVersion ?? '0');
    } catch (error) {
      // Deleted meanwhile: there is nobody to tell.
      if (isStatus(error, 404)) return;
      throw error;
    }
    const [before, after] = [previous, status].map((one) => one?.conditions?.find(({ type }) => type === 'Succeeded'));
    if (after !== undefined && (before?.reason !== after.reason || before.status !== after.status)) {
      await this.#event(experiment, after.reason, after.message, after.status === 'False');
    }
  }

  /** For how long numbers that change all the time have to wait, in milliseconds. */
  #reportDelay(key: string): number {
    const last = this.#reportedAt.get(key);
    return last === undefined ? 0 : Math.max(0, last + NUMBERS_EVERY_MS - this.#options.now());
  }

  async #event({ name, namespace, uid }: ClusterExperiment, reason: string, message: string, isWarning: boolean): Promise<void> {
    const time = new Date(this.#options.now()).toISOString();
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: { apiVersion: API_VERSION, kind: KIND, name, namespace, uid },
      reason,
      message,
      type: isWarning ? 'Warning' : 'Normal',
      source: { component: 'cdsp-operator' },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    // Events inform; an experiment whose event is refused (a namespace that is being deleted) goes on all the same.
    await this.#options.cluster.create(eventsPath(namespace), event as unknown as CoreV1Event).catch(() => {});
  }
}

async function ignore(status: number, request: Promise<unknown>): Promise<void> {
  await request.catch((error: unknown) => {
    if (!isStatus(error, status)) throw error;
  });
}

/** What this experiment's own status says of a stage of the same key. A failure counts until the experiment is edited. */
function ownRecord(status: ExperimentStatus | undefined, generation: number, stage: PlannedStage): StageRecord | undefined {
  const entry = status?.stages?.find(({ name, key }) => name === stage.name && key === stage.key);
  if (entry === undefined) return undefined;
  if (entry.state === 'Complete' || entry.state === 'Cached') return { state: entry.state, isOwn: true };
  if (entry.failure !== undefined && status?.observedGeneration === generation) {
    return { state: 'Failed', isOwn: true, failure: { ...entry.failure, at: 0 } };
  }
  return undefined;
}
