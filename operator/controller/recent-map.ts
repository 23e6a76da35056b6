/** A watch that says nothing is begun anew long before: by then the caches have shown what there was to show. */
const KEPT_MS = 600_000;

/** A map that forgets what was put into it ten minutes ago. */
export class RecentMap<Value> {
  readonly #elapsed: () => number;
  /** The oldest first. */
  readonly #entries = new Map<string, { readonly value: Value; readonly at: number }>();

  /** @param elapsed milliseconds, never going back */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, at: this.#elapsed() });
    this.tidy();
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  tidy(): void {
    for (const [key, { at }] of this.#entries) {
      if (this.#elapsed() - at < KEPT_MS) return;
      this.#entries.delete(key);
    }
  }
}
