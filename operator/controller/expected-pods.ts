/** A Job that has no pod by then is held up by something else than a crowd: a quota, a webhook. */
const PATIENCE_MS = 10_000;

/**
 * Jobs that were made and whose pod the cluster has not made yet: how far the Job controller is behind. It serves Jobs in the order in which they
 * came, so those of new experiments hold up every hand-over that comes after them.
 */
export class ExpectedPods {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #onFewer: () => void;

  /** @param onFewer told when one has come or is given up */
  constructor(onFewer: () => void) {
    this.#onFewer = onFewer;
  }

  get count(): number {
    return this.#timers.size;
  }

  add(job: string): void {
    clearTimeout(this.#timers.get(job));
    const timer = setTimeout(() => this.delete(job), PATIENCE_MS);
    timer.unref();
    this.#timers.set(job, timer);
  }

  /** Its pod is there, or is not expected any more. */
  delete(job: string): void {
    const timer = this.#timers.get(job);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#timers.delete(job);
    this.#onFewer();
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
