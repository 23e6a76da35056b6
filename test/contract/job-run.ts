import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { API_VERSION, KIND } from '../../operator/api/experiment.ts';
import type { StageName } from '../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { OperatorConfig } from '../../operator/config.ts';
import { buildStatus } from '../../operator/controller/build-status.ts';
import { completedKey, completedKeys, jobOfPod, keepExperiment, keepJob, keepPod } from '../../operator/controller/caches.ts';
import type { CachedExperiment, RawExperiment } from '../../operator/controller/caches.ts';
import type { Cluster } from '../../operator/controller/cluster.ts';
import { Deeds } from '../../operator/controller/deeds.ts';
import { JobStageRunner } from '../../operator/controller/job-stage-runner.ts';
import { isEnded } from '../../operator/controller/observe-pod.ts';
import { MANAGED_SELECTOR } from '../../operator/controller/names.ts';
import { observedOf } from '../../operator/controller/observe.ts';
import { referencedIdentities } from '../../operator/controller/references.ts';
import { experimentsPath, jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import { StageMemo } from '../../operator/controller/stage-memo.ts';
import { decide } from '../../operator/plan/decide.ts';
import { planExperiment } from '../../operator/plan/plan.ts';
import type { Plan } from '../../operator/plan/plan.ts';
import type { StageRunner } from '../../operator/plan/stage-runner.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { FAKE_STAGE_IMAGE } from '../cluster/fake-stage-image.ts';
import type { RunnerUnderTest } from './stage-runner.ts';

/** What the runs of one case share. */
export interface Surroundings {
  readonly plane: ControlPlane;
  readonly cluster: Cluster;
  readonly claim: string;
  /** Where the claim's volume lies on this machine. */
  readonly folder: string;
}

const NAMESPACE = 'default';
const SETTINGS = OperatorConfig.parse({ trainerImage: FAKE_STAGE_IMAGE, imagePullPolicy: 'Never' });
const ENDS = new Set(['Complete', 'Failed']);

/** Whether a Job will start no pod any more, unless it is told to. */
const isQuiet = ({ spec, status }: V1Job, pods: readonly V1Pod[]): boolean =>
  pods.every(isEnded) && (spec?.suspend === true || (status?.conditions?.some(({ type }) => ENDS.has(type)) ?? false));

/**
 * The runner of Jobs as the reconciler uses it: seen through what the caches keep, and with the status written after everything that
 * was done, which is this runner's memory.
 */
class JobRun implements StageRunner {
  readonly #surroundings: Surroundings;
  readonly #experiment: CachedExperiment;
  readonly #earlier: readonly CachedExperiment[];
  readonly #deeds = new Deeds(() => performance.now());
  #status: ExperimentStatus | undefined;
  #jobs: readonly V1Job[] = [];
  #pods: readonly V1Pod[] = [];

  constructor(surroundings: Surroundings, experiment: CachedExperiment, earlier: readonly CachedExperiment[]) {
    this.#surroundings = surroundings;
    this.#experiment = experiment;
    this.#earlier = earlier;
  }

  /** The experiment with what this run has come to. */
  get kept(): CachedExperiment {
    return { ...this.#experiment, status: this.#status };
  }

  get spec() {
    const { spec } = this.#experiment;
    if (spec === undefined) throw new Error('an experiment that has not ended has a spec');
    return spec;
  }

  async observe(plan: Plan) {
    await this.#refresh();
    return observedOf(this.#note(plan));
  }

  async start(plan: Plan, stage: Plan['stages'][number]): Promise<void> {
    await this.#refresh();
    await this.#runner().start(plan, stage);
    this.#note(plan);
  }

  async stop(plan: Plan, stage: Plan['stages'][number]): Promise<void> {
    await this.#refresh();
    await this.#runner().stop(plan, stage);
  }

  async isQuiet(): Promise<boolean> {
    await this.#refresh();
    return this.#jobs.every((job) => isQuiet(job, this.#podsOf(job.metadata?.name)));
  }

  async #refresh(): Promise<void> {
    const { cluster, claim } = this.#surroundings;
    const query = { labelSelector: MANAGED_SELECTOR };
    const jobs = await cluster.list<V1Job>(jobsPath(NAMESPACE), query);
    const isOnClaim = ({ metadata }: V1Job) => metadata?.annotations?.['cdsp.dev/claim'] === claim;
    this.#jobs = jobs.items.filter(isOnClaim).map(keepJob);
    this.#pods = (await cluster.list<V1Pod>(podsPath(NAMESPACE), query)).items.map(keepPod);
  }

  #podsOf(job: string | undefined): V1Pod[] {
    return this.#pods.filter((pod) => jobOfPod(pod) === job);
  }

  #runner(): JobStageRunner {
    const { cluster, claim } = this.#surroundings;
    const completed = this.#earlier.map((experiment) => ({ name: experiment.name, keys: completedKeys(experiment) }));
    const caches = {
      job: (_: string, name: string) => this.#jobs.find(({ metadata }) => metadata?.name === name),
      // Nobody but this test deletes Jobs.
      hasReached: () => false,
      podsOf: (_: string, job: string) => this.#podsOf(job),
      isAwaitedByOthers: () => false,
      completeElsewhere: (namespace: string, on: string, key: string) =>
        completed.find(({ keys }) => keys.includes(completedKey(namespace, on, key)))?.name,
    };
    const experiment = { ...this.#experiment, spec: this.spec };
    const common = { cluster, caches, deeds: this.#deeds, settings: SETTINGS, image: FAKE_STAGE_IMAGE };
    return new JobStageRunner({ ...common, experiment, claim, status: this.#status, memo: new StageMemo() });
  }

  /** Writes the status that these facts give, as the reconciler does. */
  #note(plan: Plan) {
    const runner = this.#runner();
    const views = runner.view(plan);
    this.#status = buildStatus({
      experiment: { ...this.#experiment, spec: this.spec },
      storage: runner.volume.storage,
      trainerImage: FAKE_STAGE_IMAGE,
      plan,
      views,
      decision: decide(plan, observedOf(views), 0),
      refusals: new Map(),
      live: new Map(),
      previous: this.#status,
      now: '2000-01-01T00:00:00Z',
    });
    return views;
  }
}

/** Makes an experiment in the cluster and a runner for it. */
export async function startJobRun(surroundings: Surroundings, earlier: readonly CachedExperiment[] = []): Promise<RunnerUnderTest> {
  const { plane, claim, folder } = surroundings;
  const name = `${claim}-${earlier.length}`;
  const spec = { dataset: { generator: {} }, retries: 1, storage: { claimName: claim } };
  const manifest = { apiVersion: API_VERSION, kind: KIND, metadata: { name } } as const;
  const created = await plane.client.expect<RawExperiment>('POST', experimentsPath(NAMESPACE), { ...manifest, spec });
  const run = new JobRun(surroundings, keepExperiment(created), earlier);
  const identities = referencedIdentities(run.spec);
  const plan = planExperiment({ ...manifest, spec: run.spec }, { trainerVersion: FAKE_STAGE_IMAGE, identities });
  const attemptsAt = (stage: StageName): number => {
    const file = join(folder, 'stages', stage, plan.stages.find((planned) => planned.name === stage)?.key ?? '', 'attempts');
    return existsSync(file) && existsSync(join(file, '../checkpoint')) ? Number(readFileSync(file, 'utf8')) : 0;
  };
  return {
    runner: run,
    plan,
    settle: () => plane.waitUntil('no stage to run', () => run.isQuiet()),
    progressed: (stage, attempt) => plane.waitUntil(`attempt ${attempt} at ${stage}`, () => attemptsAt(stage) === attempt),
    nextRun: () => startJobRun(surroundings, [...earlier, run.kept]),
    retriesItself: true,
    seesArtifacts: false,
  };
}
