import { Environment } from '@marcbachmann/cel-js';
import { quantityValue } from '../../../operator/api/quantity.ts';
import type { SchemaNode } from '../../../operator/api/schema-tree.ts';

// What the API server does with an object of a custom resource, in its order: nulls are dropped, defaults filled in, values
// checked against the structural schema, CEL rules run.

type Mapping = Record<string, unknown>;
const isMapping = (value: unknown): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fills in defaults as the API server does: null counts as not given, and a default is itself filled in. */
export function applyDefaults(value: unknown, node: SchemaNode): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => (node.items === undefined ? item : applyDefaults(item, node.items)));
  if (!isMapping(value)) return value;
  const result: Mapping = Object.fromEntries(Object.entries(value).filter(([, child]) => child !== null));
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if (result[name] === undefined && child.default !== undefined) result[name] = structuredClone(child.default);
    if (result[name] !== undefined) result[name] = applyDefaults(result[name], child);
  }
  return result;
}

const TYPES: Record<string, (value: unknown) => boolean> = {
  object: isMapping,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  integer: Number.isSafeInteger,
};

function violations(value: unknown, node: SchemaNode): string[] {
  if (!TYPES[node.type ?? ''](value)) return [`is no ${node.type}`];
  const found: string[] = [];
  if (node.enum !== undefined && !node.enum.includes(value)) found.push('is not in enum');
  if (typeof value === 'number') {
    const { minimum = -Infinity, maximum = Infinity } = node;
    if (value < minimum || (node.exclusiveMinimum && value === minimum)) found.push('is below minimum');
    if (value > maximum || (node.exclusiveMaximum && value === maximum)) found.push('is above maximum');
  }
  if (typeof value === 'string') {
    // Signs beyond 16 bits count once.
    const { length } = [...value];
    if (length < (node.minLength ?? 0) || length > (node.maxLength ?? Infinity)) found.push('has a wrong length');
    if (node.pattern !== undefined && !new RegExp(node.pattern).test(value)) found.push('does not match the pattern');
  }
  if (Array.isArray(value) && (value.length < (node.minItems ?? 0) || value.length > (node.maxItems ?? Infinity))) {
    found.push('has a wrong number of items');
  }
  if (isMapping(value) && Object.keys(value).length > (node.maxProperties ?? Infinity)) found.push('has too many entries');
  if (Array.isArray(value) && node['x-kubernetes-list-type'] === 'map') {
    const keys = value.map((item: Mapping) => JSON.stringify(node['x-kubernetes-list-map-keys']?.map((key) => item[key])));
    if (new Set(keys).size < keys.length) found.push('has an item twice');
  }
  return found;
}

/** The value with CEL's types: int is a bigint, double a number. */
function celValue(value: unknown, node: SchemaNode): unknown {
  if (node.type === 'integer') return BigInt(value as number);
  if (Array.isArray(value)) return value.map((item) => celValue(item, node.items ?? {}));
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, celValue(child, node.properties?.[key] ?? {})]));
}

class Quantity {
  readonly value: number;
  constructor(text: string) {
    this.value = quantityValue(text);
  }
}

/** CEL with those of Kubernetes' functions that rules of new objects use. */
const cel = new Environment({ unlistedVariablesAreDyn: true })
  .registerType('Quantity', Quantity)
  .registerFunction('isQuantity(string): bool', (text: string) => !Number.isNaN(quantityValue(text)))
  .registerFunction('quantity(string): Quantity', (text: string) => new Quantity(text))
  .registerFunction('Quantity.compareTo(Quantity): int', (a: Quantity, b: Quantity) => BigInt(Math.sign(a.value - b.value)));

export interface Refusal {
  readonly field: string;
  readonly message: string;
  /** The CEL rule that is broken, if it is one. */
  readonly rule?: string;
}

/** Rules about a change are not asked of a new object; test/cluster tries them on the real server. */
export const isTransition = (rule: string): boolean => rule.includes('oldSelf');

/** Every violation of the schema and, where its value has none, of its rules. */
export function refusals(value: unknown, node: SchemaNode, field: string): Refusal[] {
  const here = violations(value, node).map((message) => ({ field, message }));
  if (here.length > 0) return here;
  const children: Refusal[] = [];
  if (Array.isArray(value)) value.forEach((item, index) => children.push(...refusals(item, node.items ?? {}, `${field}[${index}]`)));
  if (isMapping(value)) {
    for (const name of node.required ?? []) if (!(name in value)) children.push({ field: `${field}.${name}`, message: 'is missing' });
    for (const [name, child] of Object.entries(value)) {
      const open = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
      const schema = node.properties?.[name] ?? open;
      if (schema !== undefined) children.push(...refusals(child, schema, `${field}.${name}`));
    }
  }
  if (children.length > 0) return children;
  return (node['x-kubernetes-validations'] ?? [])
    .filter(({ rule }) => !isTransition(rule))
    .filter(({ rule }) => cel.evaluate(rule, { self: celValue(value, node) }) !== true)
    .map(({ rule, message, messageExpression, fieldPath = '' }) => ({
      field: `${field}${fieldPath}`,
      message: messageExpression === undefined ? message : String(cel.evaluate(messageExpression, { self: celValue(value, node) })),
      rule,
    }));
}
