// An API server with the admission plugin OwnerReferencesPermissionEnforcement, as OpenShift's is: owners of an object are changed only by who may
// delete it. The operator has the chart's rights, first those of the defaults, then with the value for such clusters.
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { storageConditionOf, troubleConditionOf } from '../../operator/controller/read-status.ts';
import { claimsPath } from '../../operator/controller/resource-paths.ts';
import { grantOperatorRights } from '../cluster/installed-operator.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { FaultCluster } from './fault-cluster.ts';
import type { LocalOperator } from './fault-cluster.ts';
import { holdFirst, SUCCEEDS } from './pod-player.ts';

const reason = whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kwok', 'helm']);
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
let operator: LocalOperator;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start({ admissionPlugins: ['OwnerReferencesPermissionEnforcement'] }));
  operator = await cluster.startLocal({ kubeconfig: await grantOperatorRights(cluster.plane) });
});

const claimOf = (namespace: string) => cluster.plane.client.expect<V1PersistentVolumeClaim>('GET', `${claimsPath(namespace)}/cdsp-cats`);
const ownersOf = async (namespace: string) => (await claimOf(namespace)).metadata?.ownerReferences?.map(({ name }) => name) ?? [];
const REFUSED = /persistentvolumeclaims "cdsp-cats" is forbidden: cannot set an ownerRef on a resource you can't delete/;
const isRefused = (status: ExperimentStatus) => troubleConditionOf(status)?.reason === 'Forbidden';
/** Stages run all the same. */
const isChangeRefused = (status: ExperimentStatus) => storageConditionOf(status)?.reason === 'Forbidden';

/** What the condition says, and what the experiment says with it. */
function checkTold(status: ExperimentStatus): void {
  const { type, message } = troubleConditionOf(status) ?? {};
  assert.is(type, 'Started');
  assert.match(message ?? '', REFUSED);
  assert.match(status.conditions?.find((condition) => condition.type === 'Succeeded')?.message ?? '', /cannot set an ownerRef/);
}

clusterTest('with the default rights Jobs are owned and shared, and a claim has its owner from the start', async () => {
  const namespace = await cluster.makeNamespace('defaults');
  cluster.player.play(namespace, holdFirst('classify'));
  await cluster.create(namespace, 'cats', { storage: { retention: 'Delete' } });
  await cluster.untilRuns(namespace, 'classify');
  assert.equal(await ownersOf(namespace), ['cats']);
  await cluster.create(namespace, 'dogs', { storage: { claimName: 'cdsp-cats' } });
  await cluster.plane.waitUntil('the Job to be of both', async () => {
    const [job] = await cluster.jobs(namespace);
    return job.metadata?.ownerReferences?.length === 2;
  });
  await cluster.deleteExperiment(namespace, 'dogs');
  cluster.player.play(namespace, SUCCEEDS);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await cluster.checkRanOnce(namespace);
});

clusterTest('a claim that is to go after all is refused in the server’s words, until the operator may delete it', async () => {
  const namespace = await cluster.makeNamespace('edited');
  cluster.player.play(namespace, holdFirst('segment'));
  await cluster.create(namespace, 'cats', { storage: { retention: 'Retain' } });
  await cluster.untilRuns(namespace, 'segment');
  await cluster.edit(namespace, 'cats', { storage: { retention: 'Delete' } });
  const status = await cluster.until(namespace, 'cats', 'told that its claim stays', isChangeRefused);
  assert.match(storageConditionOf(status)?.message ?? '', REFUSED);
  assert.is(troubleConditionOf(status), undefined);
  assert.is(status.storage?.retention, 'Retain', 'what is so is told, not what was asked for');

  const recreated = await cluster.makeNamespace('recreated');
  cluster.player.play(recreated, SUCCEEDS);
  await cluster.create(recreated, 'cats', { storage: { retention: 'Retain' } });
  await cluster.untilPhase(recreated, 'cats', 'Succeeded');
  await cluster.deleteExperiment(recreated, 'cats');
  await cluster.checkEmpty(recreated, ['cdsp-cats']);
  await cluster.create(recreated, 'cats', { storage: { retention: 'Delete' } });
  checkTold(await cluster.until(recreated, 'cats', 'told that the claim is not for it', isRefused));

  const ended = await cluster.makeNamespace('ended');
  cluster.player.play(ended, SUCCEEDS);
  await cluster.create(ended, 'cats', { storage: { retention: 'Retain' } });
  await cluster.untilPhase(ended, 'cats', 'Succeeded');
  await cluster.edit(ended, 'cats', { storage: { retention: 'Delete' } });
  const told = await cluster.until(ended, 'cats', 'told that its claim stays', isChangeRefused);
  assert.equal([told.phase, told.storage?.retention], ['Succeeded', 'Retain']);

  // As an upgrade of the chart: other rights, another configuration, and so another pod.
  await operator.stop();
  const kubeconfig = await grantOperatorRights(cluster.plane, { openshift: true });
  await cluster.plane.waitUntil('the right to delete claims', () =>
    cluster.plane.kubectl('auth', 'can-i', 'delete', 'persistentvolumeclaims', '--namespace', namespace, '--kubeconfig', kubeconfig).then(
      () => true,
      () => false,
    ),
  );
  operator = await cluster.startLocal({ kubeconfig, config: { stageUser: 'Assigned' } });
  await cluster.until(namespace, 'cats', 'told that its claim goes', ({ storage }) => storage?.retention === 'Delete');
  await cluster.until(ended, 'cats', 'told that its claim goes', ({ storage }) => storage?.retention === 'Delete');
  cluster.player.play(namespace, SUCCEEDS);
  for (const each of [namespace, recreated, ended]) {
    const end = await cluster.untilPhase(each, 'cats', 'Succeeded');
    assert.equal([troubleConditionOf(end), storageConditionOf(end)], [undefined, undefined]);
    assert.equal(await ownersOf(each), ['cats']);
    await cluster.deleteExperiment(each, 'cats');
    await cluster.plane.waitUntil(`the claim in ${each} to go`, async () => (await cluster.list(claimsPath(each))).length === 0);
    await cluster.checkEmpty(each, []);
  }
});

clusterTest('a stage whose user the cluster assigns runs in a namespace of the restricted Pod Security level', async () => {
  const namespace = await cluster.makeNamespace('assigned');
  await cluster.plane.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
  cluster.player.play(namespace, holdFirst('classify'));
  await cluster.create(namespace, 'cats');
  const { spec } = await cluster.untilRuns(namespace, 'classify');
  const { runAsUser, runAsGroup, fsGroup } = spec?.securityContext ?? {};
  assert.equal([runAsUser, runAsGroup, fsGroup], [undefined, undefined, undefined]);
  cluster.player.play(namespace, SUCCEEDS);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
});

test.run();
