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
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'required',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] satisfies (keyof SchemaNode)[]);
const BOUNDS = new Set<string>(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] satisfies (keyof SchemaNode)[]);

/** zod bounds every integer by what a double holds exactly; the format says as much. */
const isRealBound = (value: unknown) => typeof value !== 'number' || Math.abs(value) < Number.MAX_SAFE_INTEGER;

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

/**
 * A schema tree as the API server's structural schema. Refuses what is not structural (unions, references …) rather than
 * drop it: a dropped keyword would be a check that a cluster does not make.
 * @throws Error naming the field and the keyword
 */
export function structuralSchema(node: SchemaNode, path: string): SchemaNode {
  const structural: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(node)) {
    if (keyword === '$schema' || keyword === 'additionalProperties' || keyword === 'propertyNames') continue;
    else if (COPIED.has(keyword)) structural[keyword] = value;
    else if (BOUNDS.has(keyword)) {
      if (isRealBound(value)) structural[keyword] = value;
    } else if (keyword === 'items') structural.items = structuralSchema(value as SchemaNode, `${path}[]`);
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

/** Of an object's metadata a schema may restrict the name alone. */
function metadataSchema(): SchemaNode {
  const { name } = schemaTree(ObjectMeta).properties ?? {};
  return { type: 'object', properties: { name: structuralSchema(name, 'metadata.name') } };
}

const COLUMNS = [
  { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
  { name: 'Stage', type: 'string', jsonPath: '.status.stage' },
  { name: 'Progress', type: 'integer', jsonPath: '.status.progress', description: 'Per cent of the stage.' },
  { name: 'Loss', type: 'number', jsonPath: '.status.loss' },
  { name: 'mIoU', type: 'number', jsonPath: '.status.meanIou' },
  { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Succeeded")].reason', priority: 1 },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

/** The CustomResourceDefinition of CDSPExperiment. */
export function buildExperimentCrd() {
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
        categories: ['all'],
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
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: metadataSchema(),
                spec: structuralSchema(schemaTree(ExperimentSpec), 'spec'),
                status: structuralSchema(schemaTree(ExperimentStatus), 'status'),
              },
            },
          },
        },
      ],
    },
  };
}
