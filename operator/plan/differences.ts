import type { Json } from './canonical-json.ts';
import { canonicalJson } from './canonical-json.ts';

export interface Difference {
  /** Path of the field, e.g. `losses.classDistance.lambda`. */
  readonly field: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

type Mapping = { readonly [key: string]: Json | undefined };
const isMapping = (value: Json | undefined): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields in which two values differ, sorted by path; lists are compared as wholes. */
export function differences(before: Json | undefined, after: Json | undefined, field = ''): Difference[] {
  if (isMapping(before) && isMapping(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => differences(before[key], after[key], field === '' ? key : `${field}.${key}`));
  }
  const same = before === undefined || after === undefined ? before === after : canonicalJson(before) === canonicalJson(after);
  return same ? [] : [{ field, before, after }];
}

function show(value: Json | undefined): string {
  if (value === undefined) return 'unset';
  const text = typeof value === 'string' ? value : canonicalJson(value);
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return `${text.replace('sha256:', '').slice(0, 8)}…`;
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** `losses.classDistance.lambda 6 → 7` */
export function formatDifference({ field, before, after }: Difference): string {
  if (isMapping(after) && before === undefined) return `${field} added`;
  if (isMapping(before) && after === undefined) return `${field} removed`;
  return `${field} ${show(before)} → ${show(after)}`;
}
