import type { z } from 'zod';

/** A condition on a value, once for the API server (`self` is the value) and once for this program. */
export interface Rule<T> {
  /** Common Expression Language, as in `x-kubernetes-validations`. Defaults are filled in before it runs. */
  readonly cel: string;
  readonly holds: (value: T) => boolean;
  readonly message: string;
  /** The field to blame, seen from the value; left out: the value itself. */
  readonly field?: readonly string[];
}

/** The schema with rules that parse() and, through the CRD, a cluster enforce alike; a test compares the two forms. */
export function withRules<S extends z.ZodType>(schema: S, ...rules: Rule<z.output<S>>[]): S {
  const refined = rules.reduce<S>(
    (inner, { holds, message, field }) => inner.refine(holds, { message, path: field && [...field] }),
    schema,
  );
  const validations = rules.map(({ cel, message, field }) => ({
    rule: cel,
    message,
    ...(field === undefined ? {} : { fieldPath: `.${field.join('.')}` }),
  }));
  return refined.meta({ 'x-kubernetes-validations': validations });
}
