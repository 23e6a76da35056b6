/** An image that could be shown, with the foreground classes in it. */
export interface Candidate {
  readonly id: string;
  readonly classes: readonly number[];
}

/**
 * Chooses images that show much: each time the one with the most classes not shown yet, then with the most classes, then the
 * first. Deterministic, so that every stage and the report show the same images.
 * @param candidates In the order of the split.
 * @returns At most `count` ids, in the order of the split.
 */
export function chooseExamples(candidates: readonly Candidate[], count: number): string[] {
  const left = [...candidates];
  const shown = new Set<number>();
  const chosen = new Set<string>();
  while (chosen.size < count && left.length > 0) {
    const score = ({ classes }: Candidate) => classes.filter((index) => !shown.has(index)).length * 1000 + classes.length;
    const best = left.reduce((a, b) => (score(b) > score(a) ? b : a));
    left.splice(left.indexOf(best), 1);
    chosen.add(best.id);
    for (const index of best.classes) shown.add(index);
  }
  return candidates.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
}
