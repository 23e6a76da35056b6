/** Events that count as lately. */
const LATELY = 20;

/** Speed of a loop over its last rounds. Times are in milliseconds of a monotonic clock. */
export interface Rate {
  /** Counts what was just done. */
  add(count: number, now: number): void;
  /** Leaves out the time until the next count: the loop does something else. */
  pause(): void;
  /** Lately, a second; undefined as long as it is not known. */
  perSecond(): number | undefined;
}

/** @param now when the loop begins */
export function createRate(now: number): Rate {
  let last: number | undefined = now;
  const rounds: { readonly count: number; readonly ms: number }[] = [];
  return {
    add(count, time) {
      if (last !== undefined) rounds.push({ count, ms: time - last });
      if (rounds.length > LATELY) rounds.shift();
      last = time;
    },
    pause() {
      last = undefined;
    },
    perSecond() {
      const [count, ms] = rounds.reduce(([counts, times], round) => [counts + round.count, times + round.ms], [0, 0]);
      return ms > 0 ? (1000 * count) / ms : undefined;
    },
  };
}
