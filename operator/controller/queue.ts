/**
 * Keys waiting to be worked on, as in Kubernetes' own controllers: a key is worked on by one worker at a time, one that is added
 * while it is worked on comes again afterwards, and failures come again after a growing delay.
 */
export interface QueueOptions {
  readonly parallelism: number;
  readonly work: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown) => void;
  /** Delay before attempt n (from 1) after a failure, in milliseconds. */
  readonly backoff?: (failures: number, error: unknown) => number;
}

const FIRST_BACKOFF_MS = 10;
const LONGEST_BACKOFF_MS = 60_000;
const exponential = (failures: number): number => Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(30, failures - 1));

export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  readonly #timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  #isClosed = false;
  #idle: (() => void)[] = [];

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    if (this.#isClosed) return;
    this.#waiting.add(key);
    this.#dispatch();
  }

  /** Adds the key later; an earlier time that is set already stays. */
  addAfter(key: string, delayMs: number): void {
    if (this.#isClosed) return;
    const at = performance.now() + delayMs;
    const set = this.#timers.get(key);
    if (set !== undefined && set.at <= at) return;
    clearTimeout(set?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, delayMs);
    this.#timers.set(key, { at, timer });
  }

  /** Takes no more keys; resolves when the workers have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#waiting.clear();
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    if (this.#working.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #dispatch(): void {
    for (const key of this.#waiting) {
      if (this.#working.size >= this.#options.parallelism) return;
      if (this.#working.has(key)) continue;
      this.#waiting.delete(key);
      this.#working.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#options.work(key);
      this.#failures.delete(key);
    } catch (error) {
      this.#options.onError(key, error);
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      this.addAfter(key, (this.#options.backoff ?? exponential)(failures, error));
    }
    this.#working.delete(key);
    if (this.#isClosed && this.#working.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.#dispatch();
  }
}
