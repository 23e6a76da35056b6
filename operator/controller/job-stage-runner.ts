import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import type { ExperimentStatus } from '../api/status.ts';
import type { Observed } from '../plan/decide.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import type { StageRunner } from '../plan/stage-runner.ts';
import { buildJob, mutableJobSpec, stagePlacement } from './build-job.ts';
import type { StagePodSettings } from './build-pod.ts';
import { RESULT_STAGES } from './build-results.ts';
import { troubleConditionOf } from './read-status.ts';
import { CACHED_ELSEWHERE, keepJob } from './caches.ts';
import { ApiError, find, ignoreStatus, isThereAlready } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { ownerReference } from './cluster-experiment.ts';
import type { ClusterExperiment } from './cluster-experiment.ts';
import type { Deeds } from './deeds.ts';
import { ExperimentClaim } from './experiment-claim.ts';
import { ANNOTATIONS, claimDigest, isOwn, jobName, LABELS, shortKey } from './names.ts';
import { withLost } from './lost-artifacts.ts';
import { observedOf, viewStage, viewStages } from './observe.ts';
import type { StageFacts, StageRecord, StageViews } from './observe.ts';
import { isFailed } from './observe-pod.ts';
import { expireJob, isFinished, isFirstOwner, releaseJob } from './owned-jobs.ts';
import { experimentsPath, jobsPath, podsPath } from './resource-paths.ts';
import type { StageMemo } from './stage-memo.ts';

/** The part of the caches that stages are seen by. */
export interface StageCaches {
  job(namespace: string, name: string): V1Job | undefined;
  /** Whether the cache shows all that happened to Jobs up to this version. */
  hasReached(namespace: string, version: string): boolean;
  podsOf(namespace: string, job: string): readonly V1Pod[];
  /** Whether other experiments wait for this Job, too. */
  isAwaitedByOthers(experiment: Pick<ClusterExperiment, 'namespace' | 'name'>, job: string): boolean;
  /**
   * The experiment on the claim, other than this one, that has completed a stage of this key.
   * @param since in milliseconds since the epoch: not before that
   */
  completeElsewhere(namespace: string, claim: string, key: string, since?: number): string | undefined;
}

export interface JobStageRunnerOptions {
  readonly cluster: Pick<Cluster, 'get' | 'list' | 'create' | 'merge' | 'delete'>;
  readonly caches: StageCaches;
  readonly deeds: Deeds;
  readonly experiment: ClusterExperiment;
  readonly claim: string;
  readonly image: string;
  readonly settings: StagePodSettings;
  /** The experiment's own status, as far as it is known. */
  readonly status: ExperimentStatus | undefined;
  readonly memo: StageMemo;
  /** As in StageFacts. */
  readonly claimMadeAt?: number;
  readonly onStarted?: (stage: PlannedStage) => void;
}

/** An experiment's stages as Jobs; the second implementation of StageRunner. */
export class JobStageRunner implements StageRunner {
  /** The volume that its stages share. */
  readonly volume: ExperimentClaim;
  readonly #options: JobStageRunnerOptions;

  constructor(options: JobStageRunnerOptions) {
    this.#options = options;
    this.volume = new ExperimentClaim(options);
  }

  nameOf({ name, key }: PlannedStage): string {
    const { memo, claim } = this.#options;
    return memo.name(key, () => jobName(name, key, claim));
  }

  observe(plan: Plan): Promise<Observed> {
    return Promise.resolve(observedOf(this.view(plan)));
  }

  /** The same with what people want to know. */
  view(plan: Plan): StageViews {
    const views = viewStages(plan, (stage) => this.#factsOf(plan, stage));
    return withLost(plan, views, {
      remadeFor: (stage) => this.#ownEntry(stage)?.remadeFor,
      jobOf: (stage) => this.#job(this.nameOf(stage)),
      viewLost: (stage, loss) => {
        const { record, ...facts } = this.#factsOf(plan, stage);
        return viewStage({ ...facts, loss, record: this.#entry(stage)?.remadeFor === loss.uid ? record : undefined });
      },
    });
  }

  /**
   * Makes the stage's Job, or lets the one that was stopped go on. A Job that has to go first is removed; its end will be seen.
   * @throws ApiError
   */
  async start(plan: Plan, stage: PlannedStage): Promise<void> {
    const { obsoleteJob, lostTo, isMute } = this.view(plan).get(stage.name) ?? {};
    if (isMute && (await this.#hasPods(stage))) return this.#options.deeds.withPods.set(obsoleteJob?.metadata?.uid ?? '', true);
    if (obsoleteJob !== undefined) return this.remove(obsoleteJob);
    const existing = this.#job(this.nameOf(stage));
    if (existing !== undefined) {
      // In one request with the ownership: whoever has stopped the Job would stop it again.
      const metadata = this.#withOwnership(existing);
      return existing.spec?.suspend === true ? this.#merge(stage, { ...metadata, spec: { suspend: false } }) : undefined;
    }
    // One that is not yet as it is wanted serves, too.
    if (this.volume.storage === undefined) await this.volume.ensure();
    await this.#create(plan, stage, lostTo ?? this.#entry(stage)?.remadeFor);
  }

  /**
   * Asks the stage's pod to end. A Job in a queue is given up, waiting or admitted: who is suspended there is Kueue's to say, and one that is left
   * in it would be admitted some time.
   */
  async stop(_plan: Plan, stage: PlannedStage): Promise<void> {
    const { cluster, deeds, experiment } = this.#options;
    const name = this.nameOf(stage);
    const job = this.#job(name);
    if (job?.metadata?.labels?.[LABELS.queue] !== undefined) {
      deeds.created.delete(`${experiment.namespace}/${name}`);
      return releaseJob(cluster, experiment, job);
    }
    if (job === undefined || job.spec?.suspend === true) return;
    await this.#merge(stage, { spec: { suspend: true } });
  }

  /** Makes this experiment an owner of a Job that another one has started: it stays for both, and both hear of it. */
  async share(stage: PlannedStage): Promise<void> {
    const job = this.#job(this.nameOf(stage));
    const patch = job === undefined ? undefined : this.#withOwnership(job);
    if (patch?.metadata !== undefined) await this.#merge(stage, patch);
  }

  /** A patch that makes this experiment an owner; empty where it is one. */
  #withOwnership({ metadata = {} }: V1Job): { metadata?: object } {
    const { experiment } = this.#options;
    const { resourceVersion, ownerReferences = [] } = metadata;
    if (ownerReferences.some(({ uid }) => uid === experiment.uid)) return {};
    // The version makes this a conflict where another experiment was faster; the queue tries again.
    return { metadata: { resourceVersion, ownerReferences: [...ownerReferences, ownerReference(experiment)] } };
  }

  /** Whether retries or deadline of a Job that runs are not those that the experiment wants. */
  isOutdated(stage: PlannedStage): boolean {
    const job = this.#job(this.nameOf(stage));
    if (job === undefined || !isFirstOwner(this.#options.experiment, job) || isFinished(job)) return false;
    const wanted = this.#mutableSpec(stage);
    return MUTABLE.some((field) => wanted[field] !== (job.spec?.[field] ?? undefined));
  }

  /** Takes over what may change in a Job that runs. */
  async update(stage: PlannedStage): Promise<void> {
    const wanted = this.#mutableSpec(stage);
    await this.#merge(stage, { spec: Object.fromEntries(MUTABLE.map((field) => [field, wanted[field] ?? null])) });
  }

  #mutableSpec(stage: PlannedStage) {
    const { experiment } = this.#options;
    return mutableJobSpec(experiment, stagePlacement(experiment, stage, this.#options));
  }

  /** As `expireJob`. */
  async expire(stage: PlannedStage): Promise<void> {
    const { cluster, experiment } = this.#options;
    const job = this.#job(this.nameOf(stage));
    if (job !== undefined) await expireJob(cluster, { ...experiment, ...experiment.spec }, job);
  }

  async remove(job: V1Job): Promise<void> {
    const { namespace } = this.#options.experiment;
    const { name, uid } = job.metadata ?? {};
    this.#options.deeds.created.delete(`${namespace}/${name}`);
    // Not one of the same name that was made since.
    await ignoreStatus([404, 409], this.#options.cluster.delete(`${jobsPath(namespace)}/${name}`, { uid }));
  }

  #factsOf(plan: Plan, stage: PlannedStage): StageFacts {
    const { caches, deeds, experiment, settings, claim, image, memo, claimMadeAt } = this.#options;
    const name = this.nameOf(stage);
    const job = this.#job(name);
    const own = this.#ownEntry(stage);
    const templateOf = () => buildJob(experiment, plan, stage, { claim, image, settings }).metadata?.annotations?.[ANNOTATIONS.template];
    const record = this.#recordOf(stage);
    const remadeFor = this.#entry(stage)?.remadeFor;
    return {
      job,
      pods: caches.podsOf(experiment.namespace, name),
      record,
      retries: plan.retries,
      uid: experiment.uid,
      isSuspended: experiment.spec.suspend,
      // One that was stopped in this generation and let go on may have failed before anybody saw it run again.
      countsFailure: own !== undefined && ['Running', 'Interrupted', 'Failed'].includes(own.state),
      lastTrouble: own?.state === 'Running' && this.#isTroubled(stage) ? own.message : undefined,
      tellsResults: RESULT_STAGES.has(stage.name),
      isBehind: deeds.withPods.has(job?.metadata?.uid ?? ''),
      template: job === undefined ? undefined : memo.template(stage.key, templateOf),
      ...(remadeFor === undefined ? {} : { loss: { uid: remadeFor } }),
      ...(claimMadeAt === undefined ? {} : { claimMadeAt }),
    };
  }

  /** Whether the status tells that something keeps the stage from running. */
  #isTroubled({ name }: PlannedStage): boolean {
    const { status } = this.#options;
    return status?.stage === name && troubleConditionOf(status) !== undefined;
  }

  /** What the status says of a stage of this key. */
  #entry(stage: PlannedStage) {
    return this.#options.status?.stages?.find(({ name, key }) => name === stage.name && key === stage.key);
  }

  /** The same where the status speaks of this generation. */
  #ownEntry(stage: PlannedStage) {
    const { status, experiment } = this.#options;
    return status?.observedGeneration === experiment.generation ? this.#entry(stage) : undefined;
  }

  /** A stage that was complete stays so; a failure counts until the experiment is edited. */
  #recordOf(stage: PlannedStage): StageRecord | undefined {
    const entry = this.#entry(stage);
    if (entry?.state === 'Complete' || entry?.state === 'Cached') return { state: entry.state, isOwn: true };
    const failure = this.#ownEntry(stage)?.failure;
    const isBegun = entry?.state === 'Running' || entry?.state === 'Interrupted';
    // As long as there is a Job of its own to tell.
    const isAtWork = entry?.remadeFor !== undefined || (isBegun && this.#isThere(stage));
    if (failure !== undefined)
      return { state: 'Failed', isOwn: true, failure: { ...failure, at: 0, isLate: entry?.reason === 'DeadlineExceeded' } };
    if (isAtWork) return undefined;
    return this.lenderOf(stage) === undefined ? undefined : CACHED_ELSEWHERE;
  }

  /** The experiment (namespace/name) on the same claim that has completed the stage. */
  lenderOf({ key }: PlannedStage): string | undefined {
    const { caches, experiment, claim, claimMadeAt } = this.#options;
    return caches.completeElsewhere(experiment.namespace, claim, key, claimMadeAt);
  }

  /** Whether the stage has a Job, or one that is gone has left pods. */
  #isThere(stage: PlannedStage): boolean {
    const name = this.nameOf(stage);
    return this.#job(name) !== undefined || this.#options.caches.podsOf(this.#options.experiment.namespace, name).length > 0;
  }

  /** A Job in the cache, or one just made that the cache does not show yet. */
  #job(name: string): V1Job | undefined {
    const { caches, deeds, experiment } = this.#options;
    const id = `${experiment.namespace}/${name}`;
    const job = caches.job(experiment.namespace, name);
    const version = deeds.created.get(id)?.metadata?.resourceVersion ?? '0';
    // Made, seen and gone again: somebody has deleted it.
    if (job !== undefined || caches.hasReached(experiment.namespace, version)) deeds.created.delete(id);
    if (job !== undefined) deeds.abandoned.delete(id);
    return job ?? deeds.created.get(id);
  }

  /** Whether the stage has had a Job that is not there any more, as far as is known. */
  #wasBegun(stage: PlannedStage): boolean {
    const { deeds, experiment } = this.#options;
    const isTold = ['Running', 'Interrupted'].includes(this.#entry(stage)?.state ?? '');
    return isTold || deeds.abandoned.has(`${experiment.namespace}/${this.nameOf(stage)}`);
  }

  /** Whether the experiment is still there as the cache shows it, which may be behind that of the Jobs: an experiment that is deleted takes its Jobs with it. */
  async #isCurrent(): Promise<boolean> {
    const { cluster, experiment } = this.#options;
    const path = `${experimentsPath(experiment.namespace)}/${experiment.name}`;
    const metadata = (await find<KubernetesObject>(cluster, path))?.metadata;
    const isSame = metadata?.uid === experiment.uid && metadata.generation === experiment.generation;
    return isSame && metadata.deletionTimestamp === undefined;
  }

  /** Whether an earlier Job of the stage has left a pod that has not failed: the pods' cache may be behind that of the Jobs. */
  async #hasPods(stage: PlannedStage): Promise<boolean> {
    const { cluster, experiment, claim } = this.#options;
    const labels = { [LABELS.stage]: stage.name, [LABELS.key]: shortKey(stage.key), [LABELS.claim]: claimDigest(claim) };
    const labelSelector = Object.entries(labels)
      .map((label) => label.join('='))
      .join();
    const { items } = await cluster.list<V1Pod>(podsPath(experiment.namespace), { labelSelector });
    return items.some((pod) => !isFailed(pod));
  }

  async #create(plan: Plan, stage: PlannedStage, remakesFor: string | undefined): Promise<void> {
    const { cluster, caches, deeds, experiment, claim, image, settings } = this.#options;
    const name = this.nameOf(stage);
    // The caches will show the experiment's end or edit, or its pods' end, and then this one's turn comes. A Job of an experiment that has gone
    // would go with it in the middle of its work, which others that wait for the same stage would have to begin anew.
    const wasBegun = this.#wasBegun(stage);
    if ((wasBegun || caches.isAwaitedByOthers(experiment, name)) && !(await this.#isCurrent())) return;
    if (wasBegun && (await this.#hasPods(stage))) return;
    // Before the answer: a request whose answer is an error may have taken effect.
    deeds.abandoned.set(`${experiment.namespace}/${name}`, true);
    try {
      const wanted = buildJob(experiment, plan, stage, { claim, image, settings, remakesFor });
      const job = await cluster.create(jobsPath(experiment.namespace), wanted);
      if (caches.job(experiment.namespace, name) === undefined) deeds.created.set(`${experiment.namespace}/${name}`, keepJob(job));
      this.#options.onStarted?.(stage);
    } catch (error) {
      if (!isThereAlready(error)) throw error;
      // A list of one: the operator may do that anyway.
      const { items } = await cluster.list<V1Job>(jobsPath(experiment.namespace), { fieldSelector: `metadata.name=${name}` });
      if (items.length === 0) throw error;
      // Else made a moment ago by another experiment or by this one; the cache will show it.
      if (!isOwn(items[0])) throw foreignJob(name);
    }
  }

  async #merge(stage: PlannedStage, patch: object): Promise<void> {
    const { cluster, experiment } = this.#options;
    await ignoreStatus(404, cluster.merge(`${jobsPath(experiment.namespace)}/${this.nameOf(stage)}`, patch));
  }
}

/** What may change in a Job that runs. */
const MUTABLE = ['backoffLimit', 'activeDeadlineSeconds'] as const;

const foreignJob = (job: string) =>
  new ApiError(422, 'JobExists', `the Job ${job} is there and not the operator's; the stage runs when it is deleted`);
