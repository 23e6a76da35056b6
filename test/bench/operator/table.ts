/** One line of the table. */
export interface Row {
  readonly measure: string;
  readonly measured: string;
  readonly toReach: string;
  /** Whether it is reached; undefined where nothing is asked for. */
  readonly isReached?: boolean;
}

/** What a part of the benchmark has found. */
export interface Finding {
  readonly rows: readonly Row[];
  /** Sentences and lists for those who want to know more. */
  readonly notes: readonly string[];
}

const MARKS = new Map<boolean | undefined, string>([
  [true, 'yes'],
  [false, '**no**'],
  [undefined, ''],
]);

export function buildTable(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ measure, measured, toReach, isReached }) => `| ${measure} | ${measured} | ${toReach} | ${MARKS.get(isReached)} |`,
  );
  return ['| | measured | to reach | reached |', '|---|---|---|---|', ...lines].join('\n');
}

/** A time for people: milliseconds below a second, seconds above. */
export function formatMs(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}
