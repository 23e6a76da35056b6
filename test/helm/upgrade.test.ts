// Helm upgrades a release on a real API server, from one version of the chart to the next. Nothing runs.
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { CHART, OPERATOR_NAMESPACE, RELEASE } from '../cluster/installed-operator.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { helm } from './helm.ts';

const reason = whyNoPrograms([...CONTROL_PLANE, 'helm']);
const clusterTest = clusterTests(reason);

let cluster: ControlPlane;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await startControlPlane({ say: console.log }));
});

const onCluster = (...args: string[]): Promise<string> => helm(...args, '--kubeconfig', cluster.kubeconfig);

/** The chart as a later version may be: with a section more, which its schema asks for like all others. */
function laterChart(): string {
  const folder = join(cluster.workspace.folder, 'later');
  cpSync(CHART, folder, { recursive: true });
  appendFileSync(join(folder, 'values.yaml'), 'retention:\n  days: 30\n');
  const file = join(folder, 'values.schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as { properties: object; required: string[] };
  const properties = { ...schema.properties, retention: { type: 'object' } };
  writeFileSync(file, JSON.stringify({ ...schema, properties, required: [...schema.required, 'retention'] }));
  return folder;
}

/** What the guide adds to `helm upgrade cdsp helm/cdsp`. */
function flagsOfGuide(): string[] {
  const guide = readFileSync('docs/install.md', 'utf8');
  const [, flags = ''] = /^helm upgrade cdsp helm\/cdsp (.*)$/m.exec(guide) ?? [];
  return flags.split(' ');
}

clusterTest('the guide’s upgrade keeps the values that were given and takes the defaults of the new chart', async () => {
  const given = ['--set', 'crds.enabled=false,config.parallelism=3'];
  await onCluster('install', RELEASE, CHART, '--namespace', OPERATOR_NAMESPACE, '--create-namespace', ...given);
  await onCluster('upgrade', RELEASE, laterChart(), ...flagsOfGuide());
  const used = await onCluster('get', 'values', RELEASE, '--namespace', OPERATOR_NAMESPACE, '--all', '--output', 'json');
  const { config, retention } = JSON.parse(used) as { config: { parallelism: number }; retention?: object };
  assert.is(config.parallelism, 3);
  assert.equal(retention, { days: 30 });
});

test.run();
