import { dump } from 'js-yaml';
import { z } from 'zod';
import { ChartValues } from './values.ts';

/** What zod writes of a schema, as far as it matters here. */
type JsonSchema = Readonly<Record<string, unknown>> & {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
};

const COLUMNS = 120;
const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const schemaOfValues = () => z.toJSONSchema(ChartValues, { target: 'draft-7', io: 'input', reused: 'inline' }) as JsonSchema;

/** zod bounds every integer by what a double holds exactly. */
const isSafeBound = (value: unknown) => typeof value === 'number' && Math.abs(value) === Number.MAX_SAFE_INTEGER;

/** Without what only the API server reads, and closed: a key that is not known is refused wherever keys are listed. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (!isMapping(node)) return node;
  const entries = Object.entries(node).filter(([keyword, value]) => !keyword.startsWith('x-kubernetes-') && !isSafeBound(value));
  const schema = Object.fromEntries(entries.map(([keyword, value]) => [keyword, closed(value)]));
  return isMapping(node.properties) ? { ...schema, additionalProperties: false } : schema;
}

/** Null is in order: the operator has the defaults of `config` itself, and a container may do without `resources`. */
const MAY_BE_NULL = new Set(['config', 'resources']);

const isSection = (node: JsonSchema, value: unknown): value is Record<string, unknown> =>
  isMapping(value) && node.properties !== undefined && Object.keys(value).length > 0;

/** Whether nothing can stand in for a value: it is neither off nor empty by default, nor a list or map that may be empty. */
const isNeeded = (node: JsonSchema, value: unknown): boolean =>
  typeof value === 'object' ? isSection(node, value) || node.minItems !== undefined : Boolean(value);

/** Null takes a default away. What the chart cannot do without is refused by its name then; anything else is as if it were empty. */
function withNeeds(schema: JsonSchema, defaults: Record<string, unknown>): JsonSchema {
  const { properties = {} } = schema;
  const needed = Object.keys(properties).filter((name) => !MAY_BE_NULL.has(name) && isNeeded(properties[name], defaults[name]));
  if (needed.length === 0) return schema;
  const inside = needed.map((name) => {
    const value = defaults[name];
    return [name, isMapping(value) ? withNeeds(properties[name], value) : properties[name]] as const;
  });
  return { ...schema, properties: { ...properties, ...Object.fromEntries(inside) }, required: needed };
}

/** helm/cdsp/values.schema.json, against which Helm holds values. */
export const buildValuesSchema = (): string =>
  `${JSON.stringify(withNeeds(closed(schemaOfValues()) as JsonSchema, ChartValues.parse({})), null, 2)}\n`;

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const indented = (text: string) => text.trimEnd().replace(/^(?=.)/gm, '  ');

/** One value with its comment; a section's values below it. */
function entry(name: string, node: JsonSchema, value: unknown, depth: number): string {
  const fields = isSection(node, value) || node.properties === undefined ? '' : ` Fields: ${Object.keys(node.properties).join(', ')}.`;
  const comment = wrap(`${node.description ?? ''}${fields}`, COLUMNS - 2 - 2 * depth).map((line) => `# ${line}\n`);
  const gap = depth === 0 ? '\n' : '';
  if (value === undefined) return `${gap}${comment.join('')}# ${name}:\n`;
  const content = isSection(node, value) ? `${name}:\n${indented(section(node, value, depth + 1))}\n` : dump({ [name]: value });
  return `${gap}${comment.join('')}${content}`;
}

const section = (node: JsonSchema, values: Record<string, unknown>, depth: number): string =>
  Object.entries(node.properties ?? {})
    .map(([name, child]) => entry(name, child, values[name], depth))
    .join('');

/** helm/cdsp/values.yaml: every value with its default and a comment. */
export const buildValuesFile = (): string =>
  `# Values of the chart. Generated from operator/chart/values.ts; \`npm run generate\` writes it anew.\n${section(schemaOfValues(), ChartValues.parse({}), 0)}`;
