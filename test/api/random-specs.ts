// Specs by chance, drawn from the schema itself: whatever it allows may come up.
import fc from 'fast-check';
import type { SchemaNode } from '../../operator/api/schema-tree.ts';
import { applyDefaults, refusals } from '../operator/api/api-server.ts';

/** What the schema alone would hardly ever draw rightly: fields of which most texts are refused by a rule. */
const DRAWN: Record<string, fc.Arbitrary<unknown>> = {
  'spec.model.weights': fc.constantFrom('ImageNet', 'None', 'weights/r50.safetensors', 'r101.pth', '/abs/a.pt'),
  // Fewer numbers than a double has: the server writes them as it likes.
  'spec.dataset.digest': fc.constant(`sha256:${'0a'.repeat(32)}`),
};

/** Numbers that people write; doubles of any length are the JSON parser's to test. */
function numbers({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum }: SchemaNode): fc.Arbitrary<number> {
  const low = Math.max(minimum ?? -1000, -1000);
  const high = Math.min(maximum ?? low + 5000, low + 5000);
  if (type === 'integer') return fc.integer({ min: low, max: high });
  return fc
    .double({ min: low, max: high, minExcluded: exclusiveMinimum, maxExcluded: exclusiveMaximum, noNaN: true })
    .map((value) => value + 0);
}

function texts({ pattern, minLength = 0, maxLength = 40 }: SchemaNode): fc.Arbitrary<string> {
  const fits = (text: string) => [...text].length >= minLength && [...text].length <= maxLength;
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern)).filter(fits);
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 20) }).filter(fits);
}

/** Whether a value breaks no rule by the CEL evaluator of the unit tests. */
const isInOrder = (value: unknown, node: SchemaNode): boolean => refusals(applyDefaults(value, node), node, '').length === 0;

function mapping(node: SchemaNode, path: string): fc.Arbitrary<unknown> {
  const { properties, additionalProperties } = node;
  if (properties === undefined) {
    const values = typeof additionalProperties === 'object' ? additionalProperties : {};
    return fc.dictionary(fc.stringMatching(/^[a-z]{1,9}([.]io[/][a-z]{1,9})?$/), specValues(values, `${path}.*`), { maxKeys: 3 });
  }
  const fields = Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, specValues(child, `${path}.${name}`)]));
  return fc.record(fields, { requiredKeys: node.required ?? [] });
}

/** Values of one part of the schema that keep its rules. */
export function specValues(node: SchemaNode, path = 'spec'): fc.Arbitrary<unknown> {
  const drawn = (() => {
    if (path in DRAWN) return DRAWN[path];
    if (node.enum !== undefined) return fc.constantFrom(...node.enum);
    if (node.type === 'array') {
      const { items = {}, minItems = 0, maxItems = 4 } = node;
      return fc.array(specValues(items, `${path}[]`), { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, 4)) });
    }
    if (node.type === 'object') return mapping(node, path);
    if (node.type === 'string') return texts(node);
    return node.type === 'boolean' ? fc.boolean() : numbers(node);
  })();
  const hasRules = node['x-kubernetes-validations'] !== undefined || node['x-kubernetes-list-type'] === 'map';
  return hasRules ? drawn.filter((value) => isInOrder(value, node)) : drawn;
}

const JUNK = [null, '', 'x', -1, 0, 0.5, 1e9, 2 ** 53, true, [], [1, 1], ['a'], {}, { name: 'x' }, '🐈', '../x', 'A B'];

type Tree = Record<string, unknown>;
const isTree = (value: unknown): value is Tree | unknown[] => typeof value === 'object' && value !== null;

/** Ways to every value of a tree, itself left out. */
function ways(value: unknown, way: readonly string[] = []): string[][] {
  if (!isTree(value)) return [];
  return Object.entries(value).flatMap(([key, child]) => [[...way, key], ...ways(child, [...way, key])]);
}

/** A copy in which one value is another, is gone, or has an unknown key beside it. */
function changed(value: unknown, [key, ...rest]: readonly string[], change: (holder: Tree, key: string) => void): unknown {
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as Tree) }) as Tree;
  if (rest.length > 0) copy[key] = changed(copy[key], rest, change);
  else change(copy, key);
  return copy;
}

/** Specs with one thing changed by chance; most are refused, some are not. */
export function mutatedSpecs(specs: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const changes = fc.oneof(
    fc.constantFrom(...JUNK).map((junk) => (holder: Tree, key: string) => void (holder[key] = junk)),
    fc.constant((holder: Tree, key: string) => (Array.isArray(holder) ? void holder.splice(Number(key), 1) : void delete holder[key])),
    fc.constant((holder: Tree, key: string) => void (Array.isArray(holder) ? holder.push(holder[Number(key)]) : (holder.extra = 1))),
  );
  return fc.tuple(specs, fc.nat(), changes).map(([spec, place, change]) => {
    const all = ways(spec);
    return all.length === 0 ? spec : changed(spec, all[place % all.length], change);
  });
}
