import { formatPath } from './findings.ts';
import type { FieldPath, Finding } from './findings.ts';
import { isOpen } from './schema-tree.ts';
import type { SchemaNode } from './schema-tree.ts';
import { nearestName } from './suggestions.ts';

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Paths of every field of the schema with that name, shortest first. */
function fieldsNamed(name: string, node: SchemaNode, path: FieldPath = []): FieldPath[] {
  const found: FieldPath[] = [];
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    if (key === name) found.push([...path, key]);
    found.push(...fieldsNamed(name, child, [...path, key]));
  }
  return found.sort((a, b) => a.length - b.length);
}

/** "; did you mean …?", or where else in the experiment a field of that name lives, or what is known here. */
function hint(key: string, known: readonly string[], root: SchemaNode): string {
  const near = nearestName(key, known);
  if (near !== undefined) return `did you mean ${near}?`;
  const elsewhere = fieldsNamed(key, root).slice(0, 3);
  if (elsewhere.length > 0) return `did you mean ${elsewhere.map(formatPath).join(' or ')}?`;
  return `known here: ${known.join(', ')}`;
}

/**
 * Every key of `value`, at any depth, that the schema does not know. A typing error would otherwise be a setting that is
 * silently not applied.
 */
export function findUnknownKeys(value: unknown, node: SchemaNode, path: FieldPath = [], root = node): (Finding & { path: FieldPath })[] {
  if (Array.isArray(value)) {
    const items = node.items;
    return items === undefined ? [] : value.flatMap((item, index) => findUnknownKeys(item, items, [...path, index], root));
  }
  if (!isMapping(value)) return [];
  const properties = node.properties ?? {};
  return Object.entries(value).flatMap(([key, child]) => {
    const here = [...path, key];
    if (Object.hasOwn(properties, key)) return findUnknownKeys(child, properties[key], here, root);
    if (isOpen(node)) return [];
    return [{ field: formatPath(here), path: here, message: `unknown key; ${hint(key, Object.keys(properties), root)}` }];
  });
}
