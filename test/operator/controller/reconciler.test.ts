import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import { API_VERSION, Experiment, KIND } from '../../../operator/api/experiment.ts';
import type { ExperimentInput } from '../../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../../operator/api/status.ts';
import { ApiError } from '../../../operator/controller/cluster.ts';
import { Reconciler } from '../../../operator/controller/reconciler.ts';
import type { CachedExperiment } from '../../../operator/controller/caches.ts';
import { condition, makePod } from './objects.ts';

const KEY = 'lab/cats';

/** An API server that remembers, and caches that show it as soon as the test lets them. */
function makeWorld(settings: Partial<ExperimentInput['spec']> = {}) {
  const { spec } = Experiment.parse({
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: 'cats' },
    spec: { dataset: { generator: {} }, ...settings },
  });
  const jobs = new Map<string, V1Job>();
  const shown = new Map<string, V1Job>();
  const pods = new Map<string, V1Pod[]>();
  const requests: string[] = [];
  const refusals: ApiError[] = [];
  const requeued: number[] = [];
  let status: ExperimentStatus | undefined;
  let version = 1;
  let time = 1_000_000;
  let experiment: CachedExperiment | undefined = {
    name: 'cats',
    namespace: 'lab',
    uid: 'uid-1',
    generation: 1,
    resourceVersion: '1',
    isDeleting: false,
    claim: spec.storage.claimName ?? 'cdsp-cats',
    spec,
    status: undefined,
  };
  const reconciler = new Reconciler({
    cluster: {
      create: <T extends KubernetesObject>(path: string, object: T): Promise<T> => {
        requests.push(`create ${path.split('/').at(-1)}`);
        const refusal = refusals.shift();
        if (refusal !== undefined) return Promise.reject(refusal);
        if (object.kind === 'Job') {
          const name = object.metadata?.name ?? '';
          if (jobs.has(name)) return Promise.reject(new ApiError(409, 'AlreadyExists', name));
          jobs.set(name, object);
        }
        return Promise.resolve(object);
      },
      apply: <T extends KubernetesObject>(path: string, object: object): Promise<T> => {
        requests.push(`apply ${path.split('/').at(-1)}`);
        ({ status } = object as { status: ExperimentStatus });
        return Promise.resolve({ metadata: { resourceVersion: String(++version) } } as T);
      },
      merge: <T extends KubernetesObject>(_path: string, patch: object): Promise<T> => {
        requests.push(`merge ${JSON.stringify(patch)}`);
        return Promise.resolve({} as T);
      },
      delete: () => Promise.resolve(),
    },
    caches: {
      experiment: () => experiment,
      job: (_namespace, name) => shown.get(name),
      podsOf: (_namespace, job) => pods.get(job) ?? [],
      completeElsewhere: () => undefined,
    },
    settings: { trainerImage: 'trainer:1' },
    trainerVersion: 'trainer:1',
    live: () => new Map(),
    now: () => time,
    requeueAfter: (_key, delay) => requeued.push(delay),
  });
  return {
    reconciler,
    requests,
    refusals,
    requeued,
    jobs,
    status: () => status,
    pass: (milliseconds: number) => {
      time += milliseconds;
    },
    /** The caches catch up with the server. */
    show(): void {
      for (const [name, job] of jobs) if (!shown.has(name)) shown.set(name, { ...job, status: { active: 1 } });
      if (experiment !== undefined) experiment = { ...experiment, status, resourceVersion: String(version) };
      reconciler.seen(KEY, String(version));
    },
    edit(change: Partial<CachedExperiment> | undefined): void {
      experiment = change === undefined || experiment === undefined ? undefined : { ...experiment, ...change };
    },
    spec,
    /** The newest Job's pod ends. */
    end(pod: V1Pod, conditions: NonNullable<V1Job['status']>['conditions'] = undefined): void {
      const name = [...jobs.keys()].at(-1) ?? '';
      pods.set(name, [pod]);
      shown.set(name, { ...jobs.get(name), status: { conditions } });
    },
  };
}
const succeeded = () => makePod('Succeeded', { exitCode: 0, message: '{"result":{"meanIou":0.6}}' });

test('a new experiment gets its claim, the first stage’s Job, one status and one event', async () => {
  const world = makeWorld();
  await world.reconciler.reconcile(KEY);
  assert.equal(world.requests, ['create persistentvolumeclaims', 'create jobs', 'apply status', 'create events']);
  assert.is(world.status()?.stages?.[0].state, 'Running');
});

test('nothing is asked of the server where nothing changed, whether or not the caches show what was done', async () => {
  const world = makeWorld();
  await world.reconciler.reconcile(KEY);
  const count = world.requests.length;
  await world.reconciler.reconcile(KEY);
  world.show();
  await world.reconciler.reconcile(KEY);
  assert.equal(world.requests.slice(count), []);
});

test('four stages follow each other with two requests each, and the result is told', async () => {
  const world = makeWorld();
  await world.reconciler.reconcile(KEY);
  for (let stage = 0; stage < 4; stage++) {
    world.show();
    world.end(succeeded());
    await world.reconciler.reconcile(KEY);
  }
  assert.is(world.jobs.size, 4);
  assert.is(world.status()?.phase, 'Succeeded');
  assert.is(world.status()?.meanIou, 0.6);
  assert.ok(world.requests.length <= 12, `${world.requests.length} requests`);
});

test('an existing claim is not made', async () => {
  const world = makeWorld({ storage: { claimName: 'ours' } });
  await world.reconciler.reconcile(KEY);
  assert.is(world.requests[0], 'create jobs');
});

test('bad input ends the experiment with the stage’s own words, and it stays ended when its Job is gone', async () => {
  const world = makeWorld();
  await world.reconciler.reconcile(KEY);
  world.show();
  const error = { message: 'is truncated', file: 'a.jpg', field: 'spec.dataset' };
  const failed = condition('Failed', 'PodFailurePolicy', 'rule 0');
  world.end(makePod('Failed', { exitCode: 65, message: JSON.stringify({ error }) }), [failed]);
  await world.reconciler.reconcile(KEY);
  const { failure } = world.status()?.stages?.[0] ?? {};
  assert.equal([failure?.file, failure?.field, world.status()?.phase], ['a.jpg', 'spec.dataset', 'Failed']);
  assert.equal(
    world.status()?.conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
    ['Succeeded False BadInput', 'Reconciling False BadInput', 'Stalled True BadInput', 'Suspended False BadInput'],
  );
});

test('a suspended experiment starts nothing', async () => {
  const world = makeWorld({ suspend: true });
  await world.reconciler.reconcile(KEY);
  assert.equal(world.requests, ['apply status', 'create events']);
  assert.is(world.status()?.phase, 'Suspended');
});

test('a running stage of an experiment that is suspended is asked to stop', async () => {
  const world = makeWorld();
  await world.reconciler.reconcile(KEY);
  world.show();
  world.edit({ spec: { ...world.spec, suspend: true }, generation: 2 });
  await world.reconciler.reconcile(KEY);
  assert.ok(world.requests.includes('merge {"spec":{"suspend":true}}'));
});

test('a refused request is an error for the queue; the next try does what is left', async () => {
  const world = makeWorld();
  world.refusals.push(new ApiError(429, 'TooManyRequests', 'slow down'));
  let refusal: unknown;
  await world.reconciler.reconcile(KEY).catch((error: unknown) => (refusal = error));
  assert.instance(refusal, ApiError);
  await world.reconciler.reconcile(KEY);
  assert.is(world.jobs.size, 1);
});

test('an experiment that is gone or being deleted is left alone', async () => {
  const world = makeWorld();
  world.edit({ isDeleting: true });
  await world.reconciler.reconcile(KEY);
  world.edit(undefined);
  await world.reconciler.reconcile(KEY);
  assert.equal(world.requests, []);
});

test.run();
