/**
 * Speed of a stage, smoothed over about the last fifteen seconds: what was done and the time it took fade at the same pace, so
 * the quotient is an average from the first reading on. Times are in seconds and come from the caller.
 */
export interface RateMeter {
  /** Takes a reading; a smaller `done` or another unit starts anew (another phase of the stage). */
  update(done: number, unit: string, now: number): void;
  /** Units a second; 0 as long as it is not known. */
  perSecond(): number;
  /** Seconds until `total`, counting down between readings; undefined as long as it is not known. */
  secondsLeft(total: number, now: number): number | undefined;
}

const MEMORY_SECONDS = 15;

export function createRateMeter(): RateMeter {
  let last: { done: number; unit: string; now: number } | undefined;
  let units = 0;
  let seconds = 0;
  const perSecond = () => (seconds > 0 ? units / seconds : 0);
  return {
    update(done, unit, now) {
      if (last === undefined || unit !== last.unit || done < last.done) {
        units = 0;
        seconds = 0;
      } else {
        // Nothing new: the time is counted with the next step, not as standstill.
        if (done === last.done) return;
        const elapsed = Math.max(now - last.now, 1e-6);
        const kept = Math.exp(-elapsed / MEMORY_SECONDS);
        units = units * kept + (done - last.done);
        seconds = seconds * kept + elapsed;
      }
      last = { done, unit, now };
    },
    perSecond,
    secondsLeft(total, now) {
      const rate = perSecond();
      if (last === undefined || rate === 0) return undefined;
      return Math.max(0, (total - last.done) / rate - (now - last.now));
    },
  };
}
