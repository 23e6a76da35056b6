// Whatever happens in whatever order, and however far the caches lag behind: the right end, no two pods of one stage, nothing done twice.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { StageInput, STAGE_ENVIRONMENT } from '../../../operator/api/stage-contract.ts';
import type { Experiment } from '../../../operator/api/experiment.ts';
import { isActive } from './world/job-controller.ts';
import { World } from './world/world.ts';
import type { CachedResource, SpecInput } from './world/world.ts';

const NAMES = ['cats', 'dogs'] as const;
type Name = (typeof NAMES)[number];
type Spec = Experiment['spec'];

/** Both share a claim, so that the stages whose keys are equal are run once. */
const SPECS: Record<Name, SpecInput> = {
  cats: { storage: { claimName: 'ours' } },
  dogs: { storage: { claimName: 'ours' }, evaluation: { scales: [1, 2] } },
};

/** The other parties, and what they remember of what was right. */
class History {
  readonly world = new World();
  /** Names of Jobs whose artifacts lie on the claim. */
  readonly #artifacts = new Set<string>();
  /** May run again although they are complete: the Job went before any status told of it, or artifacts were missed. */
  readonly #forgotten = new Set<string>();
  /** Names of Jobs of which a pod has failed. */
  readonly failed = new Set<string>();
  #made = 0;

  work(): void {
    const before = this.#succeeded();
    this.world.controllers.work();
    this.#forget(before);
    for (const { job } of this.world.controllers.made.slice(this.#made)) {
      const isKnown = this.#artifacts.has(job) && !this.#forgotten.has(job);
      assert.not.ok(isKnown, `${job} runs again although it was complete`);
    }
    this.#made = this.world.controllers.made.length;
    const active = new Map(this.pods().map((pod) => [jobOf(pod), this.pods().filter((other) => jobOf(other) === jobOf(pod))]));
    for (const [job, pods] of active) assert.is(pods.length, 1, `${job} has several pods that have not ended`);
  }

  pods(): V1Pod[] {
    return this.world.api.all<V1Pod>('pods').filter(isActive);
  }

  #succeeded(): string[] {
    const pods = this.world.api.all<V1Pod>('pods').filter(({ status }) => status?.phase === 'Succeeded');
    return pods.map(jobOf);
  }

  deleteExperiment(name: Name): void {
    this.world.api.remove('cdspexperiments', name);
    this.#forget([...this.#artifacts]);
  }

  #forget(before: readonly string[]): void {
    const there = new Set(this.#succeeded());
    for (const job of before) if (!there.has(job) && !this.#isRecorded(job)) this.#forgotten.add(job);
  }

  #isRecorded(job: string): boolean {
    const entries = NAMES.flatMap((name) => this.world.status(name)?.stages ?? []);
    return entries.some(
      ({ name, key = '-', state }) => job.startsWith(`cdsp-${name}-${key.slice(0, 16)}`) && /Complete|Cached/.test(state),
    );
  }

  /** As the trainer does it: without the artifacts before it a stage cannot run. */
  end(pod: V1Pod, exitCode: number): void {
    const job = jobOf(pod);
    const isEnding = pod.metadata?.deletionTimestamp !== undefined;
    const lacks = this.#upstreamOf(job).some((folder) => ![...this.#artifacts].some((name) => isOf(name, folder)));
    const code = exitCode === 0 && lacks ? 66 : exitCode;
    if (!isEnding && code === 0) {
      this.#artifacts.add(job);
      this.#forgotten.delete(job);
    }
    // Which of the stages before it is not said: all run again.
    if (code === 66) for (const known of this.#artifacts) this.#forgotten.add(known);
    if (!isEnding && [1, 65, 66].includes(code)) this.failed.add(job);
    this.world.controllers.end(pod, code);
  }

  #upstreamOf(name: string): string[] {
    const job = this.world.controllers.jobs().find(({ metadata }) => metadata?.name === name);
    if (job === undefined) return [];
    const env = job.spec?.template.spec?.containers[0].env?.find((variable) => variable.name === STAGE_ENVIRONMENT);
    return Object.values(StageInput.parse(JSON.parse(env?.value ?? '')).upstream);
  }

  loseArtifacts(): void {
    this.#artifacts.clear();
  }

  /** Somebody deletes a Job; one that was complete only after a status told of it, which the operator has seen. */
  deleteJob(job: V1Job): void {
    const name = job.metadata?.name ?? '';
    if (this.#succeeded().includes(name)) {
      if (!this.#isRecorded(name)) return;
      this.world.show(['cdspexperiments']);
    }
    this.world.api.remove('jobs', name);
  }

  async reconcile(name: Name): Promise<void> {
    // The queue tries again.
    await this.world.reconcile(name).catch(() => {});
  }

  /** Nothing more goes wrong, and everybody does their part until nothing changes. */
  async settle(): Promise<void> {
    const { world } = this;
    world.api.faults.length = 0;
    for (let round = 0, quiet = 0; quiet < 3; round++) {
      assert.ok(round < 200, 'it never comes to rest');
      const before = world.api.changes.length;
      world.show();
      for (const name of NAMES) await this.reconcile(name);
      this.work();
      for (const pod of this.pods()) this.end(pod, 0);
      this.work();
      world.time += 60_000;
      // What was refused is asked for again.
      world.uptime += 600_000;
      quiet = world.api.changes.length === before ? quiet + 1 : 0;
    }
  }
}

const jobOf = ({ metadata }: V1Pod): string => metadata?.ownerReferences?.[0].name ?? '';
/** Whether the Job of this name writes into this folder (…/stages/STAGE/KEY). */
const isOf = (job: string, folder: string): boolean => {
  const [stage = '', key = ''] = folder.split('/').slice(-2);
  return job.startsWith(`cdsp-${stage}-${key.slice(0, 16)}-`);
};

interface Command {
  readonly what: string;
  readonly run: (history: History) => Promise<void> | void;
}

const pick = <T>(list: readonly T[], index: number): T | undefined => (list.length === 0 ? undefined : list[index % list.length]);
const name = fc.constantFrom(...NAMES);
const index = fc.nat(3);
const command = <Values extends unknown[]>(
  what: string,
  values: { [K in keyof Values]: fc.Arbitrary<Values[K]> },
  run: (history: History, ...values: Values) => Promise<void> | void,
): fc.Arbitrary<Command> =>
  fc.tuple(...(values as fc.Arbitrary<unknown>[])).map((drawn) => ({
    what: `${what}(${drawn.map((value) => JSON.stringify(value)).join(', ')})`,
    run: (history) => run(history, ...(drawn as Values)),
    [fc.toStringMethod]() {
      return this.what;
    },
  }));

const edits = {
  weight: (spec: Spec, n: number): Spec => ({
    ...spec,
    losses: { ...spec.losses, lorm: { ...spec.losses.lorm, weight: 0.25 * (1 + (n % 2)) } },
  }),
  suspend: (spec: Spec, n: number): Spec => ({ ...spec, suspend: n % 2 === 0 }),
  retries: (spec: Spec, n: number): Spec => ({ ...spec, retries: n }),
  node: (spec: Spec, n: number): Spec => ({
    ...spec,
    placement: { ...spec.placement, default: { nodeSelector: { node: String(n % 2) } } },
  }),
};
const resources: CachedResource[] = ['cdspexperiments', 'jobs', 'pods'];

const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: command<[Name]>('reconcile', [name], (history, who) => history.reconcile(who)) },
  {
    weight: 4,
    arbitrary: command<[CachedResource, number]>('show', [fc.constantFrom(...resources), index], ({ world }, what, n) =>
      world.show([what], n + 1),
    ),
  },
  { weight: 3, arbitrary: command('show', [], ({ world }) => world.show()) },
  { weight: 4, arbitrary: command('work', [], (history) => history.work()) },
  {
    weight: 4,
    arbitrary: command<[number, number]>('end', [index, fc.constantFrom(0, 0, 0, 0, 1, 65, 75)], (history, n, code) => {
      const pod = pick(history.pods(), n);
      if (pod !== undefined) history.end(pod, code);
    }),
  },
  command<[number]>('begin', [index], (history, n) => {
    const pod = pick(
      history.pods().filter(({ status }) => status?.phase === 'Pending'),
      n,
    );
    if (pod !== undefined) history.world.controllers.begin(pod);
  }),
  command<[number]>('delete pod', [index], (history, n) => {
    const pod = pick(history.pods(), n);
    if (pod !== undefined) history.world.controllers.stop(pod);
  }),
  command<[number]>('delete Job', [index], (history, n) => {
    const job = pick(history.world.controllers.jobs(), n);
    if (job !== undefined) history.deleteJob(job);
  }),
  command<[Name, keyof typeof edits, number]>(
    'edit',
    [name, fc.constantFrom(...(Object.keys(edits) as (keyof typeof edits)[])), index],
    ({ world }, who, what, n) => world.edit(who, (spec) => edits[what](spec, n)),
  ),
  command<['before' | 'after', number, number]>(
    'fault',
    [fc.constantFrom('before', 'after'), fc.constantFrom(403, 409, 422, 429, 500), index],
    ({ world }, when, status, n) => void world.api.faults.push(...Array.from({ length: n }, () => ({ when, status }))),
  ),
  command('restart', [], ({ world }) => world.restart()),
  command('create dogs', [], ({ world }) => {
    if (world.experiment('dogs') === undefined) world.create('dogs', SPECS.dogs);
  }),
  command('delete dogs', [], (history) => history.deleteExperiment('dogs')),
  command('lose artifacts', [], (history) => history.loseArtifacts()),
);

async function checkEnd(history: History): Promise<void> {
  const { world } = history;
  for (const who of NAMES) {
    const experiment = world.experiment(who);
    if (experiment === undefined) continue;
    const { phase, stages = [], observedGeneration } = experiment.status ?? {};
    assert.is(observedGeneration, experiment.metadata?.generation, `${who}: the status speaks of another generation`);
    const hasFailed = stages.some((stage) => [...history.failed].some((job) => isOf(job, `${stage.name}/${stage.key}`)));
    const allowed = ['Succeeded', ...(experiment.spec.suspend ? ['Suspended'] : []), ...(hasFailed ? ['Failed'] : [])];
    assert.ok(allowed.includes(phase ?? ''), `${who} is ${phase}: ${JSON.stringify(experiment.status, undefined, 1)}`);
  }
  assert.equal(
    history.pods().map(({ metadata }) => metadata?.name),
    [],
    'pods are left',
  );
  const running = world.controllers.jobs().filter(({ status, spec }) => status?.conditions === undefined && spec?.suspend !== true);
  assert.equal(
    running.map(({ metadata }) => metadata?.name),
    [],
    'Jobs are left',
  );
  await checkQuiet(history);
  world.restart();
  await checkQuiet(history);
}

async function checkQuiet({ world }: History): Promise<void> {
  const requests = await world.requestsOf(async () => {
    for (const who of NAMES) await world.reconcile(who);
  });
  assert.equal(requests, [], 'requests although nothing has changed');
}

test('whatever happens, in the end everything is as it was asked for, and nothing was done twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(commands, { maxLength: 60, size: 'max' }), async (drawn) => {
      const history = new History();
      history.world.create('cats', SPECS.cats);
      try {
        for (const { run } of drawn) await run(history);
        await history.settle();
        await checkEnd(history);
        // Whatever has failed is tried again after an edit.
        for (const who of NAMES) history.world.edit(who, (spec) => ({ ...spec, suspend: false, retries: spec.retries + 1 }));
        await history.settle();
        for (const who of NAMES) if (history.world.experiment(who) !== undefined) assert.is(history.world.status(who)?.phase, 'Succeeded');
      } catch (error) {
        throw new Error(`${String(error)}\nafter ${drawn.map(({ what }) => what).join(', ')}`, { cause: error });
      }
    }),
    { includeErrorInReport: true, numRuns: Number(process.env.CDSP_TEST_RUNS ?? 200) },
  );
});

test.run();
