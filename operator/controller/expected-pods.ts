import { namespaceOf } from './names.ts';

/** A Job that has no pod by then is held up by something else than a crowd: a quota, a webhook. */
const PATIENCE_MS = 10_000;

/** The Jobs of one namespace that have no pod. */
interface Expected {
  readonly timers: Map<string, NodeJS.Timeout>;
  /** Those for which there is no patience any more; forgotten when a pod comes in the namespace. */
  readonly overdue: Set<string>;
}

/**
 * Jobs that were made and whose pod the cluster has not made yet: how far the Job controller is behind. It serves Jobs in the order in which they
 * came, so those of new experiments hold up every hand-over that comes after them. A namespace where one is overdue says nothing about the Job
 * controller until a pod comes there again: its quota, which may keep a hundred Jobs waiting, must not hold back other namespaces.
 */
export class ExpectedPods {
  /** By namespace; none is empty. */
  readonly #expected = new Map<string, Expected>();
  readonly #onFewer: () => void;

  /** @param onFewer told when one has come or is given up */
  constructor(onFewer: () => void) {
    this.#onFewer = onFewer;
  }

  get count(): number {
    return [...this.#expected.values()].reduce((sum, { timers, overdue }) => sum + (overdue.size === 0 ? timers.size : 0), 0);
  }

  /** @param job namespace/name, here and below */
  add(job: string): void {
    const namespace = namespaceOf(job);
    const expected = this.#expected.get(namespace) ?? { timers: new Map<string, NodeJS.Timeout>(), overdue: new Set<string>() };
    this.#expected.set(namespace, expected);
    clearTimeout(expected.timers.get(job));
    const timer = setTimeout(() => this.#giveUp(job, expected), PATIENCE_MS);
    timer.unref();
    expected.timers.set(job, timer);
  }

  /** It has a new pod: what kept pods from coming in its namespace does so no more. */
  podCame(job: string): void {
    this.#expected.get(namespaceOf(job))?.overdue.clear();
    this.delete(job);
  }

  /** Its pod is not expected any more. */
  delete(job: string): void {
    const namespace = namespaceOf(job);
    const expected = this.#expected.get(namespace);
    if (expected === undefined) return;
    const { timers, overdue } = expected;
    clearTimeout(timers.get(job));
    const isFewer = timers.delete(job);
    overdue.delete(job);
    if (timers.size + overdue.size === 0) this.#expected.delete(namespace);
    if (isFewer) this.#onFewer();
  }

  clear(): void {
    for (const { timers } of this.#expected.values()) for (const timer of timers.values()) clearTimeout(timer);
    this.#expected.clear();
  }

  #giveUp(job: string, { timers, overdue }: Expected): void {
    timers.delete(job);
    overdue.add(job);
    this.#onFewer();
  }
}
