import { z } from 'zod';
import { cell } from './reference.ts';
import type { SchemaNode } from './schema-tree.ts';
import { Manifest, StageEvent, StageInput, StageMetrics } from './stage-contract.ts';

/** What a schema of the contract can be, beyond what those of the resource are. */
interface ContractNode extends SchemaNode {
  anyOf?: ContractNode[];
  nullable?: boolean;
}

const treeOf = (schema: z.ZodType) => z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', reused: 'inline' }) as ContractNode;

const NAMES: Readonly<Record<string, string>> = { integer: 'whole number', boolean: '`true`, `false`', string: 'text', object: 'object' };

/** "list: number or null" */
function typeText(node: ContractNode): string {
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(typeText))].join(' or ');
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(', ');
  const orNull = node.nullable === true ? ' or null' : '';
  if (node.type === 'array' && node.items !== undefined) return `list: ${typeText(node.items)}${orNull}`;
  if (node.properties !== undefined) return `object: ${Object.keys(node.properties).join(', ')}`;
  if (typeof node.additionalProperties === 'object') return 'object: value by name';
  return (NAMES[node.type ?? ''] ?? node.type ?? 'anything') + orNull;
}

/** A table of an object's fields. The experiment's spec has a reference of its own. */
function table(schema: z.ZodType): string[] {
  const { properties = {}, required = [] } = treeOf(schema);
  const rows = Object.entries(properties).map(([name, node]) => {
    const type = name === 'spec' ? '[experiment](experiment.md)' : typeText(node);
    return `| \`${name}\` | ${cell(type)} | ${required.includes(name) ? 'yes' : ''} | ${cell(node.description ?? '')} |`;
  });
  return ['| Field | Value | Required | |', '|---|---|---|---|', ...rows, ''];
}

/** A metric: its name, what it means, and its label beside experiment and stage. */
export type MetricDescription = readonly [name: string, help: string, label?: string];

function metricTable(metrics: readonly MetricDescription[]): string[] {
  const rows = metrics.map(([name, help, label]) => `| \`${name}\` | ${label === undefined ? '' : `\`${label}\``} | ${cell(help)} |`);
  return ['| Metric | Label | |', '|---|---|---|', ...rows, ''];
}

/**
 * docs/reference/stage-contract.md: every field that passes between whoever starts a stage and the stage.
 * @param metrics those that the trainer serves
 */
export function buildContractReference(metrics: readonly MetricDescription[]): string {
  return [
    '# Fields of the stage contract',
    '',
    'Generated from operator/api/stage-contract.ts; `npm run generate` writes it anew. What they are for: [trainer-contract.md](../trainer-contract.md).',
    '',
    '## Input: `CDSP_STAGE`',
    '',
    ...table(StageInput),
    '## Events: lines of standard output',
    '',
    ...StageEvent.options.flatMap((option) => [
      `### ${option.shape.type.value}`,
      '',
      option.shape.type.description ?? '',
      '',
      ...table(option),
    ]),
    `A metric is a ${typeText(treeOf(StageMetrics).additionalProperties as ContractNode)}.`,
    '',
    '## Manifest: `manifest.json`',
    '',
    ...table(Manifest),
    '## Metrics: `/metrics`',
    '',
    'Each has the labels `experiment` and `stage`, too.',
    '',
    ...metricTable(metrics),
  ].join('\n');
}
