import { namespaceOf } from './names.ts';

/**
 * How much somebody waits for it: a stage to hand over (pods and GPUs stand idle meanwhile), anything else, an experiment that has not
 * begun. Where hundreds begin at once, a flood of new Jobs would hold up the API server and the Job controller, and with them every
 * hand-over; so new ones begin a few at a time, and none as long as the cluster is behind. Each lane has workers of its own, so that none starves.
 * The patient take turns by namespace: a hundred of one team are not before the first of another.
 */
export type Lane = 'urgent' | 'ordinary' | 'patient';

/** In the order in which they are served. */
const LANES: readonly Lane[] = ['urgent', 'patient', 'ordinary'];

export interface QueueOptions {
  readonly parallelism: number;
  /** Whether the patient have to wait; `dispatch` is to be called when they need not any more. */
  readonly isHeldBack?: () => boolean;
  readonly work: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown) => void;
  /** Delay before attempt n (from 1) after a failure, in milliseconds. */
  readonly backoff?: (failures: number, error: unknown) => number;
}

const FIRST_BACKOFF_MS = 10;
const LONGEST_BACKOFF_MS = 60_000;
/** 10 ms, 20 ms, 40 ms … a minute. */
export const exponential = (failures: number): number => Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(30, failures - 1));

/** Keys that wait for a worker. Each group gives one in its turn, the one that has waited longest. */
class Waiting {
  readonly #groupOf: (key: string) => string;
  /** In the order of their turns; none is empty. */
  readonly #groups = new Map<string, Set<string>>();

  constructor(groupOf: (key: string) => string) {
    this.#groupOf = groupOf;
  }

  get size(): number {
    return [...this.#groups.values()].reduce((sum, keys) => sum + keys.size, 0);
  }

  has(key: string): boolean {
    return this.#groups.get(this.#groupOf(key))?.has(key) ?? false;
  }

  add(key: string): void {
    const group = this.#groupOf(key);
    this.#groups.set(group, (this.#groups.get(group) ?? new Set<string>()).add(key));
  }

  delete(key: string): void {
    const group = this.#groupOf(key);
    const keys = this.#groups.get(group);
    keys?.delete(key);
    if (keys?.size === 0) this.#groups.delete(group);
  }

  clear(): void {
    this.#groups.clear();
  }

  /** Takes out the next key that is free; then all other groups have their turn before its own. */
  take(isFree: (key: string) => boolean): string | undefined {
    for (const [group, keys] of this.#groups) {
      for (const key of keys) {
        if (!isFree(key)) continue;
        keys.delete(key);
        this.#groups.delete(group);
        if (keys.size > 0) this.#groups.set(group, keys);
        return key;
      }
    }
    return undefined;
  }
}

const firstCome = () => new Waiting(() => '');

/**
 * Keys (namespace/name) waiting to be worked on, as in Kubernetes' own controllers: a key is worked on by one worker at a time, one that is added
 * while it is worked on comes again afterwards, and failures come again after a growing delay.
 */
export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #waiting: Readonly<Record<Lane, Waiting>> = { urgent: firstCome(), ordinary: firstCome(), patient: new Waiting(namespaceOf) };
  readonly #working = new Map<string, Lane>();
  readonly #timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  #isClosed = false;
  #idle: (() => void)[] = [];

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return LANES.reduce((sum, lane) => sum + this.#waiting[lane].size, 0);
  }

  /** A key that waits already goes over to a lane that is served sooner, and never back. */
  add(key: string, lane: Lane = 'ordinary'): void {
    if (this.#isClosed) return;
    const { urgent, ordinary } = this.#waiting;
    if (lane === 'patient' && (urgent.has(key) || ordinary.has(key))) return;
    if (lane === 'ordinary' && urgent.has(key)) return;
    for (const other of LANES) if (other !== lane) this.#waiting[other].delete(key);
    this.#waiting[lane].add(key);
    this.dispatch();
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

  /** Calls off what was to come later. */
  cancel(key: string): void {
    clearTimeout(this.#timers.get(key)?.timer);
    this.#timers.delete(key);
  }

  /** Takes no more keys; resolves when the workers have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const lane of LANES) this.#waiting[lane].clear();
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    if (this.#working.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Whether one more of a lane may be worked on: a quarter of the workers is for what is urgent only, a quarter at most for the patient. */
  #hasRoom(lane: Lane): boolean {
    const { parallelism } = this.#options;
    const quarter = Math.floor(parallelism / 4);
    if (this.#working.size >= parallelism) return false;
    if (lane === 'urgent') return true;
    const lanes = [...this.#working.values()];
    if (lanes.filter((each) => each !== 'urgent').length >= parallelism - quarter) return false;
    if (lane === 'ordinary') return true;
    return this.#options.isHeldBack?.() !== true && lanes.filter((each) => each === 'patient').length < Math.max(1, quarter);
  }

  /** Gives work to workers that are free. */
  dispatch(): void {
    for (const lane of LANES) {
      while (this.#hasRoom(lane)) {
        const key = this.#waiting[lane].take((each) => !this.#working.has(each));
        if (key === undefined) break;
        this.#working.set(key, lane);
        void this.#run(key);
      }
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
    this.dispatch();
  }
}
