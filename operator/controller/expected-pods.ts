import type { V1Job } from '@kubernetes/client-node';

/** A Job that the Job controller has not looked at by then is somebody else's to work on. */
const PATIENCE_MS = 60_000;

/**
 * Whether the Job controller has come to it, or leaves it alone as it is suspended. It notes a start time when it first does, also where a quota or a
 * webhook keeps it from making the pod.
 */
export const isServed = ({ spec, status }: V1Job): boolean => status?.startTime !== undefined || spec?.suspend === true;

/**
 * Jobs that were made and that the Job controller has not come to: how far it is behind. It serves Jobs in the order in which they came, so those of new
 * experiments hold up every hand-over that comes after them.
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

  /** @param job namespace/name, here and below */
  add(job: string): void {
    clearTimeout(this.#timers.get(job));
    this.#timers.set(job, setTimeout(() => this.delete(job), PATIENCE_MS).unref());
  }

  /** It is served, or gone. */
  delete(job: string): void {
    clearTimeout(this.#timers.get(job));
    if (this.#timers.delete(job)) this.#onFewer();
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
