// Names that YAML takes for other types where they stand bare, and values that null takes away.
import { CORE_SCHEMA, loadAll, YAML11_SCHEMA } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ChartValues } from '../../operator/chart/values.ts';
import type { ChartValuesInput } from '../../operator/chart/values.ts';
import { buildValuesSchema } from '../../operator/chart/build-values.ts';
import { CHART } from '../cluster/installed-operator.ts';
import { find, helm, helmTest, render, withValues } from './helm.ts';
import type { KubernetesObject } from './helm.ts';

/** Kubernetes reads YAML 1.1 for the most part, where `no` is a boolean; what is a number in either version must not be one here. */
const VERSIONS = { '1.1': YAML11_SCHEMA, '1.2': CORE_SCHEMA };

interface Names {
  readonly release: string;
  readonly releaseNamespace: string;
  readonly namespaces: string[];
  readonly other: string;
  readonly secret: string;
}

/** Everything that has a name, with the names given. */
const valuesWith = ({ namespaces, other, secret }: Names, own: ChartValuesInput): ChartValuesInput => ({
  replicas: 2,
  namespaces,
  imagePullSecrets: [secret],
  priorityClassName: other,
  podLabels: { team: other },
  podAnnotations: { team: other },
  nodeSelector: { pool: other },
  crds: { enabled: false },
  networkPolicy: { stageNamespaces: [other], apiServer: { cidrs: ['::/0'] } },
  monitoring: {
    service: { annotations: { team: other } },
    serviceMonitor: { enabled: true, labels: { release: other } },
    podMonitor: { enabled: true, labels: { release: other } },
    prometheusRule: { enabled: true, labels: { release: other } },
    dashboard: { enabled: true, labels: { grafana_dashboard: other }, annotations: { grafana_folder: other } },
  },
  argocd: { enabled: true, namespace: other },
  ...own,
});

const renderedWith = (names: Names, own: ChartValuesInput): Promise<string> =>
  withValues(valuesWith(names, own), (file) =>
    helm('template', names.release, CHART, '--namespace', names.releaseNamespace, '--values', file),
  );

const isMapping = (node: unknown): node is Record<string, unknown> => typeof node === 'object' && node !== null && !Array.isArray(node);

/** The same with a type in place of each value. */
function typesOf(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(typesOf);
  if (!isMapping(node) || node instanceof Date) return node === null ? 'null' : typeof node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, typesOf(value)]));
}

const PLAIN: Names = {
  release: 'vision',
  releaseNamespace: 'cdsp-system',
  namespaces: ['team-a', 'team-b'],
  other: 'team-c',
  secret: 'registry',
};
const ODD: Names = { release: '1234', releaseNamespace: '0x1f', namespaces: ['no', '2024'], other: 'null', secret: '1e3' };
const OWN_NAMES: [why: string, plain: ChartValuesInput, odd: ChartValuesInput][] = [
  ['made of the release', {}, {}],
  ['of the release alone', { nameOverride: 'vision' }, { nameOverride: '1234' }],
  [
    'of their own, in the whole cluster',
    { namespaces: [], fullnameOverride: 'scribbles', serviceAccount: { create: false, name: 'existing' } },
    { namespaces: [], fullnameOverride: 'true', serviceAccount: { create: false, name: '012' } },
  ],
];

for (const [why, plain, odd] of OWN_NAMES) {
  helmTest(`names that look like numbers and booleans change the type of nothing, with names ${why}`, async () => {
    const expected = typesOf(loadAll(await renderedWith(PLAIN, plain)));
    const text = await renderedWith(ODD, odd);
    for (const [version, schema] of Object.entries(VERSIONS)) assert.equal(typesOf(loadAll(text, { schema })), expected, `YAML ${version}`);
  });
}

helmTest('objects are in the namespaces no and 2024, with the labels of the release 1234', async () => {
  const objects = loadAll(await renderedWith(ODD, {}), { schema: YAML11_SCHEMA }) as KubernetesObject[];
  const roles = objects.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === '1234-cdsp');
  assert.equal(
    roles.map(({ metadata }) => [metadata.namespace, metadata.labels?.['app.kubernetes.io/instance']]),
    [
      ['no', '1234'],
      ['2024', '1234'],
    ],
  );
});

const DEFAULTS: Record<string, unknown> = ChartValues.parse({});
interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** Null for every value that the schema lets go. */
function nullsFor({ properties = {}, required = [] }: Schema, defaults: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(defaults).flatMap(([name, value]): [string, unknown][] => {
    if (!required.includes(name)) return [[name, null]];
    return isMapping(value) ? [[name, nullsFor(properties[name], value)]] : [];
  });
  return Object.fromEntries(entries);
}

const NULLS = nullsFor(JSON.parse(buildValuesSchema()) as Schema, DEFAULTS);
const NO_CRDS = ['--set', 'crds.enabled=false'];
const ALL_ON = ['argocd', 'monitoring.serviceMonitor', 'monitoring.podMonitor', 'monitoring.prometheusRule', 'monitoring.dashboard'].flatMap(
  (section) => ['--set', `${section}.enabled=true`],
);

function* nullsIn(node: unknown, path: string): Generator<string> {
  if (node === null) yield path;
  if (typeof node !== 'object' || node === null) return;
  for (const [key, child] of Object.entries(node)) yield* nullsIn(child, `${path}.${key}`);
}

helmTest('every list and map may be null, and nothing that is rendered is null then', async () => {
  for (const name of ['namespaces', 'resources', 'nodeSelector', 'imagePullSecrets', 'config']) assert.is(NULLS[name], null, name);
  const objects = await render(NULLS, ...NO_CRDS, ...ALL_ON);
  assert.equal(
    objects.flatMap((object) => [...nullsIn(object, object.kind)]),
    [],
  );
});

helmTest('what is empty by default is as empty when it is null', async () => {
  const emptied = { namespaces: null, imagePullSecrets: null, nodeSelector: null, tolerations: null, podLabels: null, priorityClassName: null };
  const networkPolicy = { stageNamespaces: null, metricsFrom: null, apiServer: { cidrs: null } };
  assert.equal(await render({ ...emptied, networkPolicy } as never, ...NO_CRDS), await render({}, ...NO_CRDS));
});

helmTest('namespaces of either list get their policies when the other one is null', async () => {
  const policiesWith = async (values: unknown) =>
    (await render(values as never, ...NO_CRDS)).filter(({ metadata }) => metadata.name === 'cdsp-stages').map(({ metadata }) => metadata.namespace);
  assert.equal(await policiesWith({ namespaces: null, networkPolicy: { stageNamespaces: ['team-a'] } }), ['team-a']);
  assert.equal(await policiesWith({ namespaces: ['team-a'], networkPolicy: { stageNamespaces: null } }), ['team-a']);
});

helmTest('resources: null leaves the container without any, and a part of them that is null is left out', async () => {
  const resourcesWith = async (resources: unknown) => {
    const { template } = find(await render({ resources } as never, ...NO_CRDS), 'Deployment')?.spec as {
      template: { spec: { containers: { resources?: unknown }[] } };
    };
    return template.spec.containers[0].resources;
  };
  assert.is(await resourcesWith(null), undefined);
  assert.equal(await resourcesWith({ limits: null }), { requests: { cpu: '50m', memory: '128Mi' } });
});

test.run();
