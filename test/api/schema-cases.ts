// Manifests made from the schema itself: each limit broken, each limit met exactly. What is added to the schema is thereby tried as well.
import type { SchemaNode } from '../../operator/api/schema-tree.ts';
import { manifest } from '../operator/api/manifests.ts';

type Step = string | number;
type Mapping = Record<string, unknown>;

/** A node with the way to it; a number is a place in a list. */
interface Place {
  readonly path: readonly Step[];
  readonly node: SchemaNode;
  /** The least valid value of the whole, around this place. */
  readonly wrap: (value: unknown) => unknown;
}

export interface SchemaCase {
  readonly why: string;
  readonly field: string;
  readonly manifest: Mapping;
}

/** A value that satisfies the node by itself, with required fields only; rules between fields may want more. */
function least(node: SchemaNode): unknown {
  const { type, properties = {}, required = [], items = {}, minItems = 0 } = node;
  if (node.enum !== undefined) return node.enum[0];
  if (type === 'object') return Object.fromEntries(required.map((name) => [name, least(properties[name])]));
  if (type === 'array') return Array.from({ length: minItems }, (_, index) => varied(items, index));
  if (type === 'string') return textFor(node);
  return type === 'boolean' ? true : numberFor(node);
}

const EXAMPLES = ['a', 'example.org/a', '4', `sha256:${'0a'.repeat(32)}`];

function textFor({ pattern, minLength = 0 }: SchemaNode): string {
  const text = EXAMPLES.find((example) => example.length >= minLength && (pattern === undefined || new RegExp(pattern).test(example)));
  if (text === undefined) throw new Error(`no example of a text for ${pattern}`);
  return text;
}

function numberFor({ type, minimum = 0, maximum, exclusiveMinimum }: SchemaNode): number {
  if (minimum < 0) return 1;
  if (!exclusiveMinimum) return minimum;
  return type === 'integer' ? minimum + 1 : (minimum + (maximum ?? minimum + 2)) / 2;
}

/** The `index`th of values that differ from each other. */
function varied(node: SchemaNode, index: number): unknown {
  const value = least(node);
  if (typeof value === 'string' && node.enum === undefined) return index === 0 ? value : `${value}${index}`;
  if (typeof value === 'number') return node.type === 'integer' ? value + index : value + index / 1000;
  if (node.enum !== undefined) return node.enum[index % node.enum.length];
  return { ...(value as Mapping), ...(node.properties?.name === undefined ? {} : { name: `n${index}` }) };
}

/** The stages' placements have the same fields: two of them are enough, one without and one with shards. */
const REPEATED = new Set(['placement.classify', 'placement.pseudoLabel', 'placement.segment']);

/** What has to stand beside a field of Kubernetes' types so that no rule is broken. */
function besides(path: readonly Step[], name: string): Mapping {
  const parent = path.findLast((step) => typeof step === 'string');
  if (parent === 'tolerations') return { key: 'a', ...(name === 'tolerationSeconds' ? { effect: 'NoExecute' } : {}) };
  if (parent === 'matchExpressions') return name === 'operator' ? { values: ['1'] } : { operator: 'In', values: ['a'] };
  if (name === 'minDomains') return { whenUnsatisfiable: 'DoNotSchedule' };
  return name.endsWith('LabelKeys') ? { labelSelector: {} } : {};
}

function* places(place: Place): Generator<Place> {
  const { path, node, wrap } = place;
  if (REPEATED.has(path.join('.'))) return;
  yield place;
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const around = { ...(least(node) as Mapping), ...besides(path, name) };
    yield* places({ path: [...path, name], node: child, wrap: (value) => wrap({ ...around, [name]: value }) });
  }
  if (node.items !== undefined) {
    const others = Array.from({ length: Math.max(0, (node.minItems ?? 0) - 1) }, (_, index) => varied(node.items ?? {}, index + 1));
    yield* places({ path: [...path, 0], node: node.items, wrap: (value) => wrap([value, ...others]) });
  }
  if (typeof node.additionalProperties === 'object' && node.additionalProperties.type !== undefined)
    yield* places({ path: [...path, 'key'], node: node.additionalProperties, wrap: (value) => wrap({ key: value }) });
}

const fieldOf = (path: readonly Step[]) =>
  path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${step}`), 'spec');

const WRONG_TYPES: Record<string, unknown> = { object: 'text', array: 'text', string: 1, boolean: 'yes', integer: 'text', number: 'text' };

/** A mapping of texts with so many keys. */
const keyed = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'a']));

/** Values that break one limit of the node each. */
function wrongValues(node: SchemaNode): [why: string, value: unknown][] {
  const { minimum, maximum, minLength = 0, maxLength, minItems = 0, maxItems, maxProperties, pattern } = node;
  const whole = node.type === 'integer' ? 1 : 0.001;
  const wrong: [string, unknown][] = [['of another type', WRONG_TYPES[node.type ?? '']]];
  if (node.enum !== undefined) wrong.push(['not among the choices', 'Nonsense']);
  if (node.type === 'integer') wrong.push(['a fraction', numberFor(node) + 0.5], ['beyond what a double holds', 2 ** 53]);
  if (minimum !== undefined) wrong.push(['below its limit', node.exclusiveMinimum ? minimum : minimum - whole]);
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER)
    wrong.push(['above its limit', node.exclusiveMaximum ? maximum : maximum + whole]);
  if (minLength > 0) wrong.push(['too short', '']);
  if (maxLength !== undefined) wrong.push(['too long', 'a'.repeat(maxLength + 1)]);
  if (pattern !== undefined) wrong.push(['of another form', 'A%b']);
  if (minItems > 0) wrong.push(['too few entries', Array.from({ length: minItems - 1 }, (_, index) => varied(node.items ?? {}, index))]);
  if (maxItems !== undefined)
    wrong.push(['too many entries', Array.from({ length: maxItems + 1 }, (_, index) => varied(node.items ?? {}, index))]);
  if (maxProperties !== undefined) wrong.push(['too many keys', keyed(maxProperties + 1)]);
  return wrong;
}

/** Values at the edge of what the node alone allows. */
function edgeValues(node: SchemaNode): [why: string, value: unknown][] {
  const { minimum, maximum, maxLength, maxItems, maxProperties, pattern } = node;
  const edges: [string, unknown][] = (node.enum ?? []).map((value) => [`the choice ${String(value)}`, value]);
  if (minimum !== undefined && !node.exclusiveMinimum) edges.push(['its lower limit', minimum]);
  if (maximum !== undefined && !node.exclusiveMaximum) edges.push(['its upper limit', maximum]);
  if (maxLength !== undefined && (pattern === undefined || new RegExp(pattern).test('a'.repeat(maxLength))))
    edges.push(['its longest', 'a'.repeat(maxLength)]);
  if (maxLength !== undefined && pattern === undefined) edges.push(['its longest, in signs beyond 16 bits', '🐈'.repeat(maxLength)]);
  if (maxItems !== undefined)
    edges.push(['its longest list', Array.from({ length: maxItems }, (_, index) => varied(node.items ?? {}, index))]);
  if (maxProperties !== undefined) edges.push(['its most keys', keyed(maxProperties)]);
  if (node.type === 'boolean') edges.push(['true', true], ['false', false]);
  edges.push(['null', null]);
  return edges;
}

/** What has to stand beside a field so that no rule is broken. */
function manifestAround(path: readonly Step[], spec: Mapping): Mapping {
  const [first, second] = path;
  const dataset = spec.dataset as Mapping | undefined;
  if (first === 'dataset' && (second === 'classes' || second === 'folder')) {
    return manifest({ ...spec, dataset: { folder: { path: 'voc' }, ...dataset } });
  }
  if (first === 'dataset' && second !== undefined) return manifest({ ...spec, dataset: { generator: {}, ...dataset } });
  if (first === 'pseudoLabels' && second === 'external') {
    return manifest({ ...spec, pseudoLabels: { source: 'External', ...(spec.pseudoLabels as Mapping) } });
  }
  if (second === 'epochs') return manifest({ ...spec, [first]: { warmupEpochs: 0, ...(spec[first] as Mapping) } });
  if (second === 'headChannels') return manifest({ ...spec, model: { segmentor: 'deeplabv3plus', ...(spec.model as Mapping) } });
  return manifest(spec);
}

function casesOf(spec: SchemaNode, valuesOf: (node: SchemaNode) => [string, unknown][]): SchemaCase[] {
  const top: Place = { path: [], node: { ...spec, required: [] }, wrap: (value) => value };
  return [...places(top)].flatMap(({ path, node, wrap }) =>
    path.length === 0
      ? []
      : valuesOf(node).map(([why, value]) => {
          const field = fieldOf(path);
          return { why: `${field}: ${why}`, field, manifest: manifestAround(path, wrap(value) as Mapping) };
        }),
  );
}

/** Each limit of each field of the spec broken once. */
export const brokenLimits = (spec: SchemaNode): SchemaCase[] => casesOf(spec, wrongValues);

/** Each limit of each field of the spec met exactly, and null; a rule between fields may still refuse some. */
export const metLimits = (spec: SchemaNode): SchemaCase[] => casesOf(spec, edgeValues);

/** Each required field of each mapping left out once. */
export function missingFields(spec: SchemaNode): SchemaCase[] {
  const top: Place = { path: [], node: { ...spec, required: [] }, wrap: (value) => value };
  return [...places(top)].flatMap(({ path, node, wrap }) =>
    (path.length === 0 ? [] : (node.required ?? [])).map((name) => {
      const value = Object.fromEntries(Object.entries(least(node) as Mapping).filter(([key]) => key !== name));
      const field = `${fieldOf(path)}.${name}`;
      return { why: `${field} is missing`, field, manifest: manifestAround(path, wrap(value) as Mapping) };
    }),
  );
}
