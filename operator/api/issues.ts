import type { z } from 'zod';
import { formatPath } from './findings.ts';
import type { FieldPath, Finding } from './findings.ts';
import { nearestName } from './suggestions.ts';

type Issue = z.core.$ZodIssue;

const NOUNS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
  record: 'a mapping of keys to values',
};

function valueAt(root: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], root);
}

/** A value as a person would recognise it, cut short. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a mapping';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

function sizeMessage(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, value: unknown): string {
  const isSmall = issue.code === 'too_small';
  const limit = isSmall ? issue.minimum : issue.maximum;
  if (issue.origin === 'string' && isSmall && limit === 1) return 'must not be empty';
  const bound = issue.inclusive === false ? (isSmall ? 'greater than' : 'less than') : isSmall ? 'at least' : 'at most';
  if (issue.origin === 'array')
    return `must have ${bound} ${limit} ${limit === 1 ? 'entry' : 'entries'}, has ${(value as unknown[]).length}`;
  if (issue.origin === 'string') return `must have ${bound} ${limit} characters, has ${(value as string).length}`;
  return `must be ${bound} ${limit}, is ${show(value)}`;
}

function message(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return `is missing; must be ${NOUNS[issue.expected] ?? issue.expected}`;
      return `must be ${NOUNS[issue.expected] ?? issue.expected}, is ${show(value)}`;
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      const near = typeof value === 'string' ? nearestName(value, allowed) : undefined;
      const choice = allowed.length === 1 ? allowed[0] : `one of ${allowed.join(', ')}`;
      return `must be ${choice}, ${value === undefined ? 'is missing' : `is ${show(value)}`}${near === undefined ? '' : `; did you mean ${near}?`}`;
    }
    case 'too_small':
    case 'too_big':
      return sizeMessage(issue, value);
    case 'invalid_format':
      return `${issue.message.startsWith('must') ? issue.message : `must match ${issue.pattern ?? issue.format}`}, is ${show(value)}`;
    case 'custom':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
      return issue.message;
    default:
      return issue satisfies never;
  }
}

/** A zod issue as a finding: what is allowed and what was given. */
export function issueFinding(issue: Issue, root: unknown): Finding & { path: FieldPath } {
  return { field: formatPath(issue.path), path: issue.path, message: message(issue, valueAt(root, issue.path)) };
}
