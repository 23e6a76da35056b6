/**
 * Average precision: Σ over score levels of (recall gained) · precision at that level, examples from the highest score down.
 * Equal scores form one level, so the order of the examples does not matter.
 * @returns in [0, 1]; null without a positive example
 */
export function averagePrecision(scores: ArrayLike<number>, isPositive: ArrayLike<number>): number | null {
  const order = Array.from(scores, (_, index) => index).sort((a, b) => scores[b] - scores[a]);
  const positives = order.filter((index) => isPositive[index] > 0).length;
  if (positives === 0) return null;
  let [hits, sum] = [0, 0];
  for (let from = 0, to = 0; from < order.length; from = to) {
    let gained = 0;
    for (; to < order.length && scores[order[to]] === scores[order[from]]; to++) if (isPositive[order[to]] > 0) gained++;
    hits += gained;
    sum += (gained / positives) * (hits / to);
  }
  return sum;
}

/**
 * Mean average precision over the classes that occur.
 * @param scores one row of C scores for each example
 * @param labels one row of C zeros and ones for each example
 */
export function meanAveragePrecision(scores: readonly ArrayLike<number>[], labels: readonly ArrayLike<number>[]): number | null {
  const classes = labels[0]?.length ?? 0;
  const column = (rows: readonly ArrayLike<number>[], k: number) => rows.map((row) => row[k]);
  const known = Array.from({ length: classes }, (_, k) => averagePrecision(column(scores, k), column(labels, k))).filter(
    (value) => value !== null,
  );
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}
