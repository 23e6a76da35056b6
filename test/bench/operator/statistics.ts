/** The value below or at which a share of the values lies (nearest rank), 0 < share ≤ 1. @throws Error where there are none */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error('no values, no percentile');
  const sorted = values.toSorted((first, second) => first - second);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
