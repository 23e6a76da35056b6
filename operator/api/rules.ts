import type { z } from 'zod';

/** A condition on a value, once for the API server (`self` is the value) and once for this program. */
export interface Rule<T> {
  /** Common Expression Language, as in `x-kubernetes-validations`. Defaults are filled in before it runs. */
  readonly cel: string;
  readonly holds: (value: T) => boolean;
  readonly message: string;
}

/** The schema with rules that parse() and, through the CRD, a cluster enforce alike; a test compares the two forms. */
export function withRules<S extends z.ZodType>(schema: S, ...rules: Rule<z.output<S>>[]): S {
  const refined = rules.reduce<S>((inner, { holds, message }) => inner.refine(holds, { message }), schema);
  return refined.meta({ 'x-kubernetes-validations': rules.map(({ cel, message }) => ({ rule: cel, message })) });
}
