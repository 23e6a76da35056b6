// GPUs as the scheduler counts them: who gets one, who waits, and what the status says meanwhile.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { sideBySide } from '../cluster/side-by-side.ts';
import { conditionOf, Pods, release, stageOf, whyNoPods } from './pods.ts';

const reason = whyNoPods();
const clusterTest = sideBySide(clusterTests(reason));

let pods: Pods;
setUp(reason, async (stopLater) => {
  pods = stopLater(await Pods.start());
});

/** Only classify wants GPUs: it is the one that holds. */
const wants = (gpus: number, gpuResource?: string) => ({
  placement: { classify: { gpus, ...(gpuResource === undefined ? {} : { gpuResource }) } },
});

for (const [what, resource] of [
  ['GPUs', 'nvidia.com/gpu'],
  ['MIG partitions', 'nvidia.com/mig-1g.5gb'],
]) {
  clusterTest(
    `${what} are counted: a second experiment waits, Unschedulable, and starts when the first has given its own back`,
    async () => {
      const name = resource.replaceAll(/[^a-z0-9]/g, '-');
      await pods.nodes[0].offer(resource, 2);
      const folder = await pods.createClaim(name, { classify: [{ hold: true }] });
      await pods.create(name, wants(2, resource));
      const stageFolder = await pods.waitForAttempt(folder, 'classify', 1);
      await pods.createClaim(`${name}-too`);
      await pods.create(`${name}-too`, wants(1, resource));
      const { reason: word, message } = await pods.waitForCondition(`${name}-too`, 'Scheduled', 'False');
      assert.is(word, 'Unschedulable');
      assert.ok(message.includes(`1 Insufficient ${resource}`), message);
      release(stageFolder);
      const status = await pods.waitForPhase(`${name}-too`, 'Succeeded');
      assert.is(conditionOf(status, 'Scheduled'), undefined, 'what was wrong is no longer told');
      await pods.waitForPhase(name, 'Succeeded');
    },
  );
}

clusterTest('a GPU that nobody has is told; the same edited to what there is goes on', async () => {
  await pods.createClaim('amd');
  await pods.create('amd', wants(1, 'amd.com/gpu'));
  const { message } = await pods.waitForCondition('amd', 'Scheduled', 'False');
  assert.match(message, /Insufficient amd\.com\/gpu/);
  const status = await pods.see('amd');
  assert.match(conditionOf(status, 'Succeeded')?.message ?? '', /^classify does not run: .*amd\.com\/gpu/);
  assert.is(status?.phase, 'Running');
  await pods.patch('amd', { placement: { classify: { gpus: 0 } } });
  await pods.waitForPhase('amd', 'Succeeded');
});

clusterTest('a claim of dynamic resource allocation that no driver serves is told in the scheduler’s words', async () => {
  const device = { name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } };
  const template = { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceClaimTemplate', metadata: { name: 'one-gpu' } };
  const path = '/apis/resource.k8s.io/v1/namespaces/default/resourceclaimtemplates';
  await pods.plane.client.expect('POST', '/apis/resource.k8s.io/v1/deviceclasses', {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'DeviceClass',
    metadata: { name: 'gpu.example.com' },
    spec: { selectors: [{ cel: { expression: "device.driver == 'gpu.example.com'" } }] },
  });
  await pods.plane.client.expect('POST', path, { ...template, spec: { spec: { devices: { requests: [device] } } } });
  await pods.createClaim('dra');
  await pods.create('dra', { placement: { classify: { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'one-gpu' }] } } });
  const { message } = await pods.waitForCondition('dra', 'Scheduled', 'False');
  assert.match(message, /cannot allocate all claims/);
  const [pod] = await pods.podsOf('dra', 'classify');
  assert.equal(pod.spec?.containers[0].resources?.claims, [{ name: 'gpu' }]);
  await pods.delete('dra');
});

clusterTest(
  'a pod of higher priority takes the GPU; the stage that lost it keeps a checkpoint, waits, goes on, and counts no attempt',
  async () => {
    await pods.nodes[0].offer('example.com/gpu', 1);
    const priority = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'urgent' }, value: 1000 };
    await pods.plane.client.expect('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', priority);
    const folder = await pods.createClaim('patient', { classify: [{ hold: true }, {}] });
    await pods.create('patient', wants(1, 'example.com/gpu'));
    await pods.waitForAttempt(folder, 'classify', 1);
    const urgentFolder = await pods.createClaim('urgent', { classify: [{ hold: true }] });
    await pods.create('urgent', { placement: { classify: { gpus: 1, gpuResource: 'example.com/gpu', priorityClassName: 'urgent' } } });
    const stageFolder = await pods.waitForAttempt(urgentFolder, 'classify', 1);
    await pods.waitForCondition('patient', 'Scheduled', 'False');
    release(stageFolder);
    await pods.waitForPhase('urgent', 'Succeeded');
    const status = await pods.waitForPhase('patient', 'Succeeded');
    assert.is(stageOf(status, 'classify')?.failure, undefined);
    assert.is((await pods.jobOf('patient', 'classify')).status?.failed ?? 0, 0);
  },
);

test.run();
