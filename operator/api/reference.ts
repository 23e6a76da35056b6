import { API_VERSION, ExperimentSpec, KIND } from './experiment.ts';
import { schemaTree } from './schema-tree.ts';
import type { SchemaNode } from './schema-tree.ts';
import { ExperimentStatus } from './status.ts';

/** "number, > 0, ≤ 4" */
function typeText(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.type === 'array' && node.items !== undefined) {
    const { minItems, maxItems } = node;
    const count = minItems !== undefined && maxItems !== undefined ? ` of ${minItems}–${maxItems}` : '';
    if (isListOfMappings(node)) return `list of mappings${maxItems === undefined ? '' : `, at most ${maxItems}`}`;
    return `list${count}: ${typeText(node.items)}`;
  }
  const isOpenMapping = node.type === 'object' && typeof node.additionalProperties === 'object';
  if (isOpenMapping) return 'mapping of texts';
  const names: Record<string, string> = { integer: 'whole number', boolean: '`true`, `false`', string: 'text' };
  const bounds: string[] = [];
  const isReal = (value: number | undefined): value is number => value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  if (isReal(node.minimum)) bounds.push(`${node.exclusiveMinimum ? '>' : '≥'} ${node.minimum}`);
  if (isReal(node.maximum)) bounds.push(`${node.exclusiveMaximum ? '<' : '≤'} ${node.maximum}`);
  return [names[node.type ?? ''] ?? node.type ?? '', ...bounds].join(', ');
}

/** Text that is safe in a cell of a Markdown table. */
export const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function rules(node: SchemaNode): string {
  const messages = (node['x-kubernetes-validations'] ?? []).map(({ message, fieldPath }) =>
    fieldPath === undefined ? message : `${fieldPath.slice(1)}: ${message}`,
  );
  return messages.length === 0 ? '' : `Rule: ${messages.join('; ')}.`;
}

function defaultText(node: SchemaNode, isRequired: boolean): string {
  if (isRequired) return 'required';
  return node.default === undefined ? '' : `\`${JSON.stringify(node.default)}\``;
}

/** Kubernetes' own types, which its reference explains. */
const KUBERNETES_TYPES: Record<string, string> = {
  affinity: '[Affinity](https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/) of a pod',
  tolerations: 'list of [tolerations](https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/)',
  topologySpreadConstraints: 'list of [constraints](https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/)',
};

/** Lists whose entries are mappings have a section for these. */
const isListOfMappings = ({ type, items }: SchemaNode): boolean => type === 'array' && items?.properties !== undefined;

/** What the third column says: in a spec the default, in a status whether the field is always there. */
type Column = (node: SchemaNode, isRequired: boolean) => string;

const presenceText: Column = (_node, isRequired) => (isRequired ? 'always' : '');

interface Fields {
  readonly rows: readonly string[];
  /** Sections below this one. */
  readonly nested: readonly [path: string, node: SchemaNode][];
}

/** The fields of a mapping; those that are mappings themselves are sections. */
function fieldsOf(node: SchemaNode, path: string, inherited: unknown, column: Column): Fields {
  const given = (inherited ?? {}) as Record<string, unknown>;
  const fields = Object.entries(node.properties ?? {}).map(([name, field]): [string, SchemaNode] => [
    name,
    Object.hasOwn(given, name) ? { ...field, default: given[name] } : field,
  ]);
  const isRow = (name: string, field: SchemaNode) => name in KUBERNETES_TYPES || field.properties === undefined;
  const rows = fields
    .filter(([name, field]) => isRow(name, field))
    .map(([name, field]) => {
      const text = [field.description ?? '', rules(field)].filter((part) => part !== '').join(' ');
      const isRequired = node.required?.includes(name) ?? false;
      return `| \`${name}\` | ${cell(KUBERNETES_TYPES[name] ?? typeText(field))} | ${cell(column(field, isRequired))} | ${cell(text)} |`;
    });
  const nested = fields.flatMap(([name, field]): [string, SchemaNode][] => {
    if (!isRow(name, field)) return [[`${path}.${name}`, field]];
    return isListOfMappings(field) && !(name in KUBERNETES_TYPES) ? [[`${path}.${name}[]`, field.items ?? {}]] : [];
  });
  return { rows, nested };
}

/** From so many fields on, a sibling that has them all is named instead of repeating them. */
const WORTH_NAMING = 8;

/** One table for a section's own fields, then its sub-sections. */
function section(node: SchemaNode, path: string, inherited: unknown, column: Column, sibling?: Fields & { path: string }): string[] {
  const { rows, nested } = fieldsOf(node, path, inherited, column);
  const repeats = sibling !== undefined && sibling.rows.length >= WORTH_NAMING && sibling.rows.every((row) => rows.includes(row));
  const own = repeats ? rows.filter((row) => !sibling.rows.includes(row)) : rows;
  const same = repeats ? [`The same fields as \`${sibling.path}\`${own.length > 0 ? ', and' : '.'}`, ''] : [];
  const third = column === presenceText ? 'There' : 'Default';
  const table = own.length === 0 ? [] : [`| Field | Value | ${third} | |`, '|---|---|---|---|', ...own, ''];
  const head = [`## ${path}`, '', ...[node.description ?? '', rules(node)].filter((part) => part !== '').flatMap((part) => [part, ''])];
  if (repeats) return [...head, ...same, ...table];
  return [...head, ...table, ...sectionsBelow(nested, column)];
}

/** Sections of one level; each may name the first of them. */
function sectionsBelow(nested: Fields['nested'], column: Column): string[] {
  if (nested.length === 0) return [];
  const [[firstPath, firstNode]] = nested;
  const first = { path: firstPath, ...fieldsOf(firstNode, firstPath, firstNode.default, column) };
  return nested.flatMap(([path, node], index) => section(node, path, node.default, column, index === 0 ? undefined : first));
}

/** docs/reference/experiment.md: every field with its values, default and meaning. */
export function buildReference(): string {
  return [
    `# ${KIND}`,
    '',
    `Every field of an experiment, \`apiVersion: ${API_VERSION}\`. Generated from the schema in operator/api; \`npm run generate\` writes it anew.`,
    '',
    'First the spec, which people write, then [the status](#status), which a cluster reports. A key that is not listed here is refused, with the nearest known name.',
    'On one’s own machine relative paths start at the YAML file; in a cluster all paths start at the root of the claim or image. Lengths are in pixels.',
    '"Cluster:" marks what has no effect on one’s own machine, "Local runs:" what has none in a cluster.',
    '',
    ...section(schemaTree(ExperimentSpec), 'spec', undefined, defaultText),
    ...section(schemaTree(ExperimentStatus), 'status', undefined, presenceText),
  ].join('\n');
}
