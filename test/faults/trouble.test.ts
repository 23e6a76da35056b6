// What stands in an experiment's way and is not of its making: quotas, policies, queues, claims that are not there, names that are taken,
// statuses and definitions that somebody else has written. In each stage, where it can come in each.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { KubernetesObject, V1Job, V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { STAGES } from '../../operator/api/experiment.ts';
import type { StageName } from '../../operator/api/experiment.ts';
import { EXIT } from '../../operator/api/stage-contract.ts';
import type { SchemaNode } from '../../operator/api/schema-tree.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { claimName, jobName, LABELS } from '../../operator/controller/names.ts';
import { claimsPath, experimentsPath, jobsPath } from '../../operator/controller/resource-paths.ts';
import { define, fieldsOf } from '../cluster/definition.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { before, checkLeavesNothing, checkStages, hold, testsInEveryStage, upTo, withTwice } from './every-stage.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';
import type { SpecInput } from './fault-cluster.ts';
import { holdFirst, SUCCEEDS } from './pod-player.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  await cluster.startProcess('operator');
});

const inEveryStage = testsInEveryStage(clusterTest, 'trouble', () => cluster);

const MERGE = 'application/merge-patch+json';
const patch = <T extends KubernetesObject>(path: string, change: object) => cluster.plane.client.expect<T>('PATCH', path, change, MERGE);
const namespacePath = (namespace: string) => `/api/v1/namespaces/${namespace}`;
const experimentPath = (namespace: string) => `${experimentsPath(namespace)}/cats`;
const claimPath = (namespace: string) => `${claimsPath(namespace)}/${CLAIM}`;
/** The operator's own claim of the experiment. */
const CLAIM = claimName({ name: 'cats' });

/** Where the settings of one stage's pods are. */
const PLACEMENT = { classify: 'classify', 'pseudo-label': 'pseudoLabel', segment: 'segment', evaluate: 'evaluate' } as const;
const conditionOf = ({ conditions = [] }: ExperimentStatus, type: string) => conditions.find((condition) => condition.type === type);
const stageOf = ({ stages = [] }: ExperimentStatus, stage: StageName) => stages.find(({ name }) => name === stage);
const succeeded = (namespace: string) => cluster.untilPhase(namespace, 'cats', 'Succeeded');

/** Waits until a condition tells of a trouble in these words, with the stage that it keeps from running. */
async function untilTold(namespace: string, type: 'Started' | 'Scheduled', stage: StageName, words: RegExp): Promise<ExperimentStatus> {
  const status = await cluster.until(namespace, 'cats', `told ${type} of ${stage}: ${String(words)}`, (seen) => {
    const { status: value, message = '' } = conditionOf(seen, type) ?? {};
    return seen.stage === stage && value === 'False' && words.test(message);
  });
  assert.match(conditionOf(status, 'Succeeded')?.message ?? '', new RegExp(`^${stage} does not run: `));
  assert.is(conditionOf(status, 'Stalled')?.status, 'False', 'it goes on by itself when the trouble is gone');
  return status;
}

/** The experiment runs to its end with each stage once, and its end tells of no trouble any more. */
async function checkHeals(namespace: string): Promise<void> {
  const status = await succeeded(namespace);
  assert.equal([conditionOf(status, 'Started'), conditionOf(status, 'Scheduled')], [undefined, undefined]);
  await cluster.checkRanOnce(namespace);
  await checkLeavesNothing(cluster, namespace);
}

// What may not be made.

const QUOTAS = '/resourcequotas';

/** A quota that the API server goes by from now on. */
async function setQuota(namespace: string, hard: Readonly<Record<string, string>>): Promise<void> {
  const path = `${namespacePath(namespace)}${QUOTAS}`;
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'quota' }, spec: { hard } };
  await cluster.plane.client.expect('POST', path, quota);
  await cluster.plane.waitUntil(`the quota of ${namespace}`, async () => {
    const { status } = await cluster.plane.client.expect<{ status?: { hard?: object } }>('GET', `${path}/quota`);
    return status?.hard !== undefined;
  });
}
const liftQuota = (namespace: string) => cluster.delete(`${namespacePath(namespace)}${QUOTAS}/quota`);

for (const [what, resource] of [
  ['its Job', 'count/jobs.batch'],
  ['its Job’s pod', 'count/pods'],
] as const) {
  inEveryStage(`a quota that forbids ${what} is told in its own words, and lifting it heals`, async (namespace, stage) => {
    await setQuota(namespace, { [resource]: String(STAGES.indexOf(stage)) });
    await cluster.create(namespace, 'cats', { retries: 0 });
    await untilTold(namespace, 'Started', stage, /exceeded quota: quota/);
    assert.equal(cluster.player.stages(namespace), before(stage));
    await liftQuota(namespace);
    await checkHeals(namespace);
  });
}

clusterTest('a quota that forbids the claim is told in its own words, and lifting it heals', async () => {
  const namespace = await cluster.makeNamespace('claim-quota');
  await setQuota(namespace, { persistentvolumeclaims: '0' });
  await cluster.create(namespace, 'cats', { retries: 0 });
  await untilTold(namespace, 'Started', 'classify', /exceeded quota: quota/);
  assert.equal(await cluster.jobs(namespace), [], 'no Job waits for a claim that nobody may make');
  await liftQuota(namespace);
  await checkHeals(namespace);
});

clusterTest('a claim that is larger than a quota allows is told with the way to ask for less, which an edit is not', async () => {
  const namespace = await cluster.makeNamespace('claim-size');
  await setQuota(namespace, { 'requests.storage': '10Gi' });
  await cluster.create(namespace, 'cats', { retries: 0 });
  await untilTold(namespace, 'Started', 'classify', /exceeded quota: quota.*; to ask for less, delete the experiment and apply it with/);
  const answer: unknown = await cluster.edit(namespace, 'cats', { storage: { size: '5Gi' } }).catch((error: unknown) => error);
  assert.match(String(answer), /cannot shrink, also where no claim is there yet/);
  await cluster.deleteExperiment(namespace, 'cats');
  await cluster.create(namespace, 'cats', { retries: 0, storage: { size: '5Gi' } });
  await succeeded(namespace);
  await cluster.checkRanOnce(namespace);
});

inEveryStage('a limit range that forbids the pod is told in its own words, and an edit heals', async (namespace, stage) => {
  const limits = [{ type: 'Container', max: { cpu: '1' } }];
  const range = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'small' }, spec: { limits } };
  await cluster.plane.client.expect('POST', `${namespacePath(namespace)}/limitranges`, range);
  await cluster.create(namespace, 'cats', { retries: 0, placement: { default: { cpu: '1' }, [PLACEMENT[stage]]: { cpu: '2' } } });
  await untilTold(namespace, 'Started', stage, /cpu/);
  assert.equal(cluster.player.stages(namespace), before(stage));
  await cluster.edit(namespace, 'cats', { placement: { [PLACEMENT[stage]]: { cpu: '1' } } });
  await checkHeals(namespace);
});

/** Label of a namespace: Jobs of this stage are refused in it. */
const FORBIDS = 'cdsp.test/forbids';

async function forbidStages(): Promise<void> {
  const group = '/apis/admissionregistration.k8s.io/v1';
  const common = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name: 'forbidden-stages' } };
  const rule = { apiGroups: ['batch'], apiVersions: ['v1'], resources: ['jobs'], operations: ['CREATE'] };
  const expression = `object.metadata.?labels[?'${LABELS.stage}'].orValue('') != namespaceObject.metadata.labels['${FORBIDS}']`;
  await cluster.plane.client.expect('POST', `${group}/validatingadmissionpolicies`, {
    ...common,
    kind: 'ValidatingAdmissionPolicy',
    spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression, message: 'ask Ada first' }] },
  });
  await cluster.plane.client.expect('POST', `${group}/validatingadmissionpolicybindings`, {
    ...common,
    kind: 'ValidatingAdmissionPolicyBinding',
    spec: {
      policyName: common.metadata.name,
      validationActions: ['Deny'],
      matchResources: { namespaceSelector: { matchExpressions: [{ key: FORBIDS, operator: 'Exists' }] } },
    },
  });
}

const forbid = (namespace: string, stage: StageName | null) =>
  patch(namespacePath(namespace), { metadata: { labels: { [FORBIDS]: stage } } });

/** Waits until a Job of the stage would be refused: policies take a moment to be gone by. */
async function untilForbidden(namespace: string, stage: StageName): Promise<void> {
  const containers = [{ name: 'any', image: 'any' }];
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'any', labels: { [LABELS.stage]: stage } },
    spec: { template: { spec: { containers, restartPolicy: 'Never' } } },
  };
  await cluster.plane.waitUntil(`${stage} to be forbidden`, async () => {
    const { status } = await cluster.plane.client.request('POST', `${jobsPath(namespace)}?dryRun=All`, job);
    return status === 422;
  });
}

clusterTest('an admission policy that refuses the Job is told in its own words, and lifting it heals: in every stage', async () => {
  await forbidStages();
  await Promise.all(
    STAGES.map(async (stage) => {
      const namespace = await cluster.makeNamespace(`policy-${stage}`);
      await forbid(namespace, stage);
      await untilForbidden(namespace, stage);
      await cluster.create(namespace, 'cats', { retries: 0 });
      await untilTold(namespace, 'Started', stage, /ask Ada first/);
      assert.equal(cluster.player.stages(namespace), before(stage));
      await forbid(namespace, null);
      await checkHeals(namespace);
    }),
  );
});

// Who waits, and who gives up.

inEveryStage(
  'a Job with a queue’s name waits until Kueue lets it, and what Kueue takes back counts as no failure',
  async (namespace, stage) => {
    /** What Kueue does to a Job. */
    const suspend = async (name: StageName, value: boolean) => {
      const job = (await cluster.jobs(namespace)).find(({ metadata }) => metadata?.labels?.[LABELS.stage] === name);
      assert.equal([job?.metadata?.labels?.[LABELS.queue], job?.spec?.suspend], ['research', !value]);
      await patch(`${jobsPath(namespace)}/${job?.metadata?.name}`, { spec: { suspend: value } });
    };
    cluster.player.play(namespace, holdFirst(stage));
    await cluster.create(namespace, 'cats', { retries: 0, queueName: 'research' });
    const ran: StageName[] = [];
    for (const name of withTwice(stage)) {
      await untilTold(namespace, 'Scheduled', name, /waits until Kueue admits it to the queue research/);
      await cluster.plane.waitUntil('what was taken back to end', () => cluster.player.active(namespace).length === 0);
      assert.equal(cluster.player.stages(namespace), ran, 'nothing runs that waits');
      await suspend(name, false);
      if (name === stage && !ran.includes(stage)) {
        await cluster.untilRuns(namespace, stage);
        await suspend(name, true);
      }
      ran.push(name);
    }
    await succeeded(namespace);
    await checkStages(cluster, namespace, withTwice(stage));
    await checkLeavesNothing(cluster, namespace);
  },
);

/** The experiment ends in failure at the stage; an edit gives it another try, which succeeds. */
async function checkFails(namespace: string, stage: StageName, word: string, words: RegExp, runs: number, edit: SpecInput): Promise<void> {
  const status = await cluster.untilPhase(namespace, 'cats', 'Failed');
  const { status: value, reason: why, message = '' } = conditionOf(status, 'Succeeded') ?? {};
  assert.equal([value, why, conditionOf(status, 'Stalled')?.status], ['False', word, 'True']);
  assert.match(message, words);
  const tries = (count: number) => Array.from({ length: count }, () => stage);
  await checkStages(cluster, namespace, [...before(stage), ...tries(runs)]);
  await cluster.edit(namespace, 'cats', edit);
  await succeeded(namespace);
  await checkStages(cluster, namespace, [...before(stage), ...tries(runs), ...STAGES.slice(STAGES.indexOf(stage))]);
  await checkLeavesNothing(cluster, namespace);
}

inEveryStage('a deadline that is exceeded ends the stage; a longer one gives it another try', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  const field = PLACEMENT[stage];
  await cluster.create(namespace, 'cats', { retries: 3, placement: { [field]: { deadlineSeconds: 2 } } });
  const edit = { placement: { [field]: { deadlineSeconds: 600 } } };
  await checkFails(namespace, stage, 'DeadlineExceeded', /took longer than deadlineSeconds \(2 s\)/, 1, edit);
});

for (const [what, exitCode, retries, runs, word, words] of [
  ['attempts that are used up end', EXIT.failure, 1, 2, 'RetriesExhausted', /failed 2 times: ended with 1 as the test wants it/],
  ['bad input, which is not tried again, ends', EXIT.badInput, 3, 1, 'BadInput', /ended with 65 as the test wants it/],
] as const) {
  inEveryStage(`${what} the stage; an edit gives it another try`, async (namespace, stage) => {
    cluster.player.play(namespace, (name, attempt, isStopping) =>
      name === stage && attempt <= runs ? exitCode : SUCCEEDS(name, attempt, isStopping),
    );
    await cluster.create(namespace, 'cats', { retries });
    await checkFails(namespace, stage, word, words, runs, { retries: retries + 1 });
  });
}

// Claims.

clusterTest('a claim that is not there is told in the scheduler’s words; when it comes, the stage runs', async () => {
  const namespace = await cluster.makeNamespace('late-claim');
  await cluster.create(namespace, 'cats', { retries: 0, storage: { claimName: 'shared' } });
  await untilTold(namespace, 'Scheduled', 'classify', /persistentvolumeclaim "shared" not found/);
  await cluster.makeClaim(namespace, 'shared');
  await succeeded(namespace);
  await cluster.checkRanOnce(namespace);
  await checkLeavesNothing(cluster, namespace, ['shared']);
});

inEveryStage('a claim that somebody deletes is made again when it is gone, and so are its artifacts', async (namespace, stage) => {
  const next = STAGES.at(STAGES.indexOf(stage) + 1);
  cluster.player.play(namespace, holdFirst(stage));
  await hold(cluster, namespace, stage);
  const { metadata } = await cluster.plane.client.expect<V1PersistentVolumeClaim>('GET', claimPath(namespace));
  // It stays for as long as there are pods that have used it.
  await cluster.delete(claimPath(namespace));
  // The stage after it finds a volume without artifacts.
  cluster.player.play(namespace, (name, attempt, isStopping) =>
    name === next && attempt === 1 && !isStopping ? EXIT.upstreamMissing : SUCCEEDS(name, attempt, isStopping),
  );
  if (next !== undefined) {
    await untilTold(namespace, 'Scheduled', next, /persistentvolumeclaim "cdsp-cats" is being deleted/);
    const ended = (await cluster.jobs(namespace)).filter((job) => job.metadata?.labels?.[LABELS.stage] !== next);
    for (const job of ended) await cluster.delete(`${jobsPath(namespace)}/${job.metadata?.name}`);
  }
  await succeeded(namespace);
  await checkStages(cluster, namespace, next === undefined ? STAGES : [...upTo(next), ...STAGES]);
  await cluster.deleteExperiment(namespace, 'cats');
  await cluster.plane.waitUntil(`the claim in ${namespace} to go`, async () => {
    const claims = await cluster.list(claimsPath(namespace));
    return claims.every((claim) => claim.metadata?.uid !== metadata?.uid);
  });
  await cluster.checkEmpty(namespace, next === undefined ? [] : [CLAIM]);
});

clusterTest('why a claim has no volume is told; kept, it is not taken for one of another kind, which is made when it is gone', async () => {
  const namespace = await cluster.makeNamespace('no-class');
  await cluster.create(namespace, 'cats', { retries: 0, storage: { storageClassName: 'fast' } });
  await untilTold(namespace, 'Scheduled', 'classify', /; claim cdsp-cats is not bound: storageclass\.storage\.k8s\.io "fast" not found/);
  await cluster.deleteExperiment(namespace, 'cats');
  await cluster.checkEmpty(namespace, [CLAIM]);
  await cluster.create(namespace, 'cats', { retries: 0, storage: { storageClassName: 'standard', accessModes: ['ReadWriteMany'] } });
  await untilTold(
    namespace,
    'Started',
    'classify',
    /cdsp-cats is there already, with storage class "fast" and with access modes ReadWriteOnce,/,
  );
  assert.equal(await cluster.jobs(namespace), []);
  await cluster.delete(claimPath(namespace));
  const { spec } = (await succeeded(namespace), await cluster.plane.client.expect<V1PersistentVolumeClaim>('GET', claimPath(namespace)));
  assert.equal([spec?.storageClassName, spec?.accessModes], ['standard', ['ReadWriteMany']]);
});

clusterTest(
  'a claim of somebody else that has the name of the operator’s is left alone; when it is gone the experiment goes on',
  async () => {
    const namespace = await cluster.makeNamespace('claim-taken');
    await cluster.makeClaim(namespace, CLAIM);
    await cluster.create(namespace, 'cats', { retries: 0 });
    await untilTold(namespace, 'Started', 'classify', /the claim cdsp-cats is there and not the operator's/);
    assert.equal(await cluster.jobs(namespace), []);
    const claim = await cluster.plane.client.expect<V1PersistentVolumeClaim>('GET', claimPath(namespace));
    assert.equal([claim.metadata?.ownerReferences, claim.metadata?.labels], [undefined, undefined]);
    await cluster.delete(claimPath(namespace));
    await checkHeals(namespace);
  },
);

// Names that are taken.

inEveryStage(
  'a Job of somebody else that has the name of the stage’s is left alone; when it is gone the stage runs',
  async (namespace, stage) => {
    await cluster.create(namespace, 'cats', { retries: 0, suspend: true });
    const status = await cluster.untilPhase(namespace, 'cats', 'Suspended');
    const name = jobName(stage, stageOf(status, stage)?.key ?? '', CLAIM);
    const containers = [{ name: 'any', image: 'any' }];
    const spec = { suspend: true, template: { spec: { containers, restartPolicy: 'Never' } } };
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, labels: { app: 'other' } }, spec };
    const { metadata } = await cluster.plane.client.expect<V1Job>('POST', jobsPath(namespace), job);
    await cluster.edit(namespace, 'cats', { suspend: false });
    await untilTold(namespace, 'Started', stage, new RegExp(`the Job ${name} is there and not the operator's`));
    const left = await cluster.plane.client.expect<V1Job>('GET', `${jobsPath(namespace)}/${name}`);
    assert.equal([left.metadata?.uid, left.metadata?.ownerReferences, left.spec?.suspend], [metadata?.uid, undefined, true]);
    await cluster.delete(`${jobsPath(namespace)}/${name}`);
    await checkHeals(namespace);
  },
);

// Ways to delete.

inEveryStage('a namespace that is deleted takes all with it', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  await hold(cluster, namespace, stage);
  await cluster.delete(namespacePath(namespace));
  await cluster.plane.waitUntil(`${namespace} to go`, async () => {
    const { status } = await cluster.plane.client.request('GET', namespacePath(namespace));
    return status === 404;
  });
  await checkStages(cluster, namespace, upTo(stage));
});

inEveryStage('an experiment that is deleted in the foreground goes after all that it has made', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  await hold(cluster, namespace, stage, { storage: { retention: 'Delete' } });
  await cluster.delete(experimentPath(namespace), 'Foreground');
  await cluster.plane.waitUntil(`the experiment in ${namespace} to go`, async () => {
    const { status } = await cluster.plane.client.request('GET', experimentPath(namespace));
    return status === 404;
  });
  await cluster.plane.waitUntil(`the claim in ${namespace} to go`, async () => (await cluster.list(claimsPath(namespace))).length === 0);
  await cluster.checkEmpty(namespace, []);
  await checkStages(cluster, namespace, upTo(stage));
});

inEveryStage('an experiment that is deleted alone leaves its Jobs to the next one of its name', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  await hold(cluster, namespace, stage, { storage: { retention: 'Retain' } });
  await cluster.delete(experimentPath(namespace), 'Orphan');
  await cluster.plane.waitUntil(`the experiment in ${namespace} to go`, async () => {
    const { status } = await cluster.plane.client.request('GET', experimentPath(namespace));
    return status === 404;
  });
  await cluster.create(namespace, 'cats', { retries: 0, storage: { retention: 'Retain' } });
  await cluster.until(namespace, 'cats', `at ${stage} again`, (status) => stageOf(status, stage)?.state === 'Running');
  cluster.player.play(namespace, SUCCEEDS);
  await succeeded(namespace);
  await cluster.checkRanOnce(namespace);
});

inEveryStage(
  'an experiment that somebody’s finalizer keeps starts nothing more, and goes with all when it is let go',
  async (namespace, stage) => {
    cluster.player.play(namespace, holdFirst(stage));
    await hold(cluster, namespace, stage);
    await patch(experimentPath(namespace), { metadata: { finalizers: ['cdsp.test/kept'] } });
    await cluster.deleteExperiment(namespace, 'cats');
    await cluster.untilSeen(namespace);
    cluster.player.play(namespace, SUCCEEDS);
    await cluster.checkEnd(namespace);
    await patch(experimentPath(namespace), { metadata: { finalizers: [] } });
    await cluster.checkEmpty(namespace, [CLAIM]);
    await checkStages(cluster, namespace, upTo(stage));
  },
);

inEveryStage('a Job that is deleted and that somebody’s finalizer keeps runs to its end, which counts', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  const { job } = await hold(cluster, namespace, stage);
  const path = `${jobsPath(namespace)}/${job}`;
  await patch(path, { metadata: { finalizers: ['cdsp.test/kept'] } });
  await cluster.delete(path);
  cluster.player.play(namespace, SUCCEEDS);
  await succeeded(namespace);
  await patch(path, { metadata: { finalizers: [] } });
  await cluster.checkRanOnce(namespace);
  await checkLeavesNothing(cluster, namespace);
});

inEveryStage('a Job that is deleted in the foreground, after its pod, is made again', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  const { job } = await hold(cluster, namespace, stage);
  await cluster.delete(`${jobsPath(namespace)}/${job}`, 'Foreground');
  await succeeded(namespace);
  await checkStages(cluster, namespace, withTwice(stage));
  await checkLeavesNothing(cluster, namespace);
});

// Statuses and definitions that others have written.

inEveryStage('a status that somebody wipes is written again, while the stage runs and at the end', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  await hold(cluster, namespace, stage);
  const wipe = () => patch(`${experimentPath(namespace)}/status`, { status: null });
  await wipe();
  await cluster.until(namespace, 'cats', `at ${stage} again`, (status) => stageOf(status, stage)?.state === 'Running');
  cluster.player.play(namespace, SUCCEEDS);
  const { results, provenance } = await succeeded(namespace);
  await wipe();
  const again = await succeeded(namespace);
  assert.equal([again.results, again.provenance], [results, provenance]);
  await cluster.checkRanOnce(namespace);
  await checkLeavesNothing(cluster, namespace);
});

const withValue = ({ enum: values = [], ...node }: SchemaNode, value: string): SchemaNode => ({ ...node, enum: [...values, value] });

// With settings, stages, states and words that this operator does not know; the tests that follow rest on it.
clusterTest('the definition of tomorrow is taken', async () => {
  await define(cluster.plane, (crd) => {
    const spec = fieldsOf(crd, 'spec');
    spec.mixup = { type: 'number' };
    const model = spec.model.properties ?? {};
    model.backbone = withValue(model.backbone, 'tomorrow');
    const status = fieldsOf(crd, 'status');
    status.sharpness = { type: 'integer' };
    status.phase = withValue(status.phase, 'Paused');
    const stage = status.stages.items?.properties ?? {};
    stage.name = withValue(stage.name, 'distill');
    stage.state = withValue(stage.state, 'Preempted');
    stage.watts = { type: 'integer' };
  });
});

inEveryStage('a status that a newer operator has written does not disturb this one', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  await hold(cluster, namespace, stage);
  const status = await cluster.until(namespace, 'cats', `at ${stage}`, (seen) => stageOf(seen, stage)?.state === 'Running');
  const newer = (status.stages ?? []).map((entry) => ({ ...entry, watts: 300, ...(entry.name === stage ? { state: 'Preempted' } : {}) }));
  const change = { phase: 'Paused', sharpness: 3, stages: [...newer, { name: 'distill', state: 'Pending' }] };
  await patch(`${experimentPath(namespace)}/status`, { status: change });
  await cluster.until(namespace, 'cats', `at ${stage} again`, (seen) => stageOf(seen, stage)?.state === 'Running');
  cluster.player.play(namespace, SUCCEEDS);
  const end = await succeeded(namespace);
  assert.is((end as { sharpness?: number }).sharpness, 3, 'what is not its own it leaves alone');
  await cluster.checkRanOnce(namespace);
  await checkLeavesNothing(cluster, namespace);
});

for (const [what, newer, mended, words] of [
  ['a field', { mixup: 0.5 }, { mixup: null }, /spec\.mixup: unknown key/],
  ['a value', { model: { backbone: 'tomorrow' } }, { model: { backbone: 'resnet50' } }, /spec\.model\.backbone/],
] as const) {
  clusterTest(`an experiment with ${what} of a newer version is stalled and says so; without it runs`, async () => {
    const namespace = await cluster.makeNamespace(`tomorrow-${what.slice(2)}`);
    // What is known only tomorrow has no type today.
    await cluster.create(namespace, 'cats', newer as unknown as SpecInput);
    const status = await cluster.untilPhase(namespace, 'cats', 'Failed');
    assert.equal([conditionOf(status, 'Succeeded')?.reason, conditionOf(status, 'Stalled')?.status], ['InvalidSpec', 'True']);
    assert.match(conditionOf(status, 'Stalled')?.message ?? '', words);
    await cluster.checkEmpty(namespace, []);
    await cluster.edit(namespace, 'cats', mended);
    await succeeded(namespace);
    await cluster.checkRanOnce(namespace);
    await checkLeavesNothing(cluster, namespace);
  });
}

inEveryStage(
  'edited to what only a newer version knows, it keeps what it has and goes on from there when that is taken back',
  async (namespace, stage) => {
    cluster.player.play(namespace, holdFirst(stage));
    await hold(cluster, namespace, stage);
    await cluster.edit(namespace, 'cats', { mixup: 0.5 });
    const status = await cluster.untilPhase(namespace, 'cats', 'Failed');
    assert.match(conditionOf(status, 'Stalled')?.message ?? '', /spec\.mixup: unknown key/);
    await checkStages(cluster, namespace, upTo(stage));
    assert.is((await cluster.list(claimsPath(namespace))).length, 1);
    await cluster.edit(namespace, 'cats', { mixup: null });
    await succeeded(namespace);
    await checkStages(cluster, namespace, withTwice(stage));
    await checkLeavesNothing(cluster, namespace);
  },
);

test.run();
