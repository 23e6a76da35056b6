// Claims on real nodes: who may mount what, where pods run that share a claim, and what is left of it.
import { existsSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { sideBySide } from '../cluster/side-by-side.ts';
import { startProvisioner } from '../cluster/volumes.ts';
import { FAKE_STAGE_IMAGE } from '../cluster/fake-stage-image.ts';
import { createFolderVolume } from '../cluster/folder-volume.ts';
import { Pods, release, stageOf, whyNoPods } from './pods.ts';

const reason = whyNoPods();
const clusterTest = sideBySide(clusterTests(reason));

let pods: Pods;
setUp(reason, async (stopLater) => {
  pods = stopLater(await Pods.start({ nodes: 2 }));
  stopLater(await startProvisioner(pods.plane));
});

const on = (node: string) => ({ nodeSelector: { 'kubernetes.io/hostname': node } });
const hasClaim = async (name: string) => {
  const { status } = await pods.plane.client.request('GET', `/api/v1/namespaces/default/persistentvolumeclaims/${name}`);
  return status === 200;
};

clusterTest('ReadWriteMany: the stages of one experiment run on different nodes and find each other’s artifacts', async () => {
  await pods.createClaim('many', {}, { accessModes: ['ReadWriteMany'] });
  const storage = { claimName: 'many', accessModes: ['ReadWriteMany'] };
  await pods.create('many', { storage, placement: { default: on('node-1'), pseudoLabel: on('node-2'), evaluate: on('node-2') } });
  const status = await pods.waitForPhase('many', 'Succeeded');
  assert.equal(
    status.stages?.map(({ node }) => node),
    ['node-1', 'node-2', 'node-1', 'node-2'],
  );
});

clusterTest('ReadWriteOnce: experiments that share a claim run on one node, although another one is free', async () => {
  const folder = await pods.createClaim('once', { classify: [{ hold: true }] });
  // So much that a pod which may choose takes the other node.
  await pods.create('once', { placement: { default: { ...on('node-2'), cpu: '1' } } });
  const first = await pods.waitForAttempt(folder, 'classify', 1);
  await pods.create('once-too', { storage: { claimName: 'once' }, seed: 1, placement: { default: { cpu: '100m' } } });
  const status = await pods.waitFor('once-too', 'to run', (seen) => stageOf(seen, 'classify')?.node !== undefined);
  assert.is(stageOf(status, 'classify')?.node, 'node-2');
  assert.is(stageOf(await pods.see('once'), 'classify')?.state, 'Running', 'both at once');
  release(first);
  await pods.waitForPhase('once', 'Succeeded');
  const [other] = await pods.podsOf('once-too', 'classify');
  assert.is(other.spec?.nodeName, 'node-2');
  await pods.delete('once-too');
});

clusterTest(
  'ReadWriteOnce: an experiment that is told to run elsewhere than its claim’s pods waits, in the scheduler’s words',
  async () => {
    const folder = await pods.createClaim('apart', { classify: [{ hold: true }] });
    await pods.create('apart', { placement: { default: on('node-1') } });
    const first = await pods.waitForAttempt(folder, 'classify', 1);
    await pods.create('apart-too', { storage: { claimName: 'apart' }, seed: 1, placement: { default: on('node-2') } });
    const { message } = await pods.waitForCondition('apart-too', 'Scheduled', 'False');
    assert.match(message, /didn't match pod affinity rules/);
    await pods.delete('apart-too');
    release(first);
    await pods.waitForPhase('apart', 'Succeeded');
  },
);

for (const retention of ['Delete', 'Retain'] as const) {
  const isKept = retention === 'Retain';
  clusterTest(`retention ${retention}: the operator’s own claim ${isKept ? 'stays' : 'goes'} when its experiment is deleted`, async () => {
    const name = retention.toLowerCase();
    await pods.create(name, { storage: { retention, size: '1Gi' } });
    const status = await pods.waitForPhase(name, 'Succeeded');
    assert.equal(status.storage, { claimName: `cdsp-${name}`, size: '1Gi', retention });
    const volume = await pods.plane.kubectl('get', 'pvc', `cdsp-${name}`, '-o', 'jsonpath={.spec.volumeName}');
    const folder = await pods.plane.kubectl('get', 'pv', volume, '-o', 'jsonpath={.spec.hostPath.path}');
    await pods.delete(name);
    await pods.plane.waitUntil('its Jobs and pods to be gone', async () => {
      const jobs = status.stages?.map(({ job }) => job ?? '') ?? [];
      const left = await pods.plane.kubectl('get', 'jobs,pods', '-o', 'name');
      return jobs.every((job) => !left.includes(job));
    });
    if (isKept) {
      assert.ok(await hasClaim(`cdsp-${name}`));
      assert.ok(existsSync(`${folder}/stages/evaluate`));
      // The next experiment of that name finds its artifacts.
      await pods.create(name, { storage: { retention, size: '1Gi' } });
      const again = await pods.waitForPhase(name, 'Succeeded');
      assert.equal([...new Set(again.stages?.map(({ state }) => state))], ['Cached']);
    } else {
      await pods.plane.waitUntil('the claim to be gone', async () => !(await hasClaim(`cdsp-${name}`)));
      await pods.plane.waitUntil('its volume to be gone', () => !existsSync(folder));
    }
  });
}

clusterTest('data in an OCI image that cannot be pulled: told in the kubelet’s words', async () => {
  await pods.createClaim('no-image');
  await pods.create('no-image', { dataset: { folder: { path: 'voc', image: 'registry.invalid/lab/voc:1' } } });
  const { message } = await pods.waitForCondition('no-image', 'Started', 'False', 'ImagePullBackOff');
  assert.match(message, /registry\.invalid\/lab\/voc:1/);
});

clusterTest('data in an OCI image are mounted where the runtime can do that; else the kubelet’s words are told', async () => {
  await pods.createClaim('image', { classify: [{ reads: '/data/node' }] });
  await pods.create('image', { dataset: { folder: { path: '.', image: FAKE_STAGE_IMAGE } } });
  const version = /v?(\d+)\.(\d+)\.\d/.exec(await pods.nodes[0].run('containerd', '--version'));
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  if (major > 2 || (major === 2 && minor >= 1)) return void (await pods.waitForPhase('image', 'Succeeded'));
  const { message } = await pods.waitForCondition('image', 'Started', 'False', 'CreateContainerError');
  assert.match(message, /failed to generate .*spec/);
});

clusterTest('an existing claim as data is mounted read-only', async () => {
  await createFolderVolume(pods.plane, 'voc', { accessModes: ['ReadOnlyMany'], files: { 'labels.txt': 'background' } });
  await pods.createClaim('with-data', { classify: [{ reads: '/data/labels.txt', cannotWrite: '/data/new.txt' }] });
  await pods.create('with-data', { dataset: { folder: { path: '.', claimName: 'voc' } } });
  await pods.waitForPhase('with-data', 'Succeeded');
});

clusterTest('one claim serves for data, weights and artifacts; only the artifacts are written', async () => {
  const folder = await pods.createClaim('all-in-one', { classify: [{ reads: '/weights/fake-stage.json', cannotWrite: '/data/new.txt' }] });
  const claimName = 'all-in-one';
  await pods.create('all-in-one', {
    dataset: { folder: { path: '.', claimName } },
    model: { weights: 'resnet50.pth', weightsFrom: { claimName } },
  });
  await pods.waitForPhase('all-in-one', 'Succeeded');
  assert.ok(existsSync(`${folder}/stages/evaluate`));
});

test.run();
