import { API_VERSION, ExperimentSpec, KIND } from './experiment.ts';
import { schemaTree } from './schema-tree.ts';
import type { SchemaNode } from './schema-tree.ts';

/** "number, > 0, ≤ 4" */
function typeText(node: SchemaNode): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.type === 'array' && node.items !== undefined) {
    const { minItems, maxItems } = node;
    const count = minItems !== undefined && maxItems !== undefined ? ` of ${minItems}–${maxItems}` : '';
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
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

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

/** One table for a section's own fields, then its sub-sections. */
function section(node: SchemaNode, path: string, inherited: unknown): string[] {
  const given = (inherited ?? {}) as Record<string, unknown>;
  const fields = Object.entries(node.properties ?? {}).map(([name, field]): [string, SchemaNode] => [
    name,
    Object.hasOwn(given, name) ? { ...field, default: given[name] } : field,
  ]);
  const plain = fields.filter(([, field]) => field.properties === undefined);
  const nested = fields.filter(([, field]) => field.properties !== undefined);
  const rows = plain.map(([name, field]) => {
    const text = [field.description ?? '', rules(field)].filter((part) => part !== '').join(' ');
    const isRequired = node.required?.includes(name) ?? false;
    return `| \`${name}\` | ${cell(typeText(field))} | ${cell(defaultText(field, isRequired))} | ${cell(text)} |`;
  });
  const table = rows.length === 0 ? [] : ['| Field | Value | Default | |', '|---|---|---|---|', ...rows, ''];
  const head = [`## ${path}`, '', ...[node.description ?? '', rules(node)].filter((part) => part !== '').flatMap((part) => [part, ''])];
  return [...head, ...table, ...nested.flatMap(([name, field]) => section(field, `${path}.${name}`, field.default))];
}

/** docs/reference/experiment.md: every field with its values, default and meaning. */
export function buildReference(): string {
  return [
    `# ${KIND}`,
    '',
    `Every field of an experiment, \`apiVersion: ${API_VERSION}\`. Generated from the schema in operator/api; \`npm run generate\` writes it anew.`,
    '',
    'A key that is not listed here is refused, with the nearest known name. Relative paths start at the YAML file. Lengths are in pixels.',
    '',
    ...section(schemaTree(ExperimentSpec), 'spec', undefined),
  ].join('\n');
}
