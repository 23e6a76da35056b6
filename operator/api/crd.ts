import { ExperimentSpec, GROUP, KIND, ObjectMeta, VERSION } from './experiment.ts';
import { schemaTree } from './schema-tree.ts';
import type { SchemaNode } from './schema-tree.ts';
import { ExperimentStatus } from './status.ts';

export const PLURAL = 'cdspexperiments';

/** Keywords that are taken over as they are. */
const COPIED = new Set<string>([
  'type',
  'description',
  'default',
  'enum',
  'format',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
] satisfies (keyof SchemaNode)[]);

/** A default with those of the fields below it: the API server holds a default against the rules as it stands, before it fills in anything. */
function filledIn(value: unknown, { properties = {} }: SchemaNode): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const given = value as Record<string, unknown>;
  const fields = Object.entries(properties).map(([name, child]): [string, unknown] => [
    name,
    filledIn(given[name] ?? child.default, child),
  ]);
  return { ...given, ...Object.fromEntries(fields.filter(([, field]) => field !== undefined)) };
}

/** What the API server finds elsewhere: a rule says with words what `not` says for the chart's values, and keys have rules as well. */
const LEFT_OUT = new Set(['$schema', 'additionalProperties', 'propertyNames', 'not']);

/**
 * A schema tree as the API server's structural schema. Refuses what is not structural (unions, references …) rather than
 * drop it: a dropped keyword would be a check that a cluster does not make.
 * @throws Error naming the field and the keyword
 */
export function structuralSchema(node: SchemaNode, path: string): SchemaNode {
  const structural: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(node)) {
    if (LEFT_OUT.has(keyword)) continue;
    else if (COPIED.has(keyword)) structural[keyword] = value;
    else if (keyword === 'items') structural.items = structuralSchema(value as SchemaNode, `${path}[]`);
    else if (keyword === 'properties') {
      const fields = Object.entries(value as Record<string, SchemaNode>);
      structural.properties = Object.fromEntries(fields.map(([name, child]) => [name, structuralSchema(child, `${path}.${name}`)]));
    } else throw new Error(`${path}: ${keyword} has no place in a structural schema`);
  }
  if (structural.default !== undefined) structural.default = filledIn(structural.default, structural);
  if (node.type === undefined) throw new Error(`${path}: a structural schema needs a type everywhere; unions have none`);
  if (node.type === 'integer') structural.format = 'int64';
  const open = node.additionalProperties;
  if (typeof open === 'object' && open.type !== undefined) structural.additionalProperties = structuralSchema(open, `${path}.*`);
  return structural;
}

/** Of an object's metadata a schema may restrict the name alone, and its rules stand at the object. */
function metadataSchema(): { metadata: SchemaNode; rules: SchemaNode['x-kubernetes-validations'] } {
  const { name } = schemaTree(ObjectMeta).properties ?? {};
  const { 'x-kubernetes-validations': rules = [], ...limits } = structuralSchema(name, 'metadata.name');
  return {
    metadata: { type: 'object', properties: { name: limits } },
    rules: rules.map(({ rule, message }) => ({
      rule: rule.replace(/^self\b/, 'self.metadata.name'),
      message,
      fieldPath: '.metadata.name',
    })),
  };
}

const COLUMNS = [
  { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
  { name: 'Stage', type: 'string', jsonPath: '.status.stage' },
  { name: 'Progress', type: 'integer', jsonPath: '.status.progress', description: 'Per cent of the stage.' },
  { name: 'Loss', type: 'number', jsonPath: '.status.loss' },
  { name: 'mIoU', type: 'number', jsonPath: '.status.meanIou' },
  { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Succeeded")].reason' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

/**
 * The status of an experiment that nobody has seen yet. Without it kstatus (Flux, Helm) would call a new experiment finished until the
 * operator's first word.
 */
const UNSEEN = { observedGeneration: -1 };

/** The CustomResourceDefinition of CDSPExperiment. */
export function buildExperimentCrd() {
  const { metadata, rules } = metadataSchema();
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['cdsp'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: {
            openAPIV3Schema: {
              description: 'Trains a segmentation network from scribbles in four stages: classify, pseudo-label, segment, evaluate.',
              type: 'object',
              required: ['metadata', 'spec'],
              'x-kubernetes-validations': rules,
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata,
                spec: structuralSchema(schemaTree(ExperimentSpec), 'spec'),
                status: { ...structuralSchema(schemaTree(ExperimentStatus), 'status'), default: UNSEEN },
              },
            },
          },
        },
      ],
    },
  };
}
