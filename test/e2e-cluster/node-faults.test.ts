// What becomes of a stage whose node is taken from it: drained, or lost. Two nodes see the same folder.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { Pods, release, stageOf, stepsIn, whyNoPods } from './pods.ts';

const reason = whyNoPods();
const clusterTest = clusterTests(reason);

/** How long a node may be silent; in a cluster for people it is longer. */
const GRACE_SECONDS = 12;

let pods: Pods;
setUp(reason, async (stopLater) => {
  pods = stopLater(await Pods.start({ nodes: 2, plane: { controllerManagerArgs: [`--node-monitor-grace-period=${GRACE_SECONDS}s`] } }));
});

clusterTest('a node is drained: the stage keeps a checkpoint and goes on on another node, and no attempt is counted', async () => {
  const folder = await pods.createClaim('drained', { classify: [{ hold: true }] });
  await pods.create('drained');
  const stageFolder = await pods.waitForAttempt(folder, 'classify', 1);
  const [pod] = await pods.podsOf('drained', 'classify');
  const from = pod.spec?.nodeName ?? '';
  const before = stepsIn(stageFolder);
  await pods.plane.kubectl('drain', from, '--force', '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=60s');
  await pods.waitForAttempt(folder, 'classify', 2);
  assert.ok(stepsIn(stageFolder) >= before, 'no step is lost');
  release(stageFolder);
  const status = await pods.waitForPhase('drained', 'Succeeded');
  assert.not.equal(stageOf(status, 'classify')?.node, from);
  assert.is((await pods.jobOf('drained', 'classify')).status?.failed ?? 0, 0, 'a disruption is no failure');
  await pods.plane.kubectl('uncordon', from);
});

clusterTest('a node is lost: once the administrator says that it is out of service, its stage goes on on another node', async () => {
  const folder = await pods.createClaim('lost', { classify: [{ hold: true }] });
  await pods.create('lost');
  const stageFolder = await pods.waitForAttempt(folder, 'classify', 1);
  const [pod] = await pods.podsOf('lost', 'classify');
  const node = pods.nodes.find(({ name }) => name === pod.spec?.nodeName);
  assert.ok(node);
  const before = stepsIn(stageFolder);
  await node.stop();
  await pods.plane.waitUntil('the node to be unreachable', async () => {
    const taints = await pods.plane.kubectl('get', 'node', node.name, '-o', 'jsonpath={.spec.taints[*].key}');
    return taints.includes('node.kubernetes.io/unreachable');
  });
  await pods.plane.kubectl('taint', 'node', node.name, 'node.kubernetes.io/out-of-service=lost:NoExecute');
  await pods.waitForAttempt(folder, 'classify', 2);
  assert.ok(stepsIn(stageFolder) >= before, 'what was kept before is gone on with');
  release(stageFolder);
  const status = await pods.waitForPhase('lost', 'Succeeded');
  assert.not.equal(stageOf(status, 'classify')?.node, node.name);
  assert.is((await pods.jobOf('lost', 'classify')).status?.failed ?? 0, 0, 'the loss is no failure');
});

test.run();
