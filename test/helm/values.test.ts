// Values as they are in the repository; Helm is not asked.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ChartValues } from '../../operator/chart/values.ts';
import { OperatorConfig } from '../../operator/config.ts';
import { CHART } from '../cluster/installed-operator.ts';

const read = (path: string) => readFileSync(join(CHART, path), 'utf8');
const text = read('values.yaml');
type Schema = Readonly<Record<string, unknown>> & { properties?: Record<string, Schema>; additionalProperties?: unknown };
const schema = JSON.parse(read('values.schema.json')) as Schema;

function* nodes(node: Schema, path: string): Generator<[path: string, node: Schema]> {
  yield [path, node];
  for (const [name, child] of Object.entries(node.properties ?? {})) yield* nodes(child, `${path}.${name}`);
  if (typeof node.items === 'object' && node.items !== null) yield* nodes(node.items as Schema, `${path}[]`);
}
const all = [...nodes(schema, '')];

test('values.yaml holds every default', () => assert.equal(load(text), ChartValues.parse({})));

test('every value has a comment right above it', () => {
  const lines = text.split('\n');
  const isPart = (line: string) => /^ *(# )?[a-zA-Z]+:( .*)?$/.test(line) && !/^ *# .*: .*\w/.test(line);
  // Values of objects that the chart hands on as they are explain themselves.
  const handedOn = /^( +)(cpu|memory|type|drop|runAs\w+|seccompProfile|allowPrivilegeEscalation|readOnlyRootFilesystem|capabilities|podSelector|matchLabels|grafana_dashboard):/;
  const bare = lines.filter((line, index) => isPart(line) && !handedOn.test(line) && !/^ *#/.test(lines[index - 1] ?? ''));
  assert.equal(bare, []);
});

test('every key of the schema is in values.yaml', () => {
  for (const [path, node] of all) {
    if (node.description === undefined || /\[\]|\.placement\.|\.affinity\./.test(path)) continue;
    assert.match(text, new RegExp(`^ *(# )?${path.split('.').at(-1)}:`, 'm'), path);
  }
});

test('the schema refuses keys that it does not list', () => {
  const open = all.filter(([, node]) => node.properties !== undefined && node.additionalProperties !== false);
  assert.equal(open, []);
  assert.ok(all.filter(([, node]) => node.properties !== undefined).length > 30);
});

test('config has every setting of the operator but those that other objects of the chart depend on as well', () => {
  const settings = Object.keys(OperatorConfig.shape).filter((key) => !['namespaces', 'stageUser'].includes(key));
  assert.equal(Object.keys(schema.properties?.config.properties ?? {}).sort(), settings.sort());
});

test('nothing in the schema is only for the API server', () => {
  assert.equal(
    all.flatMap(([path, node]) => Object.keys(node).filter((keyword) => keyword.startsWith('x-kubernetes')).map((keyword) => `${path} ${keyword}`)),
    [],
  );
});

test('the chart has the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(CHART, '../../package.json'), 'utf8')) as { version: string };
  const chart = load(read('Chart.yaml')) as { version: string; appVersion: string };
  assert.equal([chart.version, chart.appVersion], [version, version]);
});

test('the CRD of the chart is the generated one', () => {
  const name = 'cdsp.dev_cdspexperiments.yaml';
  assert.is(read(`files/crds/${name}`), readFileSync(join(CHART, '../../crds', name), 'utf8'));
});

test.run();
