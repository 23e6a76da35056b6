/** What was worked out for a key, as long as its version is the same. */
export class Memo<T> {
  readonly #entries = new Map<string, { readonly version: string; readonly value: T }>();

  get(key: string, version: string, make: () => T): T {
    const known = this.#entries.get(key);
    if (known?.version === version) return known.value;
    const value = make();
    this.#entries.set(key, { version, value });
    return value;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
