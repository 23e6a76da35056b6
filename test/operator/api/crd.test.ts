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
import { applyDefaults, isTransition, refusals } from './api-server.ts';
import { AGAINST_RULES, VALID, WRONG_VALUES } from './manifests.ts';

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
  `type description default enum format pattern minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems maxProperties
  required properties items additionalProperties x-kubernetes-validations x-kubernetes-list-type x-kubernetes-list-map-keys x-kubernetes-map-type`.split(
    /\s+/,
  ),
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

/** Whether nothing says how long a text, a list or a mapping may become. */
function isEndless({ type, enum: choices, maxLength, maxItems, maxProperties, properties }: SchemaNode): boolean {
  if (type === 'string') return choices === undefined && maxLength === undefined;
  if (type === 'array') return maxItems === undefined;
  return type === 'object' && properties === undefined && maxProperties === undefined;
}

test('every text, list and mapping is bounded, in the spec and in the status', () => {
  // Of these the API server itself takes one value.
  const given = ['.apiVersion', '.kind'];
  assert.equal(
    all.filter(([path, node]) => isEndless(node) && !given.includes(path)).map(([path]) => path),
    [],
  );
  assert.ok(isEndless({ type: 'object', additionalProperties: { type: 'string' } }));
});

test('kubectl apply can remember the definition in an annotation, which holds 256 KiB', () => {
  assert.ok(JSON.stringify(buildExperimentCrd()).length < 224 * 1024);
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
  assert.equal([...new Set(maps.map(([path]) => path.replace(/placement\.\w+/, 'placement.*')))].sort(), [
    '.spec.placement.*.resourceClaims',
    '.status.conditions',
    '.status.results.classes',
    '.status.stages',
    '.status.stages[].losses',
  ]);
  for (const [path, node] of maps) {
    for (const key of node['x-kubernetes-list-map-keys'] ?? []) assert.ok(node.items?.required?.includes(key), `${path}: ${key}`);
  }
});

test('every field of the spec is described', () => {
  const ofPods = /\.(tolerations\[\]|affinity|topologySpreadConstraints\[\])/;
  const bare = [...nodes(spec, 'spec')].filter(([path, node]) => node.description === undefined && !/(\[\]|\.\*)$/.test(path));
  assert.equal(
    bare.map(([path]) => path).filter((path) => !ofPods.test(path.replace(/affinity$/, ''))),
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

/** A pattern, said in words; test/api breaks each of them. */
const isForm = (rule: string, { pattern }: SchemaNode) => pattern !== undefined && rule === `self.matches('${pattern}')`;

test('every pattern is explained by a rule', () => {
  const explained = ({ node }: { node: SchemaNode }) => node['x-kubernetes-validations']?.some(({ rule }) => isForm(rule, node)) ?? false;
  const patterns = all.map(([path, node]) => ({ path, node })).filter(({ node }) => node.pattern !== undefined);
  assert.ok(patterns.length > 20);
  assert.equal(
    patterns.filter((place) => !explained(place)).map(({ path }) => path),
    ['.metadata.name'],
  );
  assert.is(root['x-kubernetes-validations']?.[0].fieldPath, '.metadata.name');
});

test('every rule of the schema is broken by some manifest of the table', () => {
  const broken = new Set(AGAINST_RULES.flatMap(([, value]) => refusals(applyDefaults(value, root), root, '').map(({ rule }) => rule)));
  const rules = all
    .filter(([path]) => path !== '')
    .flatMap(([, node]) => (node['x-kubernetes-validations'] ?? []).filter(({ rule }) => !isTransition(rule) && !isForm(rule, node)));
  assert.equal(
    rules.filter(({ rule }) => !broken.has(rule)),
    [],
  );
});

for (const [why, value] of WRONG_VALUES) {
  test(`a cluster and parse() both refuse: ${why}`, () => {
    assert.ok(refusals(applyDefaults(value, root), root, '').length > 0);
    assert.throws(
      () => validateExperiment(value),
      (error: unknown) => error instanceof ExperimentError,
    );
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
