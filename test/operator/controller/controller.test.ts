// Caches, queue and reconciler together: what an operator does on its start, after errors, and what it keeps in memory.
import { setImmediate } from 'node:timers/promises';
import { mock } from 'node:test';
import { getHeapSnapshot } from 'node:v8';
import { json } from 'node:stream/consumers';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, Experiment, KIND } from '../../../operator/api/experiment.ts';
import type { Finding } from '../../../operator/api/findings.ts';
import { buildClusterReproduction } from '../../../operator/cli/reproduce/cluster-reproduction.ts';
import { OperatorConfig } from '../../../operator/config.ts';
import { checkExperiment } from '../../../operator/controller/check-experiment.ts';
import type { RawExperiment } from '../../../operator/controller/caches.ts';
import { ApiError } from '../../../operator/controller/cluster.ts';
import { Controller } from '../../../operator/controller/controller.ts';
import type { ControllerOptions } from '../../../operator/controller/controller.ts';
import { LABELS } from '../../../operator/controller/names.ts';
import { errorReason } from '../../../operator/metrics/error-reason.ts';
import { ApiServer } from './world/api-server.ts';
import type { Stored } from './world/api-server.ts';
import { isActive, JobController } from './world/job-controller.ts';
import type { SpecInput } from './world/world.ts';

const CONFIG = OperatorConfig.parse({ trainerImage: 'trainer:1', namespaces: ['lab'], parallelism: 4 });
const NOT_ALLOWED: Finding = { field: 'spec.image', message: 'is not allowed here' };

/** What the chart gives an operator by default. */
const DEFAULTS = OperatorConfig.parse({ trainerImage: 'cdsp-trainer:0.1.0' });

/** A namespace with Kubernetes' controllers, and operators that come and go. */
class Lab {
  readonly api = new ApiServer();
  readonly controllers = new JobController(this.api);
  readonly errors: unknown[] = [];
  /** How often an operator has checked an experiment. */
  checks = 0;
  findings: readonly Finding[] = [];
  /** Milliseconds that were passed over. */
  skipped = 0;

  async startOperator(config: ControllerOptions['config'] = CONFIG, check?: ControllerOptions['check']): Promise<Controller> {
    const controller = new Controller({
      cluster: this.api.watchingClient(),
      config,
      check: (experiment) => {
        this.checks++;
        return check?.(experiment) ?? this.findings;
      },
      onReconcileError: (error) => this.errors.push(error),
      log: () => {},
      // Time that a busy machine takes is none here: a question about events is followed by a rest of some times what its answer took.
      elapsed: () => this.skipped,
    });
    await controller.sync();
    controller.lead();
    return controller;
  }

  create(name: string, settings: SpecInput = {}, namespace = 'lab'): void {
    const manifest = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec: { dataset: { generator: {} }, ...settings } };
    const { spec } = Experiment.parse(manifest);
    this.api.put('cdspexperiments', { ...manifest, metadata: { name, namespace }, spec });
  }

  status(name: string, namespace?: string) {
    return this.api.find<RawExperiment>('cdspexperiments', name, namespace)?.status;
  }

  /** Everybody does their part until it is so; pods end with success, but for those that are held. */
  async until(isSo: () => boolean, holds: (pod: V1Pod) => boolean = () => false): Promise<void> {
    while (!isSo()) {
      this.controllers.work();
      for (const pod of this.activePods()) if (!holds(pod)) this.controllers.end(pod, 0);
      await setImmediate();
    }
  }

  activePods(): V1Pod[] {
    return this.api.all<V1Pod>('pods').filter(isActive);
  }

  /** Nothing is asked for any more, for as long as a queue needs to come to everything. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 50; quiet++) {
      const before = this.api.requests.length;
      await this.api.answered();
      if (this.api.requests.length !== before) quiet = 0;
    }
  }
}

const isPhase = (lab: Lab, name: string, phase: string) => () => lab.status(name)?.phase === phase;
const ttlsOf = (lab: Lab) => lab.controllers.jobs().map(({ spec }) => spec?.ttlSecondsAfterFinished);

test('an operator that starts lets the Jobs of ended experiments go where the one before it has not', async () => {
  const lab = new Lab();
  lab.create('cats', { ttlSecondsAfterFinished: 60 });
  lab.api.refuse = (verb, _resource, { spec = {} }: Stored) =>
    verb === 'merge' && 'ttlSecondsAfterFinished' in spec ? new ApiError(500, 'Fault', 'not now') : undefined;
  const first = await lab.startOperator();
  await lab.until(isPhase(lab, 'cats', 'Succeeded'));
  await first.stop();
  assert.ok(ttlsOf(lab).includes(undefined));
  lab.api.refuse = () => undefined;
  const second = await lab.startOperator();
  await lab.until(() => ttlsOf(lab).every((ttl) => ttl === 60));
  await second.stop();
});

test('a listed namespace that cannot be read keeps nobody else waiting, and is served when it can be', async () => {
  const lab = new Lab();
  lab.create('cats');
  lab.create('dogs', {}, 'office');
  let isThere = false;
  const forbidden = new ApiError(403, 'Forbidden', 'pods is forbidden');
  lab.api.refuseRead = (resource, namespace) => (namespace === 'office' && resource === 'pods' && !isThere ? forbidden : undefined);
  const operator = await lab.startOperator({ ...CONFIG, namespaces: ['office', 'lab', 'office'] });
  await lab.until(isPhase(lab, 'cats', 'Succeeded'));
  assert.is(lab.status('dogs', 'office'), undefined, 'nothing is done where the pods are not known');
  isThere = true;
  await lab.until(() => lab.status('dogs', 'office')?.phase === 'Succeeded');
  await operator.stop();
});

test('an operator that can read none of its namespaces waits for one', async () => {
  const lab = new Lab();
  lab.create('cats');
  let isThere = false;
  lab.api.refuseRead = (_resource, namespace) =>
    isThere && namespace === 'lab' ? undefined : new ApiError(404, 'NotFound', 'the server could not find the requested resource');
  let hasStarted = false;
  const starting = lab.startOperator({ ...CONFIG, namespaces: ['lab', 'office'] }).finally(() => (hasStarted = true));
  await lab.rest();
  assert.not(hasStarted);
  isThere = true;
  const operator = await starting;
  await lab.until(isPhase(lab, 'cats', 'Succeeded'));
  await operator.stop();
});

test('an operator that starts checks once what the one before it has refused, and nothing is written where it finds the same', async () => {
  const lab = new Lab();
  lab.findings = [NOT_ALLOWED];
  lab.create('cats');
  const first = await lab.startOperator();
  await lab.until(isPhase(lab, 'cats', 'Failed'));
  await lab.rest();
  await first.stop();
  const requests = () => lab.api.requests.filter((request) => !request.startsWith('list'));
  const before = requests();
  const second = await lab.startOperator();
  await lab.rest();
  second.resync();
  await lab.rest();
  await second.stop();
  assert.equal(requests(), before);
  assert.is(lab.checks, 2);
  lab.findings = [];
  const third = await lab.startOperator();
  await lab.until(isPhase(lab, 'cats', 'Succeeded'));
  await third.stop();
});

test('what cdsp reproduce prints of a finished run, runs with the configuration that the chart gives by default', async () => {
  const lab = new Lab();
  lab.controllers.imageId = `docker.io/library/cdsp-trainer@sha256:${'a'.repeat(64)}`;
  lab.create('cats');
  const operator = await lab.startOperator({ ...DEFAULTS, namespaces: ['lab'] }, (experiment) => checkExperiment(experiment, DEFAULTS));
  await lab.until(isPhase(lab, 'cats', 'Succeeded'));
  const { metadata, spec } = buildClusterReproduction(lab.api.find('cdspexperiments', 'cats'), 'lab/cats');
  assert.is(spec.image, lab.controllers.imageId);
  lab.api.put('cdspexperiments', { apiVersion: API_VERSION, kind: KIND, metadata, spec });
  await lab.until(() => ['Succeeded', 'Failed'].includes(lab.status('cats-repro')?.phase ?? ''));
  await operator.stop();
  assert.is(lab.status('cats-repro')?.conditions?.[0].message, 'every stage is complete');
});

for (const [why, error, reason] of [
  ['is throttled', new ApiError(429, 'TooManyRequests', 'slowly', 30), 'throttled'],
  ['conflicts', new ApiError(409, 'Conflict', 'it has been changed'), undefined],
  ['fails', new ApiError(500, 'InternalError', 'oops'), 'server'],
  ['finds the server away', new ApiError(503, 'ServiceUnavailable', 'soon'), 'server'],
  ['finds nobody', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'network'],
  ['is not answered', new Error('POST /apis/batch/v1/jobs: no answer within 30 s'), 'network'],
] as const) {
  test(`a request that ${why} three times is made again until it is answered`, async () => {
    const lab = new Lab();
    const times: number[] = [];
    lab.api.refuse = (verb, resource) => {
      if (verb !== 'create' || resource !== 'persistentvolumeclaims') return undefined;
      times.push(performance.now());
      return times.length <= 3 ? error : undefined;
    };
    lab.create('cats');
    const operator = await lab.startOperator();
    await lab.until(isPhase(lab, 'cats', 'Succeeded'));
    await operator.stop();
    assert.is(times.length, 4);
    const least = error instanceof ApiError && error.status === 429 ? [30, 30, 30] : [10, 20, 40];
    for (const [index, wait] of least.entries())
      assert.ok(times[index + 1] - times[index] >= wait - 1, `attempt ${index + 2} came too early`);
    assert.equal(lab.errors.map(errorReason), reason === undefined ? [] : [reason, reason, reason]);
  });
}

test('as long as Jobs wait for their pods new experiments begin no more', async () => {
  const lab = new Lab();
  const names = Array.from({ length: 12 }, (_, index) => `new-${index}`);
  for (const [seed, name] of names.entries()) lab.create(name, { seed });
  const operator = await lab.startOperator({ ...CONFIG, parallelism: 16 });
  await lab.rest();
  assert.is(lab.api.all('jobs').length, 4, 'as many as may begin at once');
  lab.controllers.work();
  await lab.rest();
  assert.is(lab.api.all('jobs').length, 8);
  await lab.until(() => names.every((name) => lab.status(name)?.phase === 'Succeeded'));
  await operator.stop();
});

/** An operator that has begun the first four of twelve experiments in a namespace whose quota lets no pod come; time passes when the test says so. */
async function withoutPods(act: (lab: Lab, jobsOf: (namespace: string) => readonly V1Job[]) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] });
  const lab = new Lab();
  lab.controllers.isKeptFromPods = ({ metadata }) => metadata?.namespace === 'lab';
  const jobsOf = (namespace: string) => lab.controllers.jobs().filter(({ metadata }) => metadata?.namespace === namespace);
  for (let seed = 0; seed < 12; seed++) lab.create(`many-${seed}`, { seed });
  const operator = await lab.startOperator({ ...CONFIG, namespaces: ['lab', 'office'], parallelism: 16 });
  try {
    await lab.rest();
    assert.is(jobsOf('lab').length, 4);
    await act(lab, jobsOf);
  } finally {
    await operator.stop();
    mock.timers.reset();
  }
}

test('an experiment that comes after a dozen of another namespace, where no pod comes, waits behind one of them', () =>
  withoutPods(async (lab, jobsOf) => {
    lab.create('first', {}, 'office');
    await lab.rest();
    assert.is(jobsOf('office').length, 0, 'the Job controller has not come to the first ones');
    lab.controllers.work();
    await lab.rest();
    const begun = lab.controllers.jobs().map(({ metadata }) => metadata?.namespace);
    assert.ok(begun.slice(4, 8).includes('office'), `begun in ${begun.join()}`);
  }));

test('Jobs that the Job controller has come to, and that a quota keeps from having pods, hold nobody back', () =>
  withoutPods(async (lab, jobsOf) => {
    for (let look = 1; look <= 3; look++) {
      lab.controllers.work();
      await lab.rest();
    }
    assert.is(jobsOf('lab').length, 12);
    lab.create('first', {}, 'office');
    await lab.rest();
    assert.equal([jobsOf('office').length, lab.status('first', 'office')?.phase], [1, 'Running']);
  }));

test('Jobs that the Job controller does not come to at all hold others back for a minute', () =>
  withoutPods(async (lab, jobsOf) => {
    mock.timers.tick(59_999);
    await lab.rest();
    assert.is(jobsOf('lab').length, 4);
    mock.timers.tick(1);
    await lab.rest();
    assert.is(jobsOf('lab').length, 8);
  }));

/** Strings that live in this process and may name something in the namespace. */
async function namesInMemory(): Promise<Set<string>> {
  const { strings } = (await json(getHeapSnapshot())) as { strings: string[] };
  return new Set(strings.filter((text) => text.length < 200 && /\blab\/|zebra|uid-\d|^cdsp-/.test(text)));
}

test('of experiments that came and went nothing stays in memory', async () => {
  const lab = new Lab();
  const { api } = lab;
  const before = await namesInMemory();
  const operator = await lab.startOperator();
  const names = Array.from({ length: 20 }, (_, index) => `zebra-${index}`);
  // Some run to their end, some are refused, some are deleted while they run; Jobs go before their pods.
  for (const [index, name] of names.entries()) lab.create(name, { seed: index, ttlSecondsAfterFinished: index % 2 === 0 ? 60 : undefined });
  await lab.until(
    () => names.every((name) => lab.status(name)?.stage === 'segment'),
    (pod) => pod.metadata?.labels?.[LABELS.stage] === 'segment',
  );
  const isRefused = (name: string) => /[05]$/.test(name);
  api.refuse = (verb, resource, object) =>
    verb === 'create' && resource === 'jobs' && isRefused(object.metadata?.annotations?.['cdsp.dev/claim'] ?? '')
      ? new ApiError(403, 'Forbidden', 'exceeded quota')
      : undefined;
  const isDone = (name: string) =>
    lab.status(name)?.phase === 'Succeeded' || lab.status(name)?.conditions?.some(({ type }) => type === 'Started');
  await lab.until(() => names.filter((name) => /[0-5]$/.test(name)).every((name) => isDone(name) === true));
  const running = names.map((name) => `${name}-runs`).slice(0, 6);
  for (const [index, name] of running.entries()) lab.create(name, { seed: 100 + index });
  await lab.until(
    () => lab.activePods().length >= running.length,
    () => true,
  );
  for (const pod of lab.activePods().slice(0, 3)) {
    api.remove('jobs', pod.metadata?.ownerReferences?.[0].name ?? '');
    lab.controllers.end(pod, 0);
  }
  names.push(...running);
  for (const name of names) {
    api.remove('cdspexperiments', name);
    api.remove('persistentvolumeclaims', `cdsp-${name}`);
  }
  await lab.until(() => api.all('jobs').length + api.all('pods').length === 0);
  for (const { metadata } of api.all('events')) api.remove('events', metadata?.name ?? '');
  await lab.rest();
  lab.skipped += 3_600_000;
  operator.resync();
  await lab.rest();
  names.length = 0;
  running.length = 0;
  for (const list of [api.changes, api.requests, lab.controllers.made, lab.errors] as unknown[][]) list.length = 0;
  const left = [...(await namesInMemory())].filter((text) => !before.has(text));
  await operator.stop();
  const experiments = new Set(left.flatMap((text) => /zebra-\d+/.exec(text)?.[0] ?? []));
  // The language itself remembers what was matched last, and the like.
  assert.ok(experiments.size <= 3, `left: ${left.join(', ')}`);
  assert.equal(
    left.filter((text) => text.startsWith('lab/cdsp-')),
    [],
  );
});

test.run();
