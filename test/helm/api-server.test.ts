// What the chart renders, as a real API server sees it. Nothing runs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { OPERATOR_NAMESPACE } from '../cluster/installed-operator.ts';
import { find, render } from './helm.ts';
import type { KubernetesObject } from './helm.ts';
import { VALUE_SETS } from './value-sets.ts';

const reason = whyNoPrograms([...CONTROL_PLANE, 'helm']);
const clusterTest = clusterTests(reason);
const ACCOUNT = `system:serviceaccount:${OPERATOR_NAMESPACE}:cdsp`;

let cluster: ControlPlane;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await startControlPlane({ say: console.log }));
  for (const namespace of [OPERATOR_NAMESPACE, 'team-a', 'team-b', 'argocd']) {
    await cluster.kubectl('create', 'namespace', namespace);
    await cluster.kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
  }
});

/** The Prometheus operator's kinds are not served here; monitoring.test.ts looks at them. */
const isServed = ({ apiVersion }: KubernetesObject) => !apiVersion.startsWith('monitoring.coreos.com/');

async function apply(objects: readonly unknown[], ...args: string[]): Promise<string> {
  const file = join(cluster.workspace.folder, 'objects.yaml');
  writeFileSync(file, objects.map((object) => `---\n${dump(object)}`).join(''));
  return cluster.kubectl('apply', '--server-side', '-f', file, ...args);
}

const refusalOf = (action: Promise<unknown>): Promise<string> =>
  action.then(
    () => 'accepted',
    (error: unknown) => (error as { stderr?: string }).stderr ?? String(error),
  );

for (const [name, values] of Object.entries(VALUE_SETS)) {
  clusterTest(`the API server takes every object, field by field: ${name}`, async () => {
    const objects = (await render(values)).filter(isServed);
    const applied = await apply(objects, '--dry-run=server', '--validate=strict');
    assert.is(applied.trim().split('\n').length, objects.length);
  });
}

const podOf = async (values: Parameters<typeof render>[0]) => {
  const { template } = find(await render(values), 'Deployment')?.spec as { template: { metadata: object; spec: object } };
  return { apiVersion: 'v1', kind: 'Pod', ...template, metadata: { ...template.metadata, name: 'operator', namespace: OPERATOR_NAMESPACE } };
};

clusterTest('a namespace of the restricted Pod Security level admits the operator’s pod', async () => {
  for (const values of Object.values(VALUE_SETS)) {
    assert.match(await apply([await podOf({ ...values, priorityClassName: '' })], '--dry-run=server'), 'pod/operator serverside-applied');
  }
});

clusterTest('it would not admit one with more rights', async () => {
  const pod = await podOf({ securityContext: { allowPrivilegeEscalation: true } });
  assert.match(await refusalOf(apply([pod], '--dry-run=server')), 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false');
});

async function may(namespace: string, verb: string, group: string, resource: string, name?: string): Promise<boolean> {
  const [plural, subresource] = resource.split('/');
  const review = { spec: { user: ACCOUNT, resourceAttributes: { namespace, verb, group, resource: plural, subresource, name } } };
  const { status } = await cluster.client.expect<{ status: { allowed: boolean } }>(
    'POST',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', ...review },
  );
  return status.allowed;
}

/** What the operator asks for in a namespace where it works; the last word says whether it may. */
const REQUESTS: [verb: string, group: string, resource: string, allowed: boolean][] = [
  ['watch', 'cdsp.dev', 'cdspexperiments', true],
  ['patch', 'cdsp.dev', 'cdspexperiments/status', true],
  ['patch', 'cdsp.dev', 'cdspexperiments', false],
  ['delete', 'cdsp.dev', 'cdspexperiments', false],
  ['create', 'batch', 'jobs', true],
  ['delete', 'batch', 'jobs', true],
  ['list', '', 'pods', true],
  ['create', '', 'pods', false],
  ['create', '', 'pods/exec', false],
  ['get', '', 'secrets', false],
  ['create', '', 'persistentvolumeclaims', true],
  ['delete', '', 'persistentvolumeclaims', false],
  ['create', '', 'events', true],
  ['list', '', 'events', true],
  ['create', '', 'serviceaccounts/token', false],
];

clusterTest('in namespaced mode the operator has its rights in the listed namespaces and nowhere else', async () => {
  const rbac = (await render({ namespaces: ['team-a', 'team-b'] })).filter(({ apiVersion }) => apiVersion.startsWith('rbac.'));
  await apply(rbac);
  // The authorizer learns of bindings by a watch.
  await cluster.waitUntil('the bindings', async () => {
    const seen = await Promise.all([
      may('team-a', 'list', '', 'pods'),
      may('team-b', 'list', '', 'pods'),
      may(OPERATOR_NAMESPACE, 'get', 'coordination.k8s.io', 'leases', 'cdsp-operator'),
    ]);
    return seen.every((allowed) => allowed);
  });
  for (const [verb, group, resource, allowed] of REQUESTS) {
    for (const namespace of ['team-a', 'team-b']) {
      assert.is(await may(namespace, verb, group, resource), allowed, `${verb} ${resource} in ${namespace}`);
    }
    for (const elsewhere of ['default', OPERATOR_NAMESPACE, '']) {
      assert.not(await may(elsewhere, verb, group, resource), `${verb} ${resource} in ${elsewhere || 'all namespaces'}`);
    }
  }
  assert.not(await may(OPERATOR_NAMESPACE, 'get', 'coordination.k8s.io', 'leases', 'another'), 'another lease');
});

clusterTest('cluster-wide the operator has the same rights everywhere', async () => {
  await apply((await render({})).filter(({ apiVersion }) => apiVersion.startsWith('rbac.')));
  await cluster.waitUntil('the binding', () => may('default', 'list', '', 'pods'));
  for (const [verb, group, resource, allowed] of REQUESTS) {
    for (const namespace of ['default', '']) assert.is(await may(namespace, verb, group, resource), allowed, `${verb} ${resource}`);
  }
});

clusterTest('with the value for guarded owner references it may delete claims as well', async () => {
  await apply((await render({ rbac: { ownerReferencesPermissionEnforcement: true } })).filter(({ apiVersion }) => apiVersion.startsWith('rbac.')));
  await cluster.waitUntil('the right', () => may('default', 'delete', '', 'persistentvolumeclaims'));
  for (const [verb, group, resource, allowed] of REQUESTS) {
    const isClaim = resource === 'persistentvolumeclaims';
    assert.is(await may('default', verb, group, resource), allowed || isClaim, `${verb} ${resource}`);
  }
});

clusterTest('Argo CD’s ConfigMap keeps what is in it and gets health and actions', async () => {
  await cluster.kubectl('create', 'configmap', 'argocd-cm', '--namespace=argocd', '--from-literal=url=https://argocd.example.org');
  const ours = find(await render({ argocd: { enabled: true } }), 'ConfigMap', 'argocd-cm');
  await apply([ours], '--field-manager=cdsp');
  const { data } = load(await cluster.kubectl('get', 'configmap', 'argocd-cm', '--namespace=argocd', '-o', 'yaml')) as KubernetesObject;
  assert.equal(Object.keys(data ?? {}).sort(), [
    'resource.customizations.actions.cdsp.dev_CDSPExperiment',
    'resource.customizations.health.cdsp.dev_CDSPExperiment',
    'url',
  ]);
});

test.run();
