// The Prometheus operator's kinds, against its own schemas.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CHART } from '../cluster/installed-operator.ts';
import { find, helmTest, render } from './helm.ts';
import { VALUE_SETS } from './value-sets.ts';

const KINDS = { ServiceMonitor, PodMonitor, PrometheusRule };
const { monitored } = VALUE_SETS;

for (const [kind, Model] of Object.entries(KINDS)) {
  helmTest(`${kind} is what the Prometheus operator expects, with the label that a Prometheus selects by`, async () => {
    const object = find(await render(monitored), kind);
    assert.is(object?.metadata.labels?.release, 'prometheus');
    new Model(object as never).validate();
  });
}

helmTest('the validators find what is wrong', async () => {
  const monitor = find(await render(monitored), 'PodMonitor');
  assert.throws(() => new PodMonitor({ ...monitor, spec: { selector: 'all' } } as never).validate(), /spec\/selector|selector/);
});

helmTest('nothing of the kind is there unless asked for', async () => {
  const kinds = (await render({})).map(({ kind }) => kind);
  for (const kind of Object.keys(KINDS)) assert.not(kinds.includes(kind), kind);
});

helmTest('a ServiceMonitor finds the service, and the service the pods', async () => {
  const objects = await render(monitored);
  const service = find(objects, 'Service');
  const { selector } = find(objects, 'ServiceMonitor')?.spec as { selector: { matchLabels: Record<string, string> } };
  for (const [label, value] of Object.entries(selector.matchLabels)) assert.is(service?.metadata.labels?.[label], value, label);
  const { template } = find(objects, 'Deployment')?.spec as { template: { metadata: { labels: Record<string, string> } } };
  const chosen = (service?.spec as { selector: Record<string, string> }).selector;
  for (const [label, value] of Object.entries(chosen)) assert.is(template.metadata.labels[label], value, label);
});

helmTest('every dashboard is in the ConfigMap that Grafana’s sidecar looks for, as JSON', async () => {
  const map = find(await render(monitored), 'ConfigMap', 'cdsp-dashboards');
  assert.is(map?.metadata.labels?.grafana_dashboard, '1');
  assert.equal(Object.keys(map?.data ?? {}).sort(), globSync('*.json', { cwd: join(CHART, 'files/dashboards') }).sort());
  for (const [name, text] of Object.entries(map?.data ?? {})) assert.type((JSON.parse(text) as { title: string }).title, 'string', name);
});

test.run();
