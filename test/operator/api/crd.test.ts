import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { buildExperimentCrd, structuralSchema } from '../../../operator/api/crd.ts';
import { Experiment } from '../../../operator/api/experiment.ts';
import { ExperimentError } from '../../../operator/api/findings.ts';
import { generatedFiles, outdatedFiles } from '../../../operator/api/generate.ts';
import { validateExperiment } from '../../../operator/api/parse.ts';
import { schemaTree } from '../../../operator/api/schema-tree.ts';
import type { SchemaNode } from '../../../operator/api/schema-tree.ts';
import { ExperimentStatus } from '../../../operator/api/status.ts';
import { applyDefaults, refusals } from './api-server.ts';
import { AGAINST_RULES, manifest, VALID } from './manifests.ts';

const [version] = buildExperimentCrd().spec.versions;
const root = version.schema.openAPIV3Schema as SchemaNode;
const spec = root.properties?.spec ?? {};

/** Every node of a schema with its path. */
function* nodes(node: SchemaNode, path: string): Generator<[path: string, node: SchemaNode]> {
  yield [path, node];
  for (const [name, child] of Object.entries(node.properties ?? {})) yield* nodes(child, `${path}.${name}`);
  if (node.items !== undefined) yield* nodes(node.items, `${path}[]`);
  if (typeof node.additionalProperties === 'object') yield* nodes(node.additionalProperties, `${path}.*`);
}
const all = [...nodes(root, '')];

const ALLOWED = new Set(
  `type description default enum format pattern minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems
  required properties items additionalProperties x-kubernetes-validations x-kubernetes-list-type x-kubernetes-list-map-keys`.split(/\s+/),
);

test('regenerating leaves no difference', () => {
  assert.equal(outdatedFiles(), []);
  assert.ok(generatedFiles().has('crds/cdsp.dev_cdspexperiments.yaml'));
});

test('the schema is structural: a type everywhere, no keyword that the API server refuses', () => {
  for (const [path, node] of all) {
    assert.ok(['object', 'array', 'string', 'integer', 'number', 'boolean'].includes(node.type ?? ''), `${path} has type ${node.type}`);
    for (const keyword of Object.keys(node)) assert.ok(ALLOWED.has(keyword), `${path}: ${keyword}`);
    assert.not(node.properties !== undefined && node.additionalProperties !== undefined, `${path}: properties and additionalProperties`);
    if (node.type === 'array') assert.ok(node.items, `${path} has no items`);
    for (const bound of ['exclusiveMinimum', 'exclusiveMaximum'] as const) {
      assert.ok(node[bound] === undefined || typeof node[bound] === 'boolean', `${path}: ${bound} is a boolean in OpenAPI 3.0`);
    }
  }
});

test('every default satisfies its schema and rules as it stands: the API server asks that before it fills in what lies below', () => {
  const defaults = all.filter(([, node]) => node.default !== undefined);
  assert.ok(defaults.length > 50);
  assert.equal(
    defaults.flatMap(([path, node]) => refusals(node.default, node, path)),
    [],
  );
});

test('nothing but the name is restricted in the metadata', () => {
  assert.equal(Object.keys(root.properties?.metadata ?? {}), ['type', 'properties']);
  assert.equal(Object.keys(root.properties?.metadata.properties ?? {}), ['name']);
});

test('the keys of list maps are required in their items', () => {
  const maps = all.filter(([, node]) => node['x-kubernetes-list-type'] === 'map');
  assert.equal(
    maps.map(([path]) => path),
    ['.status.conditions', '.status.stages'],
  );
  for (const [path, node] of maps) {
    for (const key of node['x-kubernetes-list-map-keys'] ?? []) assert.ok(node.items?.required?.includes(key), `${path}: ${key}`);
  }
});

test('every field of the spec is described', () => {
  const ofToleration = /tolerations\[\]/;
  const bare = [...nodes(spec, 'spec')].filter(([path, node]) => node.description === undefined && !/(\[\]|\.\*)$/.test(path));
  assert.equal(
    bare.map(([path]) => path).filter((path) => !ofToleration.test(path)),
    ['spec'],
  );
});

test('printer columns point at fields of the status', () => {
  for (const { name, jsonPath } of version.additionalPrinterColumns) {
    const [, field] = /^\.status\.(\w+)/.exec(jsonPath) ?? [];
    if (field === undefined) assert.is(jsonPath, '.metadata.creationTimestamp', name);
    else assert.ok(field in ExperimentStatus.shape, name);
  }
});

test('every default is valid where it is applied', () => {
  for (const [path, node] of all) {
    if (node.default === undefined) continue;
    // A rule may need siblings that defaults do not give: none of ours does.
    assert.equal(refusals(applyDefaults(node.default, node), node, path), [], path);
  }
});

for (const [why, value] of VALID) {
  test(`defaulting in a cluster equals parse(): ${why}`, () => {
    const defaulted = applyDefaults(value, root) as { spec: unknown };
    assert.equal(refusals(defaulted, root, ''), []);
    assert.equal(defaulted.spec, validateExperiment(value).spec);
  });
}

for (const [why, value, field] of AGAINST_RULES) {
  test(`the CEL rule refuses what parse() refuses, with its words: ${why}`, () => {
    const inCluster = refusals(applyDefaults(value, root), root, '').map((refusal) => ({ ...refusal, field: refusal.field.slice(1) }));
    assert.equal(
      inCluster.map((refusal) => refusal.field),
      [field],
    );
    assert.throws(
      () => validateExperiment(value),
      (error: unknown) => error instanceof ExperimentError && error.findings[0].message === inCluster[0].message,
    );
  });
}

test('every rule of the schema is broken by some manifest of the table', () => {
  const broken = new Set(
    AGAINST_RULES.flatMap(([, value]) => refusals(applyDefaults(value, root), root, '').map(({ message }) => message)),
  );
  const messages = all.flatMap(([, node]) => node['x-kubernetes-validations'] ?? []).map(({ message }) => message);
  assert.equal(
    messages.filter((message) => !broken.has(message)),
    [],
  );
});

const wrongValues: [why: string, spec: Record<string, unknown>][] = [
  ['a number below its limit', { segment: { epochs: 0, warmupEpochs: 0 } }],
  ['a number at an open limit', { classify: { learningRate: 0 } }],
  ['a fraction for a whole number', { retries: 1.5 }],
  ['a text for a number', { seed: 'x' }],
  ['a list for a mapping', { losses: [] }],
  ['an unknown backbone', { model: { backbone: 'vgg' } }],
  ['an empty list', { evaluation: { scales: [] } }],
  ['a scale of 0', { evaluation: { scales: [0] } }],
  ['no path in a folder', { dataset: { folder: {} } }],
  ['a digest of another form', { dataset: { generator: {}, digest: 'md5:0' } }],
  ['null in a list', { pseudoLabels: { scales: [null] } }],
  ['a number as a label', { placement: { default: { nodeSelector: { a: 1 } } } }],
];
for (const [why, value] of wrongValues) {
  test(`a cluster and parse() both refuse: ${why}`, () => {
    assert.ok(refusals(applyDefaults(manifest(value), root), root, '').length > 0);
    assert.throws(() => validateExperiment(manifest(value)), /spec/);
  });
}

test('what is not structural is refused, not dropped', () => {
  const union = schemaTree(z.object({ a: z.union([z.string(), z.number()]) }));
  assert.throws(() => structuralSchema(union, 'spec'), /spec\.a: anyOf has no place/);
});

test('the schema tree is that of the experiment', () => {
  assert.equal(Object.keys(schemaTree(Experiment).properties ?? {}), ['apiVersion', 'kind', 'metadata', 'spec']);
});

test.run();
