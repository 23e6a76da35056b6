import type { V1Job } from '@kubernetes/client-node';
import { API_VERSION, KIND } from '../api/experiment.ts';
import type { Experiment, StageName } from '../api/experiment.ts';
import type { Finding } from '../api/findings.ts';
import type { ExperimentStatus } from '../api/status.ts';
import { decide } from '../plan/decide.ts';
import type { Decision } from '../plan/decide.ts';
import { planExperiment } from '../plan/plan.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import { isComplete } from '../plan/stage-state.ts';
import type { StageState } from '../plan/stage-state.ts';
import { buildRefusal, buildStatus } from './build-status.ts';
import type { StagePodSettings } from './build-pod.ts';
import type { LiveProgress } from './live-progress.ts';
import type { CachedExperiment } from './caches.ts';
import { find } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { Deeds } from './deeds.ts';
import { JobStageRunner } from './job-stage-runner.ts';
import type { StageCaches } from './job-stage-runner.ts';
import { isWantedByOthers, observedOf } from './observe.ts';
import type { StageViews } from './observe.ts';
import type { Trouble } from './observe-pod.ts';
import { expireJob, isFinished, releaseJob } from './owned-jobs.ts';
import { borrowStatus } from './borrow-status.ts';
import { Memo } from './memo.ts';
import { isRefused } from './read-status.ts';
import { referencedIdentities } from './references.ts';
import { RefusedDeeds } from './refused-deeds.ts';
import type { Concern, Deed } from './refused-deeds.ts';
import { experimentsPath } from './resource-paths.ts';
import { SilentStages } from './silent-stages.ts';
import { StatusWriter } from './status-writer.ts';
import { trainerImagesOf } from './trainer-image.ts';
import { UnscheduledPods } from './unscheduled-pods.ts';
import { StageMemo } from './stage-memo.ts';

/** What the reconciler reads; the informers' caches behind it. */
export interface Caches extends StageCaches {
  experiment(key: string): CachedExperiment | undefined;
  /** Jobs that have this experiment as an owner. */
  jobsOf(uid: string): readonly V1Job[];
  /** From now on changes of these Jobs and their pods put the experiment into the queue. */
  follow(key: string, jobs: readonly string[]): void;
}

export interface ReconcilerOptions {
  readonly cluster: Pick<Cluster, 'get' | 'list' | 'create' | 'apply' | 'merge' | 'delete'>;
  readonly caches: Caches;
  readonly settings: StagePodSettings;
  /** What is wrong with an experiment that the API server took. */
  readonly check: (experiment: Experiment) => readonly Finding[];
  readonly live: (experiment: string) => ReadonlyMap<StageName, LiveProgress>;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
  /** In milliseconds, never going back. */
  readonly elapsed: () => number;
  /** Asks to be called again for this key. */
  readonly requeueAfter: (key: string, delayMs: number) => void;
  /** The Job of a stage was made; `upstream` are the Jobs whose end this experiment waited for: none where they had ended long before. */
  readonly onHandOver?: (experiment: string, stage: StageName, upstream: readonly string[]) => void;
  /** A Job (namespace/name) was made that is to have a pod at once. */
  readonly onJob?: (job: string) => void;
  /** Trouble that does not keep the experiment from being looked at to the end, such as what the server refuses. */
  readonly onError: (experiment: string, error: unknown) => void;
}

type Present = CachedExperiment & { readonly spec: Experiment['spec'] };

interface Situation {
  readonly key: string;
  readonly experiment: Present;
  readonly trainerImage: string;
  readonly plan: Plan;
  readonly runner: JobStageRunner;
  readonly views: StageViews;
  /** The same without troubles that may pass in a moment. */
  readonly lasting: StageViews;
  readonly decision: Decision;
  readonly status: ExperimentStatus | undefined;
}

/** Brings one experiment nearer to what it asks for. Called for one key at a time; what it makes has deterministic names, so that calling it twice is harmless. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #writer: StatusWriter;
  readonly #deeds: Deeds;
  readonly #refused: RefusedDeeds;
  readonly #silent: SilentStages;
  readonly #unscheduled: UnscheduledPods;
  /** For which words of the scheduler it was seen that the experiment's claim is there. */
  readonly #claimSeen = new Map<string, string>();
  /** Of experiments that found stages completed by others: when their claim was made, as in StageFacts. */
  readonly #claimMadeAt = new Map<string, { readonly uid: string; readonly time: number }>();
  /** By generation and image; working a plan out takes longer than most of a look. */
  readonly #plans = new Memo<{ readonly plan: Plan; readonly memo: StageMemo }>();
  /** Findings by generation: looking at every field takes longer than all else. */
  readonly #findings = new Memo<readonly Finding[]>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#writer = new StatusWriter(options);
    this.#deeds = new Deeds(options.elapsed);
    this.#refused = new RefusedDeeds(options);
    this.#silent = new SilentStages(options);
    this.#unscheduled = new UnscheduledPods(options);
  }

  /** @throws ApiError where the cluster refused or could not be reached; calling again later is right */
  async reconcile(key: string): Promise<void> {
    const cached = this.#options.caches.experiment(key);
    if (cached === undefined) return this.#forget(key);
    if (cached.isDeleting) return this.#options.caches.follow(key, []);
    if (cached.spec === undefined) return this.#settle(key, cached);
    const experiment: Present = { ...cached, spec: cached.spec };
    const status = this.#writer.latest(key, cached.status);
    const findings = this.#check(key, experiment);
    if (findings.length > 0) return this.#refuse(key, experiment, findings, status);
    const before = await this.#lookAtClaim(key, experiment, status);
    const { hasActed, refusals, error } = await this.#act(before);
    // What was started is told as started, in one write, without waiting for the caches to show it.
    const situation = hasActed ? await this.#lookAtClaim(key, experiment, status) : before;
    await this.#report(situation, refusals);
    if (error !== undefined) throw error;
    const { wakeAt } = situation.decision;
    if (wakeAt !== undefined) this.#options.requeueAfter(key, Math.max(0, wakeAt - this.#options.now()));
  }

  /** The cache shows this version of the experiment. */
  seen(key: string, resourceVersion: string): void {
    this.#writer.seen(key, resourceVersion);
  }

  /** The cache shows that this Job is gone. */
  jobGone(key: string, job: V1Job): void {
    if (!isFinished(job)) this.#deeds.abandoned.set(key, true);
  }

  /** Forgets what is of no use any more; to be called from time to time. */
  tidy(): void {
    this.#deeds.tidy();
  }

  #forget(key: string): void {
    this.#options.caches.follow(key, []);
    this.#writer.forget(key);
    this.#deeds.claims.delete(key);
    this.#findings.delete(key);
    this.#plans.delete(key);
    this.#claimMadeAt.delete(key);
    this.#forgetTroubles(key);
  }

  #forgetTroubles(key: string): void {
    this.#refused.forget(key);
    this.#silent.forget(key);
    this.#unscheduled.forget(key);
    this.#claimSeen.delete(key);
  }

  /** The end is told. What is left is to let Jobs go, also those whose turn an operator before this one has missed. */
  async #settle(key: string, experiment: CachedExperiment): Promise<void> {
    this.#forget(key);
    for (const job of this.#options.caches.jobsOf(experiment.uid)) await expireJob(this.#options.cluster, experiment, job);
  }

  #check(key: string, experiment: Present): readonly Finding[] {
    return this.#findings.get(key, versionOf(experiment), () => this.#options.check(manifestOf(experiment)));
  }

  /**
   * Looks, and where others have completed a stage, again with the age of the claim: a claim may have been deleted and made anew, and what others
   * tell of may have been on the old one. Asked for until it is there.
   */
  async #lookAtClaim(key: string, experiment: Present, status: ExperimentStatus | undefined): Promise<Situation> {
    const asked = this.#claimMadeAt.get(key);
    // One of the same name that was made since may have another claim.
    const known = asked?.uid === experiment.uid ? asked.time : undefined;
    const situation = this.#look(key, experiment, status, known);
    const borrows = [...situation.views.values()].some(({ isBorrowed }) => isBorrowed);
    if (!borrows || known !== undefined) return situation;
    const time = await situation.runner.volume.madeAt();
    if (time !== undefined) this.#claimMadeAt.set(key, { uid: experiment.uid, time });
    return this.#look(key, experiment, status, time ?? Infinity);
  }

  #look(key: string, experiment: Present, status: ExperimentStatus | undefined, claimMadeAt: number | undefined): Situation {
    const { caches, settings, now } = this.#options;
    const { current, finished } = trainerImagesOf(experiment.spec, status, settings);
    const view = (image: string) => this.#view(key, experiment, status, claimMadeAt, image);
    // An operator that got another image runs nothing again for an edit that changes no stage, such as of the time to live.
    const before = finished === undefined ? undefined : view(finished);
    const isMade = before !== undefined && decide(before.plan, observedOf(before.views), now()).outcome === 'Succeeded';
    const seen = isMade ? before : view(current);
    const { plan, runner, views } = seen;
    const decision = decide(plan, observedOf(views), now());
    const isOver = decision.outcome === 'Succeeded' || decision.outcome === 'Failed';
    const jobs = isOver ? [] : plan.stages.map((stage) => `${experiment.namespace}/${runner.nameOf(stage)}`);
    caches.follow(key, jobs);
    const lasting = this.#unscheduled.withhold(key, views, status);
    return { ...seen, key, experiment, lasting, decision, status };
  }

  /** The stages of this trainer image as the cluster shows them. */
  #view(key: string, experiment: Present, status: ExperimentStatus | undefined, claimMadeAt: number | undefined, trainerImage: string) {
    const { cluster, caches, settings, onHandOver, onJob } = this.#options;
    const { claim, spec } = experiment;
    const { plan, memo } = this.#plan(key, experiment, trainerImage);
    const runner: JobStageRunner = new JobStageRunner({
      cluster,
      caches,
      deeds: this.#deeds,
      experiment,
      claim,
      image: trainerImage,
      settings,
      // A refusal was no end of its own: what had failed before it is tried again.
      status: isRefused(status) ? { ...status, observedGeneration: undefined } : status,
      memo,
      claimMadeAt,
      onStarted: (stage) => {
        onHandOver?.(key, stage.name, awaitedJobs(plan, stage, runner, status));
        // Who waits in a queue has no pod until somebody else says so.
        if (spec.queueName === undefined) onJob?.(`${experiment.namespace}/${runner.nameOf(stage)}`);
      },
    });
    return { trainerImage, plan, runner, views: runner.view(plan) };
  }

  #plan(key: string, experiment: Present, trainerImage: string) {
    return this.#plans.get(key, `${versionOf(experiment)}/${trainerImage}`, () => ({
      plan: planExperiment(manifestOf(experiment), { trainerVersion: trainerImage, identities: referencedIdentities(experiment.spec) }),
      memo: new StageMemo(),
    }));
  }

  /** Starts, stops, shares and gives up Jobs. */
  async #act(situation: Situation) {
    const { key, experiment } = situation;
    const outcome = await this.#refused.carryOut(key, versionOf(experiment), this.#deedsOf(situation));
    // Trouble of the cluster is the queue's; what concerns the experiment is told all the same.
    if (outcome.error !== undefined && outcome.refusals.size === 0) throw outcome.error;
    return outcome;
  }

  #deedsOf({ key, decision, plan, runner, views, lasting, experiment }: Situation): Deed[] {
    const { caches, cluster } = this.#options;
    const names = new Set(plan.stages.map((stage) => runner.nameOf(stage)));
    const deeds: Deed[] = [];
    for (const stage of plan.stages) {
      const { name } = stage;
      const view = views.get(name);
      if (decision.start.includes(name)) deeds.push({ id: `start ${name}`, concern: name, run: () => runner.start(plan, stage) });
      else if (decision.stop.includes(name)) deeds.push({ id: `stop ${name}`, concern: name, run: () => runner.stop(plan, stage) });
      else if (view?.isForeign) deeds.push({ id: `share ${name}`, run: () => runner.share(stage) });
      else if (view?.state.kind === 'Running' && runner.isOutdated(stage))
        deeds.push({ id: `update ${name}`, run: () => runner.update(stage) });
    }
    const { volume } = runner;
    const words = wordsOfScheduler(lasting);
    if (volume.isMade && !volume.isAsWanted) deeds.push({ id: 'claim', concern: 'storage', run: () => volume.ensure() });
    else if (volume.isMade && words !== undefined && words !== this.#claimSeen.get(key))
      deeds.push({
        id: 'missing claim',
        concern: currentStage(plan, views),
        run: async () => {
          await volume.restore();
          this.#claimSeen.set(key, words);
          this.#claimMadeAt.delete(key);
        },
      });
    for (const job of caches.jobsOf(experiment.uid)) {
      const isWanted = names.has(job.metadata?.name ?? '') && !(experiment.spec.suspend && isWantedByOthers(job, experiment.uid));
      if (!isWanted && !isFinished(job))
        deeds.push({ id: `release ${job.metadata?.name}`, run: () => releaseJob(cluster, experiment, job) });
    }
    return deeds;
  }

  async #report(situation: Situation, refusals: ReadonlyMap<Concern, Trouble>): Promise<void> {
    const { key, experiment, trainerImage, plan, runner, lasting, decision, status } = situation;
    const { storage } = runner.volume;
    const lent = await this.#borrow(situation);
    const views = this.#silent.explain(key, experiment.namespace, lasting);
    const input = { experiment, storage, trainerImage, plan, views, decision, refusals, live: this.#options.live(key) };
    await this.#write(key, experiment, buildStatus({ ...input, previous: lent, now: this.#time() }), status);
    for (const stage of plan.stages) if (hasEnded(views.get(stage.name)?.state)) await runner.expire(stage);
  }

  /** Nothing of an experiment that cannot be run goes on running. */
  async #refuse(key: string, experiment: Present, findings: readonly Finding[], status: ExperimentStatus | undefined): Promise<void> {
    const { caches, cluster } = this.#options;
    caches.follow(key, []);
    this.#forgetTroubles(key);
    for (const job of caches.jobsOf(experiment.uid)) if (!isFinished(job)) await releaseJob(cluster, experiment, job);
    await this.#write(key, experiment, buildRefusal(experiment.generation, findings, status, this.#time()), status);
  }

  #write(key: string, experiment: Present, status: ExperimentStatus, previous: ExperimentStatus | undefined): Promise<void> {
    const shown = () => this.#options.caches.experiment(key)?.resourceVersion;
    return this.#writer.write(key, experiment, status, previous, shown);
  }

  /** What other experiments tell of the stages that they have completed for this one; asked for once. */
  async #borrow({ views, plan, status, experiment, runner }: Situation): Promise<ExperimentStatus | undefined> {
    const { cluster } = this.#options;
    let lent = status;
    for (const stage of plan.stages) {
      const isKnown = status?.stages?.some(({ name, key, state }) => name === stage.name && key === stage.key && state === 'Cached');
      const view = views.get(stage.name);
      if (view?.state.kind !== 'Cached' || isKnown) continue;
      const from = runner.lenderOf(stage);
      if (from === undefined) continue;
      const name = from.slice(from.indexOf('/') + 1);
      // Deleted meanwhile: its artifacts stay, its words do not.
      const lender = await find<{ status?: ExperimentStatus }>(cluster, `${experimentsPath(experiment.namespace)}/${name}`);
      lent = borrowStatus(lent, lender?.status, stage);
    }
    return lent;
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

/** As its author might have written it. */
const manifestOf = ({ name, spec }: Present): Experiment => ({ apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec });

/** Stands for the spec as it is now. */
const versionOf = ({ uid, generation }: Present): string => `${uid}/${generation}`;

/** The stage that is told of what concerns all. */
const currentStage = ({ stages }: Plan, views: StageViews): StageName | undefined =>
  (stages.find(({ name }) => !hasCompleted(views.get(name)?.state)) ?? stages.at(-1))?.name;

/** What the scheduler says of pods that have no place: one that misses its claim is among them. */
function wordsOfScheduler(views: StageViews): string | undefined {
  const words = [...views.values()].flatMap(({ pod, trouble }) =>
    pod === undefined || trouble?.condition !== 'Scheduled' ? [] : [pod, trouble.message],
  );
  return words.length === 0 ? undefined : words.join(' ');
}

/** A stage after an edit, or of a second experiment, may find what it needs complete since hours: that is no hand-over. */
function awaitedJobs(plan: Plan, { dependsOn }: PlannedStage, runner: JobStageRunner, status: ExperimentStatus | undefined): string[] {
  const hasRun = (stage: PlannedStage) =>
    status?.stages?.some(({ name, key, state }) => name === stage.name && key === stage.key && state === 'Running');
  return plan.stages.filter((stage) => dependsOn.includes(stage.name) && hasRun(stage)).map((stage) => runner.nameOf(stage));
}

const hasCompleted = (state: StageState | undefined): boolean => state !== undefined && isComplete(state);
const hasEnded = (state: StageState | undefined): boolean => hasCompleted(state) || state?.kind === 'Failed';
