import type { z } from 'zod';

/** A condition on a value, once for the API server (`self` is the value) and once for this program. */
export interface Rule<T> {
  /** Common Expression Language, as in `x-kubernetes-validations`. Defaults are filled in before it runs. */
  readonly cel: string;
  readonly holds: (value: T) => boolean;
  readonly message: string;
  /** The message with the value in it, in both forms; `message` stands in the reference then. */
  readonly told?: { readonly cel: string; readonly here: (value: T) => string };
  /** The field to blame, seen from the value; left out: the value itself. */
  readonly field?: readonly string[];
}

/** The schema with rules that parse() and, through the CRD, a cluster enforce alike; a test compares the two forms. */
export function withRules<S extends z.ZodType>(schema: S, ...rules: Rule<z.output<S>>[]): S {
  const refined = rules.reduce<S>((inner, { holds, message, told, field }) => {
    const error = told === undefined ? message : ({ input }: { input?: unknown }) => told.here(input as z.output<S>);
    return inner.refine(holds, { error, path: field && [...field] });
  }, schema);
  const validations = rules.map(({ cel, message, told, field }) => ({
    rule: cel,
    message,
    ...(told === undefined ? {} : { messageExpression: told.cel }),
    ...(field === undefined ? {} : { fieldPath: `.${field.join('.')}` }),
  }));
  return refined.meta({ 'x-kubernetes-validations': [...rulesOf(schema), ...validations] });
}

const rulesOf = (schema: z.ZodType) => (schema.meta()?.['x-kubernetes-validations'] ?? []) as object[];

/**
 * A text of a certain form. Of a pattern the API server says nothing but the pattern, so that a rule says beside it what is allowed.
 * @param pattern for both RE2 and this program; without quotes and backslashes
 */
export function ofForm(text: z.ZodString, pattern: RegExp, message: string): z.ZodString {
  const rule = `self.matches('${pattern.source}')`;
  return text.regex(pattern, { message }).meta({ 'x-kubernetes-validations': [{ rule, message }] });
}

/**
 * A text that must not have a certain form. Beside the rule stands `not` of JSON Schema, for the values of the chart.
 * @param pattern as for ofForm
 */
export function notOfForm(text: z.ZodString, pattern: RegExp, message: string): z.ZodString {
  const rule = { cel: `!self.matches('${pattern.source}')`, holds: (value: string) => !pattern.test(value), message };
  return withRules(text, rule).meta({ not: { pattern: pattern.source } });
}

/** A rule about a change of a value (`oldSelf` is what it was), which only a cluster can see. */
export interface Transition {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath: string;
}

/** The schema with rules about changes, beside those that it has. */
export function withTransitions<S extends z.ZodType>(schema: S, ...transitions: Transition[]): S {
  return schema.meta({ 'x-kubernetes-validations': [...rulesOf(schema), ...transitions] });
}
