// What a real API server refuses and a real scheduler does not look at is told in its words, and goes on when the cause is gone; and what
// that scheduler gives out, devices of dynamic resource allocation, is asked for as it wants it.
import type { ResourceV1ResourceClaim, V1Pod } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';
import type { SpecInput } from './fault-cluster.ts';
import { holdFirst, SUCCEEDS } from './pod-player.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  await cluster.startLocal();
});

const conditionOf = ({ conditions }: ExperimentStatus, type: string) => conditions?.find((condition) => condition.type === type);
const isTold = (type: string) => (status: ExperimentStatus) => conditionOf(status, type)?.status === 'False';
const standing = (status: ExperimentStatus) => ['Reconciling', 'Stalled', 'Succeeded'].map((type) => conditionOf(status, type)?.status);

clusterTest('a Job that is not valid stalls its experiment until that is edited', async () => {
  const namespace = await cluster.makeNamespace('invalid-job');
  // As long as the schema takes, and too long for the name under which quotas count it: of those the schema knows nothing.
  const gpuResource = `${'a'.repeat(245)}/gpu`;
  await cluster.create(namespace, 'cats', { placement: { default: { gpus: 1, gpuResource } } });
  const status = await cluster.until(namespace, 'cats', 'told that its Job is refused', isTold('Started'));
  assert.is(conditionOf(status, 'Started')?.reason, 'Invalid');
  assert.match(
    conditionOf(status, 'Succeeded')?.message ?? '',
    /classify does not run: the API server refuses it: .*doesn't follow extended resource name standard/,
  );
  assert.equal(standing(status), ['False', 'True', 'Unknown']);
  await cluster.edit(namespace, 'cats', { placement: { default: { gpus: null, gpuResource: null } } });
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await cluster.checkRanOnce(namespace);
});

clusterTest('a Job that a quota forbids is made when the quota is gone', async () => {
  const namespace = await cluster.makeNamespace('no-jobs');
  const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard: { 'count/jobs.batch': '0' } } };
  await cluster.plane.client.expect('POST', quotas, quota);
  await cluster.create(namespace, 'cats');
  const status = await cluster.until(namespace, 'cats', 'told that its Job is refused', isTold('Started'));
  assert.is(conditionOf(status, 'Started')?.reason, 'Forbidden');
  assert.match(conditionOf(status, 'Started')?.message ?? '', 'exceeded quota: none');
  assert.equal(standing(status), ['True', 'False', 'Unknown']);
  await cluster.delete(`${quotas}/none`);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await cluster.checkRanOnce(namespace);
});

type Placement = NonNullable<NonNullable<SpecInput['placement']>['default']>;
const placeless: [name: string, why: string, placement: Placement, words: RegExp][] = [
  [
    'no-scheduler',
    'that no scheduler looks at',
    { schedulerName: 'nobody' },
    /no scheduler has said where pod .* may run; its schedulerName is nobody/,
  ],
  ['no-claim', 'whose resource claim is not there', { resourceClaims: [{ name: 'gpu', resourceClaimName: 'nowhere' }] }, /nowhere/],
];
for (const [name, why, placement, words] of placeless) {
  clusterTest(`a pod ${why} is told`, async () => {
    const namespace = await cluster.makeNamespace(name);
    await cluster.create(namespace, 'cats', { placement: { default: placement } });
    const status = await cluster.until(namespace, 'cats', 'told that its pod has no place', isTold('Scheduled'));
    assert.match(conditionOf(status, 'Scheduled')?.message ?? '', words);
    assert.match(conditionOf(status, 'Succeeded')?.message ?? '', /^classify does not run: /);
    await cluster.edit(namespace, 'cats', {
      placement: { default: Object.fromEntries(Object.keys(placement).map((field) => [field, null])) },
    });
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
    await cluster.checkEnd(namespace);
  });
}

clusterTest(
  'a device of dynamic resource allocation is given to the stage that claims it; another one waits until it is given back',
  async () => {
    const namespace = await cluster.makeNamespace('device');
    const group = '/apis/resource.k8s.io/v1';
    const make = (path: string, kind: string, name: string, spec: object) =>
      cluster.plane.client.expect('POST', `${group}/${path}`, { apiVersion: 'resource.k8s.io/v1', kind, metadata: { name }, spec });
    const driver = 'gpu.example.com';
    const isOfDriver = { cel: { expression: `device.driver == '${driver}'` } };
    await make('deviceclasses', 'DeviceClass', driver, { selectors: [isOfDriver] });
    // What a driver publishes for its node: one device.
    const pool = { name: 'simulated-1', generation: 1, resourceSliceCount: 1 };
    await make('resourceslices', 'ResourceSlice', 'simulated-1', { driver, pool, nodeName: 'simulated-1', devices: [{ name: 'gpu-0' }] });
    const requests = [{ name: 'gpu', exactly: { deviceClassName: driver } }];
    await make(`namespaces/${namespace}/resourceclaimtemplates`, 'ResourceClaimTemplate', 'one-gpu', { spec: { devices: { requests } } });
    const claims = () => cluster.list<ResourceV1ResourceClaim>(`${group}/namespaces/${namespace}/resourceclaims`);
    const claimed = (of: V1Pod) => of.status?.resourceClaimStatuses?.map(({ resourceClaimName }) => resourceClaimName);

    const placement = { classify: { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'one-gpu' }] } };
    cluster.player.play(namespace, holdFirst('classify'));
    await cluster.create(namespace, 'cats', { retries: 0, placement });
    const pod = await cluster.untilRuns(namespace, 'classify');
    assert.is(pod.spec?.nodeName, 'simulated-1');
    const [claim] = await claims();
    assert.equal(claimed(pod), [claim.metadata?.name]);
    const results = claim.status?.allocation?.devices?.results?.map(({ driver: by, pool: from, device }) => [by, from, device]);
    assert.equal(results, [[driver, 'simulated-1', 'gpu-0']]);
    assert.equal(
      claim.status?.reservedFor?.map(({ resource, uid }) => [resource, uid]),
      [['pods', pod.metadata?.uid]],
    );

    await cluster.create(namespace, 'dogs', { retries: 0, seed: 7, placement });
    const waits = await cluster.until(namespace, 'dogs', 'told that its pod has no place', isTold('Scheduled'));
    assert.match(conditionOf(waits, 'Scheduled')?.message ?? '', /cannot allocate all claims/);
    cluster.player.play(namespace, SUCCEEDS);
    for (const name of ['cats', 'dogs']) await cluster.untilPhase(namespace, name, 'Succeeded');
    await cluster.checkEnd(namespace);
    await cluster.plane.waitUntil('the devices to be given back', async () => (await claims()).length === 0);
  },
);

test.run();
