import type { HandOverParts } from './audit-log.ts';
import { median, percentile } from './statistics.ts';
import { formatMs } from './table.ts';

/** p50 / p99 */
export const two = (values: readonly number[]): string => `${formatMs(median(values))} / ${formatMs(percentile(values, 0.99))}`;

/** Counts by name, each divided by a number. */
export const shares = (counts: ReadonlyMap<string, number>, by = 1): string =>
  [...counts].map(([what, count]) => `${what} ${Number((count / by).toFixed(2))}`).join(', ');

/** Where the time of hand-overs goes. */
export function partsNote(parts: readonly HandOverParts[]): string {
  const part = (name: keyof HandOverParts) => two(parts.map((each) => each[name]));
  return [
    `By the API server's clock the parts of a hand-over are (p50 / p99): watch and operator until the request for the Job ${part('operator')};`,
    `the API server on it ${part('jobCreation')}; watch and Job controller until the request for the pod ${part('jobController')};`,
    `the API server on it ${part('podCreation')}.`,
  ].join(' ');
}
