// What the chart renders, by the real Helm. UPDATE_GOLDEN=1 writes golden/ anew.
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { V1PodSpec } from '@kubernetes/client-node';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LABELS, MANAGED_BY } from '../../operator/controller/names.ts';
import { parseConfig } from '../../operator/config.ts';
import { CHART, OPERATOR_NAMESPACE } from '../cluster/installed-operator.ts';
import { find, helm, helmTest, refusal, render, template, templateInShort, withValues } from './helm.ts';
import type { KubernetesObject } from './helm.ts';
import { VALUE_SETS } from './value-sets.ts';

const GOLDEN = fileURLToPath(new URL('./golden', import.meta.url));
const NO_CRDS = ['--set', 'crds.enabled=false'];

helmTest('the chart passes helm lint --strict, with every set of values', async () => {
  for (const values of Object.values(VALUE_SETS)) {
    assert.match(await withValues(values, (file) => helm('lint', '--strict', CHART, '--values', file)), '0 chart(s) failed');
  }
});

for (const [name, values] of Object.entries(VALUE_SETS)) {
  helmTest(`what is rendered is what is in golden/${name}.yaml`, async () => {
    const file = join(GOLDEN, `${name}.yaml`);
    const rendered = await templateInShort(values);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, rendered);
    assert.is(rendered, readFileSync(file, 'utf8'), 'UPDATE_GOLDEN=1 writes it anew');
  });
}

test('every golden file belongs to a set of values', () => {
  const names = globSync('*.yaml', { cwd: GOLDEN }).map((file) => file.slice(0, -'.yaml'.length));
  assert.equal(names.sort(), Object.keys(VALUE_SETS).sort());
});

const refusals: [why: string, values: unknown, message: RegExp][] = [
  ['an unknown key', { replica: 2 }, /additional properties 'replica' not allowed/],
  ['an unknown key of the operator’s settings', { config: { trainer: 'x' } }, /at '\/config': additional properties 'trainer' not allowed/],
  ['an unknown key of a placement', { config: { placement: { nodeselector: {} } } }, /at '\/config\/placement': additional properties/],
  ['a text for a number', { replicas: 'two' }, /at '\/replicas': got string, want integer/],
  ['a text for a list', { namespaces: 'team-a' }, /at '\/namespaces': got string, want array/],
  ['a bad quantity', { resources: { requests: { memory: 'lots' } } }, /at '\/resources\/requests\/memory'.*'lots' does not match pattern/s],
  ['a bad quantity of stages', { config: { placement: { memory: '16 GB' } } }, /at '\/config\/placement\/memory': '16 GB' does not match/],
  ['memory of stages without its unit', { config: { placement: { memory: '16' } } }, /at '\/config\/placement\/memory': 'not' failed/],
  [
    'a priority of the cluster’s own for stages',
    { config: { placement: { priorityClassName: 'system-node-critical' } } },
    /at '\/config\/placement\/priorityClassName': 'not' failed/,
  ],
  ['a label by which pods are found', { podLabels: { 'app.kubernetes.io/name': 'x' } }, /at '\/podLabels\/app\.kubernetes\.io~1name': false schema/],
  [
    'a label that the chart sets',
    { monitoring: { podMonitor: { labels: { 'helm.sh/chart': 'x' } } } },
    /at '\/monitoring\/podMonitor\/labels\/helm\.sh~1chart': false schema/,
  ],
  ['a section of nothing', { networkPolicy: null }, /at '': missing property 'networkPolicy'/],
  ['a section of nothing in another', { monitoring: { service: null } }, /at '\/monitoring': missing property 'service'/],
  ['an image without its name', { image: { repository: null } }, /at '\/image': missing property 'repository'/],
  ['no word on whether there are policies', { networkPolicy: { enabled: null } }, /at '\/networkPolicy': missing property 'enabled'/],
  [
    'a policy without ports, which would open all of them',
    { networkPolicy: { apiServer: { ports: null } } },
    /at '\/networkPolicy\/apiServer': missing property 'ports'/,
  ],
  ['a bad image', { config: { trainerImage: 'a b' } }, /at '\/config\/trainerImage': 'a b' does not match/],
  ['a bad digest', { image: { digest: 'sha256:12' } }, /at '\/image\/digest': 'sha256:12' does not match/],
  ['a namespace that cannot be', { namespaces: ['Team A'] }, /at '\/namespaces\/0': 'Team A' does not match/],
  ['a policy that is not one', { networkPolicy: { stageEgress: 'Some' } }, /at '\/networkPolicy\/stageEgress': value must be one of/],
  [
    'a ServiceMonitor without the service that it finds',
    { monitoring: { service: { enabled: false }, serviceMonitor: { enabled: true } } },
    /monitoring\.serviceMonitor\.enabled needs monitoring\.service\.enabled/,
  ],
  ['a port that is none', { networkPolicy: { apiServer: { ports: [0] } } }, /at '\/networkPolicy\/apiServer\/ports\/0': minimum: got 0, want 1/],
];
for (const [why, values, message] of refusals) {
  helmTest(`Helm refuses ${why} and names it`, async () => assert.match(await refusal(values), message));
}

helmTest('Helm refuses a Kubernetes that is too old', async () => {
  assert.match(await refusal({}, '--kube-version', '1.30.9'), 'requires kubeVersion: >=1.31.0-0 which is incompatible with Kubernetes v1.30.9');
  assert.is(await refusal({}, '--kube-version', '1.31.0'), 'accepted');
  assert.is(await refusal({}, '--kube-version', '1.33.5-gke.100'), 'accepted');
});

for (const [name, values] of Object.entries(VALUE_SETS)) {
  helmTest(`the operator reads the configuration that is rendered: ${name}`, async () => {
    const objects = await render(values, ...NO_CRDS);
    const maps = objects.filter(({ kind, data }) => kind === 'ConfigMap' && data?.['config.yaml'] !== undefined);
    assert.is(maps.length, 1);
    const config = parseConfig(maps[0].data?.['config.yaml'] ?? '', 'config.yaml');
    assert.is(config.trainerImage, values.config?.trainerImage ?? 'cdsp-trainer:0.1.0');
    assert.equal(config.namespaces, values.namespaces ?? []);
    assert.equal(config.placement, values.config?.placement ?? {});
    assert.equal(config.allowedImages, values.config?.allowedImages ?? []);
  });
}

const deploymentOf = (objects: readonly KubernetesObject[]) =>
  find(objects, 'Deployment')?.spec as { template: { metadata: KubernetesObject['metadata'] } };

helmTest('another configuration makes new pods, another value does not', async () => {
  const checksum = async (values: Parameters<typeof render>[0]) =>
    deploymentOf(await render(values, ...NO_CRDS)).template.metadata.annotations?.['checksum/config'];
  const before = await checksum({});
  assert.is(before?.length, 64);
  assert.is.not(await checksum({ config: { parallelism: 4 } }), before);
  assert.is.not(await checksum({ namespaces: ['team-a'] }), before);
  assert.is(await checksum({ replicas: 2, podLabels: { a: 'b' } }), before);
});

helmTest('for listed namespaces nothing is cluster-wide but the CRD', async () => {
  const objects = await render({ namespaces: ['team-a', 'team-b'] });
  assert.equal(
    objects.filter(({ metadata }) => metadata.namespace === undefined).map(({ kind }) => kind),
    ['CustomResourceDefinition'],
  );
  const roles = objects.filter(({ kind }) => kind === 'Role').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const each = (namespace: string) => ['cdsp', 'cdsp-edit', 'cdsp-view'].map((role) => `${namespace}/${role}`);
  assert.equal(roles.sort(), [`${OPERATOR_NAMESPACE}/cdsp-leader`, ...each('team-a'), ...each('team-b')].sort());
});

helmTest('a namespace that is listed twice is one', async () => {
  const monitoring = { podMonitor: { enabled: true } };
  const once = await template({ namespaces: ['team-a', 'team-b'], monitoring }, ...NO_CRDS);
  assert.is(await template({ namespaces: ['team-a', 'team-b', 'team-a'], monitoring }, ...NO_CRDS), once);
});

helmTest('config: null stands for the operator’s own defaults', async () => {
  const text = find(await render({ config: null } as never, ...NO_CRDS), 'ConfigMap')?.data?.['config.yaml'] ?? '';
  const whole = find(await render({}, ...NO_CRDS), 'ConfigMap')?.data?.['config.yaml'] ?? '';
  assert.equal(parseConfig(text, 'config.yaml'), parseConfig(whole, 'config.yaml'));
});

/** What Helm prints after an installation; no cluster is asked. */
const notesFor = (values: unknown) =>
  withValues(values, (file) => helm('install', 'cdsp', CHART, '--dry-run=client', '--values', file, ...NO_CRDS)).then((text) => text.split('NOTES:')[1]);

helmTest('the notes say which images have to be on the nodes already', async () => {
  const bare = await notesFor({});
  assert.match(bare, 'The operator runs cdsp-operator:0.1.0, which no public registry serves');
  assert.match(bare, 'Stages run cdsp-trainer:0.1.0, which the nodes have to hold');
  const named = await notesFor({ image: { repository: 'registry.example.org/cdsp-operator' }, config: { trainerImage: 'registry.example.org/t:1' } });
  assert.not.match(named, 'no public registry');
  assert.not.match(named, 'Stages run');
  assert.match(await notesFor({ config: null }), 'Stages run cdsp-trainer:0.1.0');
});

helmTest('every object but cluster-wide ones names its namespace', async () => {
  for (const values of Object.values(VALUE_SETS)) {
    const bare = (await render(values)).filter(({ metadata }) => metadata.namespace === undefined).map(({ kind }) => kind);
    assert.equal(
      bare.filter((kind) => !['CustomResourceDefinition', 'ClusterRole', 'ClusterRoleBinding'].includes(kind)),
      [],
    );
  }
});

helmTest('the operator’s rights have no wildcard, no secret and no escalation', async () => {
  for (const values of [{}, { namespaces: ['team-a'] }]) {
    const rules = (await render(values, ...NO_CRDS)).flatMap((object) => object.rules ?? []);
    assert.ok(rules.length > 8);
    for (const { apiGroups, resources, verbs } of rules) {
      const words = [...apiGroups, ...resources, ...verbs];
      for (const word of ['*', 'secrets', 'pods/exec', 'escalate', 'bind', 'impersonate']) assert.not(words.includes(word), word);
    }
  }
});

/** The pod that a Deployment makes. */
const podOf = (objects: readonly KubernetesObject[]) =>
  (find(objects, 'Deployment')?.spec as { template: { spec: V1PodSpec } }).template.spec;

helmTest('on OpenShift the operator’s pod names no user, no group and no fsGroup, and gives up nothing else', async () => {
  const ids = { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 };
  for (const values of [{}, { podSecurityContext: { runAsNonRoot: true, ...ids }, securityContext: { privileged: false, runAsUser: 1000 } }]) {
    const usual = podOf(await render(values, ...NO_CRDS));
    const { securityContext, containers } = podOf(await render({ ...values, openshift: true }, ...NO_CRDS));
    const without = (context: object | undefined) =>
      Object.fromEntries(Object.entries(context ?? {}).filter(([field]) => !Object.hasOwn(ids, field)));
    assert.equal(securityContext, without(usual.securityContext));
    assert.equal(containers[0].securityContext, without(usual.containers[0].securityContext));
    assert.is(securityContext?.runAsNonRoot, true);
  }
});

helmTest('on OpenShift the operator leaves the user of stages to the cluster, elsewhere it does not', async () => {
  const stageUser = async (values: Parameters<typeof render>[0]) =>
    parseConfig(find(await render(values, ...NO_CRDS), 'ConfigMap')?.data?.['config.yaml'] ?? '', 'config.yaml').stageUser;
  assert.is(await stageUser({}), 'Fixed');
  assert.is(await stageUser({ openshift: true }), 'Assigned');
  assert.is(await stageUser({ openshift: true, config: null } as never), 'Assigned');
});

for (const values of [{ openshift: true }, { rbac: { ownerReferencesPermissionEnforcement: true } }]) {
  helmTest(`claims may be deleted by the operator only where it is asked for, and nothing else comes with it: ${JSON.stringify(values)}`, async () => {
    const rightsOf = async (given: Parameters<typeof render>[0]) =>
      (await render(given, ...NO_CRDS))
        .flatMap(({ rules = [] }) => rules)
        .flatMap(({ resources, verbs }) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`)));
    for (const place of [{}, { namespaces: ['team-a'] }]) {
      const usual = await rightsOf(place);
      const rights = await rightsOf({ ...place, ...values });
      assert.equal(
        rights.filter((right) => !usual.includes(right)),
        ['delete persistentvolumeclaims'],
      );
      assert.is(rights.length, usual.length + 1);
    }
  });
}

helmTest('policies and monitors select the pods that the operator makes', async () => {
  const values = { namespaces: ['team-a'], monitoring: { podMonitor: { enabled: true } } };
  const objects = await render(values, ...NO_CRDS);
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.component]: 'stage' };
  const policy = find(objects, 'NetworkPolicy', 'cdsp-stages')?.spec as { podSelector: unknown };
  assert.equal(policy.podSelector, { matchLabels: labels });
  const monitor = find(objects, 'PodMonitor')?.spec as { selector: unknown };
  assert.equal(monitor.selector, { matchLabels: labels });
});

helmTest('the CRD is rendered word for word, and kept when the release is uninstalled', async () => {
  const rendered = await template({}, '--show-only', 'templates/crds.yaml');
  const source = readFileSync(join(CHART, 'files/crds/cdsp.dev_cdspexperiments.yaml'), 'utf8');
  const kept = source.replace('\nmetadata:\n', '\nmetadata:\n  annotations:\n    helm.sh/resource-policy: keep\n');
  assert.equal(load(rendered), load(kept));
  assert.is((load(rendered) as KubernetesObject).metadata.annotations?.['helm.sh/resource-policy'], 'keep');
  // Numbers have kept their form: Helm's own parsing would write 2.147483647e+09.
  assert.match(rendered, 'maximum: 2147483647');
});

helmTest('another chart can depend on it, on a condition', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-chart-'));
  try {
    mkdirSync(join(folder, 'charts'));
    cpSync(CHART, join(folder, 'charts/cdsp'), { recursive: true });
    const dependencies = [{ name: 'cdsp', version: '0.1.0', condition: 'cdsp.enabled' }];
    writeFileSync(join(folder, 'Chart.yaml'), JSON.stringify({ apiVersion: 'v2', name: 'platform', version: '1.0.0', dependencies }));
    const values = { global: { team: 'vision' }, cdsp: { enabled: true, replicas: 2, crds: { enabled: false } } };
    const rendered = await withValues(values, (file) => helm('template', 'platform', folder, '--values', file));
    assert.match(rendered, 'name: "platform-cdsp"');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
