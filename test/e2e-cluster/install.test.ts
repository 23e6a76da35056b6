// A release's life in a real cluster with a node: install, upgrade, rollback, uninstall, and again. The tests follow one another.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ChartValuesInput } from '../../operator/chart/values.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { buildImage } from '../cluster/images.ts';
import { CHART, OPERATOR_NAMESPACE, RELEASE, TEST_VALUES } from '../cluster/installed-operator.ts';
import { startNode } from '../cluster/node.ts';
import { missingForNode } from '../cluster/node-requirements.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { withValues } from '../helm/helm.ts';

const reason = missingForNode({ images: true }) ?? whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kubelet', 'kube-proxy', 'helm']);
const clusterTest = clusterTests(reason);
const CRD = 'cdspexperiments.cdsp.dev';

let cluster: ControlPlane;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await startControlPlane({ controllers: true, network: true, say: console.log }));
  const node = await startNode(cluster);
  const { archive } = await buildImage({ name: 'docker.io/library/cdsp-operator:test', context: '.', say: console.log });
  await node.importImages(archive);
  await cluster.kubectl('create', 'namespace', OPERATOR_NAMESPACE);
  await cluster.kubectl('label', 'namespace', OPERATOR_NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted');
});

const inNamespace = ['--namespace', OPERATOR_NAMESPACE];
const release = (verb: 'install' | 'upgrade', values: ChartValuesInput, chart = CHART, ...args: string[]) =>
  withValues({ ...TEST_VALUES, ...values }, (file) =>
    cluster.helm(verb, RELEASE, chart, ...inNamespace, '--values', file, '--wait', '--timeout=120s', ...args),
  );
const uninstall = () => cluster.helm('uninstall', RELEASE, ...inNamespace, '--wait', '--timeout=120s');
const messageOf = (action: Promise<unknown>): Promise<string> =>
  action.then(
    () => 'accepted',
    (error: unknown) => (error as { stderr?: string }).stderr ?? String(error),
  );

/** Every object of the cluster but events and what changes by itself. */
async function inventory(): Promise<string[]> {
  const listed = await cluster.kubectl('api-resources', '--verbs=list', '--output=name');
  const kinds = listed
    .trim()
    .split('\n')
    .filter((kind) => !/^(events|componentstatuses|endpoints$|endpointslices|nodes)/.test(kind));
  const names = await cluster.kubectl(
    'get',
    kinds.join(','),
    '--all-namespaces',
    '--output=custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name',
    '--no-headers',
  );
  const lines = names
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).join(' '));
  return [...new Set(lines)].filter((line) => !/^Lease kube-/.test(line)).sort();
}

const experimentUid = () => cluster.kubectl('get', 'cdsp', 'kept', '--output=jsonpath={.metadata.uid}');
const readyReplicas = () => cluster.kubectl('get', 'deployment', RELEASE, ...inNamespace, '--output=jsonpath={.status.readyReplicas}');
const configuration = () => cluster.kubectl('get', 'configmap', RELEASE, ...inNamespace, '--output=jsonpath={.data.config\\.yaml}');

let before: string[];
let uid: string;

clusterTest('a release is installed into a restricted namespace, and its pod gets ready', async () => {
  before = await inventory();
  const notes = await release('install', {});
  assert.match(notes, 'kubectl get cdsp -w');
  assert.is(await readyReplicas(), '1');
  const served = await cluster.client.request('GET', '/apis/cdsp.dev/v1alpha1/namespaces/default/cdspexperiments');
  assert.is(served.status, 200);
});

clusterTest('who may edit a namespace may edit experiments, who may view it may view them', async () => {
  await cluster.kubectl('create', 'rolebinding', 'editors', '--clusterrole=edit', '--group=editors', '--namespace=default');
  await cluster.kubectl('create', 'rolebinding', 'viewers', '--clusterrole=view', '--group=viewers', '--namespace=default');
  const can = (group: string, verb: string) =>
    cluster.kubectl('auth', 'can-i', verb, 'cdspexperiments.cdsp.dev', '--namespace=default', '--as=somebody', `--as-group=${group}`).then(
      () => true,
      () => false,
    );
  // A controller adds the rules to the cluster's roles, and the authorizer learns of it by a watch.
  await cluster.waitUntil('the aggregated roles', async () => (await can('editors', 'create')) && (await can('viewers', 'get')));
  assert.not(await can('viewers', 'create'));
  assert.not(await can('strangers', 'get'));
});

clusterTest('a new experiment has been seen by nobody until the operator says so: Flux does not take it for finished', async () => {
  const example = load(readFileSync('examples/quickstart.yaml', 'utf8')) as { metadata: object; spec: object };
  const experiment = { ...example, metadata: { name: 'kept' }, spec: { ...example.spec, suspend: true } };
  const created = await cluster.client.expect<{ status: { observedGeneration: number } }>(
    'POST',
    '/apis/cdsp.dev/v1alpha1/namespaces/default/cdspexperiments',
    experiment,
  );
  assert.is(created.status.observedGeneration, -1);
  uid = await experimentUid();
});

clusterTest('an upgrade changes the configuration, and new pods have it', async () => {
  const pods = () => cluster.kubectl('get', 'pods', ...inNamespace, '--output=jsonpath={.items[*].metadata.name}');
  const old = await pods();
  await release('upgrade', { replicas: 2, config: { parallelism: 4 } });
  assert.match(await configuration(), /^parallelism: 4$/m);
  assert.is(await readyReplicas(), '2');
  assert.match(await cluster.kubectl('get', 'pdb', ...inNamespace), RELEASE);
  await cluster.waitUntil('the old pod to be gone', async () => !(await pods()).split(' ').includes(old));
});

clusterTest('an upgrade to a chart whose CRD has a new field serves that field, and a rollback takes it away', async () => {
  const chart = join(cluster.workspace.folder, 'newer-chart');
  cpSync(CHART, chart, { recursive: true });
  const file = join(chart, 'files/crds/cdsp.dev_cdspexperiments.yaml');
  const crd = load(readFileSync(file, 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: { properties: { spec: { properties: Record<string, object> } } } } }[] };
  };
  crd.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.newField = { type: 'string' };
  writeFileSync(file, dump(crd, { noRefs: true }));
  const takesNewField = async () => {
    const patch = ['--type=merge', '--patch={"spec":{"newField":"x"}}', '--dry-run=server'];
    const patched = await cluster.kubectl('patch', 'cdsp', 'kept', ...patch, '--output=jsonpath={.spec.newField}');
    return patched === 'x';
  };
  assert.not(await takesNewField());
  await release('upgrade', { replicas: 2, config: { parallelism: 4 } }, chart);
  await cluster.waitUntil('the new field', takesNewField);
  await cluster.helm('rollback', RELEASE, '1', ...inNamespace, '--wait', '--timeout=120s');
  await cluster.waitUntil('the field to be gone', async () => !(await takesNewField()));
  assert.match(await configuration(), /^parallelism: 16$/m);
  assert.is(await readyReplicas(), '1');
  assert.is(await experimentUid(), uid);
});

clusterTest('uninstalling leaves the CRD, the experiments and the lease that the operator gave back, and nothing else', async () => {
  await uninstall();
  const ours = [
    `CustomResourceDefinition <none> ${CRD}`,
    'APIService <none> v1alpha1.cdsp.dev',
    'CDSPExperiment default kept',
    `Lease ${OPERATOR_NAMESPACE} cdsp-operator`,
  ];
  const byHand = ['RoleBinding default editors', 'RoleBinding default viewers'];
  const expected = [...before, ...ours, ...byHand].sort();
  let left: string[] = [];
  const isGone = async () => (left = await inventory()).length <= expected.length;
  // Where something stays, the comparison says what.
  await cluster.waitUntil('its objects to be gone', isGone).catch(() => {});
  assert.equal(left, expected);
  assert.is(await experimentUid(), uid);
});

clusterTest('a new release of the same name takes the CRD and the experiments over', async () => {
  await release('install', {});
  assert.is(await experimentUid(), uid);
  await uninstall();
});

clusterTest('a CRD of somebody else is taken over only where that is asked for', async () => {
  await cluster.kubectl('delete', 'crd', CRD);
  await applyCrds(cluster);
  assert.match(await messageOf(release('install', {})), 'invalid ownership metadata');
  await release('install', {}, CHART, '--take-ownership');
  assert.is(await cluster.kubectl('get', 'crd', CRD, '--output=jsonpath={.metadata.annotations.helm\\.sh/resource-policy}'), 'keep');
});

test.run();
