// The resource on a real API server: what can be changed, what the status subresource keeps apart, what kubectl shows.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, KIND, STAGES } from '../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { STORAGE_TRANSITIONS } from '../../operator/api/storage.ts';
import { experimentsPath } from '../../operator/controller/resource-paths.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { manifest } from '../operator/api/manifests.ts';
import { largestStatus } from './largest-status.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const EXPERIMENTS = experimentsPath('default');
const MERGE = 'application/merge-patch+json';
const APPLY = 'application/apply-patch+yaml';

interface Stored {
  readonly metadata: { readonly generation: number; readonly resourceVersion: string };
  readonly spec: { readonly seed: number; readonly storage: Record<string, unknown> };
  readonly status?: ExperimentStatus & Record<string, unknown>;
}

let plane: ControlPlane;
setUp(reason, async (stopLater) => {
  plane = stopLater(await startControlPlane({ say: console.log }));
  await applyCrds(plane);
});

const create = (name: string, spec: Record<string, unknown> = {}) =>
  plane.client.expect<Stored>('POST', EXPERIMENTS, { ...manifest(spec), metadata: { name } });
const read = (name: string) => plane.client.expect<Stored>('GET', `${EXPERIMENTS}/${name}`);
const merge = (path: string, patch: object) =>
  plane.client.request<Stored & { message?: string }>('PATCH', `${EXPERIMENTS}/${path}`, patch, MERGE);
const applyStatus = (name: string, status: object, manager = 'cdsp-operator') =>
  plane.client.request<Stored & { message?: string }>(
    'PATCH',
    `${EXPERIMENTS}/${name}/status?fieldManager=${manager}&force=true`,
    { apiVersion: API_VERSION, kind: KIND, metadata: { name }, status },
    APPLY,
  );

const CLASS = { storageClassName: 'fast' };
const changes: [why: string, before: object, after: object, refusedBy: string | undefined][] = [
  ['a claim is named that was not', {}, { claimName: 'a' }, 'claimName'],
  ['another claim', { claimName: 'a' }, { claimName: 'b' }, 'claimName'],
  ['the claim is left out', { claimName: 'a' }, { claimName: null }, 'claimName'],
  ['another storage class', CLASS, { storageClassName: 'slow' }, 'storageClassName'],
  ['the storage class is left out', CLASS, { storageClassName: null }, 'storageClassName'],
  ['a storage class is named that was not', {}, CLASS, 'storageClassName'],
  ['other access modes', {}, { accessModes: ['ReadWriteMany'] }, 'accessModes'],
  ['what is said of the access modes of an existing claim', { claimName: 'a' }, { accessModes: ['ReadWriteMany'] }, undefined],
  ['a smaller claim', { size: '20Gi' }, { size: '19.9Gi' }, 'size'],
  ['the same size in other words', { size: '1024Mi' }, { size: '1Gi' }, undefined],
  ['a larger claim', { size: '20Gi' }, { size: '1Ti' }, undefined],
  ['the size, which an existing claim has no use for', { claimName: 'a' }, { size: '1Gi' }, undefined],
  ['what becomes of the claim', {}, { retention: 'Delete' }, undefined],
];
changes.forEach(([why, before, after, refusedBy], index) => {
  clusterTest(`a change of the storage is ${refusedBy === undefined ? 'taken' : 'refused'}: ${why}`, async () => {
    const name = `change-${index}`;
    await create(name, { storage: before });
    const { status, body } = await merge(name, { spec: { storage: after } });
    if (refusedBy === undefined) {
      assert.is(status, 200, body.message);
      return;
    }
    const rule = STORAGE_TRANSITIONS.find(({ fieldPath }) => fieldPath === `.${refusedBy}`);
    assert.is(status, 422);
    assert.match(body.message ?? '', `spec.storage.${refusedBy}: Invalid value`);
    assert.match(body.message ?? '', rule?.message ?? '?');
  });
});

clusterTest('every rule about changes is broken by one of them', () => {
  const broken = new Set(changes.map(([, , , refusedBy]) => `.${refusedBy}`));
  assert.equal(
    STORAGE_TRANSITIONS.filter(({ fieldPath }) => !broken.has(fieldPath)),
    [],
  );
});

clusterTest('whoever writes the status cannot change the spec, and the other way round', async () => {
  await create('apart');
  const byStatus = await merge('apart/status', { spec: { seed: 7 }, status: { phase: 'Running' } });
  assert.is(byStatus.status, 200);
  assert.equal([byStatus.body.spec.seed, byStatus.body.status?.phase], [0, 'Running']);
  const bySpec = await merge('apart', { spec: { seed: 8 }, status: { phase: 'Failed' } });
  assert.equal([bySpec.body.spec.seed, bySpec.body.status?.phase], [8, 'Running']);
});

/** The definition's default: nobody has looked at the experiment yet. */
const UNSEEN = { observedGeneration: -1 };

clusterTest('a status that comes with a new experiment is dropped', async () => {
  const value = { ...manifest({}), metadata: { name: 'with-status' }, status: { phase: 'Succeeded' } };
  assert.equal((await plane.client.expect<Stored>('POST', EXPERIMENTS, value)).status, UNSEEN);
});

clusterTest('the generation grows with changes of the spec only', async () => {
  assert.is((await create('generation')).metadata.generation, 1);
  await merge('generation/status', { status: { phase: 'Running' } });
  await merge('generation', { metadata: { labels: { team: 'a' } } });
  await merge('generation', { spec: { seed: 0 } });
  assert.is((await read('generation')).metadata.generation, 1);
  await merge('generation', { spec: { seed: 1 } });
  assert.is((await read('generation')).metadata.generation, 2);
});

clusterTest(
  'a status with a field that the definition does not know is refused by name when it is applied; merged, the field is dropped',
  async () => {
    await create('newer');
    const applied = await applyStatus('newer', { phase: 'Running', sharpness: 3 });
    assert.is(applied.status, 500);
    assert.match(applied.body.message ?? '', '.status.sharpness: field not declared in schema');
    const merged = await merge('newer/status', { status: { phase: 'Running', sharpness: 3 } });
    assert.is(merged.status, 200);
    assert.equal(merged.body.status, { ...UNSEEN, phase: 'Running' });
  },
);

clusterTest('an applied status loses what its owner no longer says, and keeps the entries of other owners', async () => {
  await create('owned');
  const condition = { status: 'True', reason: 'A', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };
  await applyStatus('owned', { phase: 'Running', loss: 1, conditions: [{ type: 'Succeeded', ...condition }] });
  await applyStatus('owned', { conditions: [{ type: 'Quota', ...condition }] }, 'somebody');
  const { body } = await applyStatus('owned', { phase: 'Running', conditions: [{ type: 'Succeeded', ...condition }] });
  assert.is(body.status?.loss, undefined);
  assert.equal(body.status?.conditions?.map(({ type }) => type).sort(), ['Quota', 'Succeeded']);
});

clusterTest('the same status applied again writes nothing', async () => {
  await create('same');
  const first = await applyStatus('same', { phase: 'Running', progress: 3 });
  const second = await applyStatus('same', { phase: 'Running', progress: 3 });
  assert.is(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
});

clusterTest('the largest status that the schema allows is stored and read back', async () => {
  await create('largest');
  const status = largestStatus();
  assert.is(status.results?.classes?.length, 255);
  assert.equal(
    status.stages?.map(({ name }) => name),
    [...STAGES],
  );
  const answer = await applyStatus('largest', status);
  assert.is(answer.status, 200, answer.body.message);
  assert.equal((await read('largest')).status, status);
});

const wrongStatuses: [why: string, status: object, message: string][] = [
  ['an unknown phase', { phase: 'Sleeping' }, 'status.phase: Unsupported value'],
  ['more than 100 per cent', { progress: 101 }, 'status.progress'],
  ['an mIoU above 1', { meanIou: 1.5 }, 'status.meanIou'],
  ['a stage without a state', { stages: [{ name: 'classify' }] }, 'status.stages[0].state: Required value'],
  [
    '256 classes',
    { results: { classes: Array.from({ length: 256 }, (_, index) => ({ name: `c${index}` })) } },
    'status.results.classes: Too many',
  ],
];
for (const [why, status, message] of wrongStatuses) {
  clusterTest(`a status that makes no sense is refused: ${why}`, async () => {
    await create('wrong-status').catch(() => undefined);
    const answer = await applyStatus('wrong-status', status);
    assert.is(answer.status, 422);
    assert.match(answer.body.message ?? '', message);
  });
}

/** Rows of kubectl's table, each a list of cells. */
const cells = (table: string) =>
  table
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s{2,}/));

clusterTest('kubectl get shows phase, stage, progress, loss, mIoU and reason', async () => {
  await plane.kubectl('create', 'namespace', 'shown');
  const path = `${experimentsPath('shown')}`;
  await plane.client.expect('POST', path, { ...manifest({}), metadata: { name: 'cats' } });
  const condition = { type: 'Succeeded', status: 'Unknown', reason: 'Running', message: 'x', lastTransitionTime: '2026-01-01T00:00:00Z' };
  const status = { phase: 'Running', stage: 'segment', progress: 42, loss: 0.37, meanIou: 0.61, conditions: [condition] };
  await plane.client.expect('PATCH', `${path}/cats/status`, { status }, MERGE);
  const [head, row] = cells(await plane.kubectl('get', 'cdsp', '-n', 'shown'));
  assert.equal(head.join(' '), 'NAME PHASE STAGE PROGRESS LOSS MIOU REASON AGE');
  assert.equal(row.slice(0, 7), ['cats', 'Running', 'segment', '42', '0.37', '0.61', 'Running']);
});

clusterTest('kubectl delete all --all, which keeps volumes, keeps experiments as well', async () => {
  await plane.kubectl('create', 'namespace', 'tidied');
  await plane.client.expect('POST', experimentsPath('tidied'), { ...manifest({}), metadata: { name: 'cats' } });
  await plane.kubectl('delete', 'all', '--all', '-n', 'tidied');
  assert.match(await plane.kubectl('get', 'cdsp', '-n', 'tidied'), /^cats\s/m);
});

clusterTest('kubectl explain tells what a field means', async () => {
  assert.match(await plane.kubectl('explain', 'cdsp.spec.segment.epochs'), 'Passes over the training split.');
  assert.match(await plane.kubectl('explain', 'cdsp.status.results.meanIou'), 'mIoU on the validation split');
  const choices = await plane.kubectl('explain', 'cdspexperiments.spec.model.backbone');
  assert.match(choices, 'efficientnet-lite0');
});

clusterTest('the resource goes by its plural, singular and short name', async () => {
  const table = await plane.kubectl('api-resources', '--api-group=cdsp.dev', '--no-headers', '-o', 'wide');
  assert.match(table, /^cdspexperiments\s+cdsp\s+cdsp\.dev\/v1alpha1\s+true\s+CDSPExperiment\s/);
  for (const name of ['cdspexperiments', 'cdspexperiment', 'cdsp']) await plane.kubectl('get', name);
});

test.run();
