import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { z } from 'zod';

const Dashboard = z.object({
  title: z.string(),
  panels: z.array(
    z.object({
      title: z.string(),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
  templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string() })) }),
});

const Rules = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string(),
          expr: z.string(),
          for: z.string().optional(),
          labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
          annotations: z.strictObject({ summary: z.string().min(1), description: z.string().min(1) }),
        }),
      ),
    }),
  ),
});

export const DASHBOARD_FILE = 'helm/cdsp/files/dashboards/cdsp.json';
export const RULES_FILE = 'helm/cdsp/files/rules.yaml';

export const readDashboard = (file = DASHBOARD_FILE) => Dashboard.parse(JSON.parse(readFileSync(file, 'utf8')));
export const readAlerts = (file = RULES_FILE) => Rules.parse(load(readFileSync(file, 'utf8'))).groups.flatMap(({ rules }) => rules);

/** What Grafana puts in place of its variables when everything is chosen. */
const substitute = (expr: string) =>
  expr.replaceAll('$namespace', '.*').replaceAll('$experiment', '.*').replaceAll('$__rate_interval', '1m');

/** Every expression of the dashboard as Prometheus gets it. */
export const dashboardExpressions = (file?: string): string[] => [
  ...new Set(readDashboard(file).panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => substitute(expr)))),
];

const LABEL_LISTS = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g;
const WORDS = new Set(['and', 'or', 'unless', 'offset', 'bool', 'atan2', 'Inf', 'NaN', 'group_left', 'group_right']);
/** A name with its matchers; our label values hold no braces. One before a parenthesis is a function. */
const SELECTOR = /([a-zA-Z_:][\w:]*)(\{[^}]*\})?(?!\s*[\w:(])/g;

/**
 * The selectors in an expression, without ranges, offsets and comparisons: what has to be there for an alert to be able to fire. Whether it does fire
 * is tested with promtool (rules.yaml).
 */
export function selectorsOf(expr: string): string[] {
  const bare = expr
    .replaceAll(LABEL_LISTS, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\boffset\s+\w+/g, ' ');
  const found = [...bare.matchAll(SELECTOR)].filter(([, name]) => !WORDS.has(name)).map(([, name, matchers = '']) => `${name}${matchers}`);
  return [...new Set(found)];
}

export const metricNamesOf = (expr: string): string[] => [...new Set(selectorsOf(expr).map((selector) => selector.replace(/\{.*/s, '')))];

const Answer = z.object({
  status: z.string(),
  error: z.string().optional(),
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }).optional(),
});

/** The values of an expression now. */
export async function queryPrometheus(url: string, expr: string): Promise<number[]> {
  const response = await fetch(`${url}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: expr }) });
  const { status, error, data } = Answer.parse(await response.json());
  if (status !== 'success' || data === undefined) throw new Error(`${expr}: ${error ?? status}`);
  return data.result.map(({ value: [, value] }) => Number(value));
}

/**
 * Which of the expressions have no series, or only such as are no number (a quantile of nothing).
 * @throws Error naming an expression that Prometheus does not take
 */
export async function expressionsWithoutData(url: string, expressions: readonly string[]): Promise<string[]> {
  const values = await Promise.all(expressions.map((expr) => queryPrometheus(url, expr)));
  return expressions.filter((_expr, i) => values[i].every(Number.isNaN));
}

/** Every metric that Prometheus knows. */
export async function knownMetrics(url: string): Promise<ReadonlySet<string>> {
  const response = await fetch(`${url}/api/v1/label/__name__/values`);
  return new Set(z.object({ data: z.array(z.string()) }).parse(await response.json()).data);
}
