/**
 * What follows from an experiment's spec and its trainer image alone, by stage key: names of Jobs and digests of their pods. Working them out takes
 * longer than all else of a look at an experiment. For one generation; the next one begins another.
 */
export class StageMemo {
  readonly #names = new Map<string, string>();
  readonly #templates = new Map<string, string | undefined>();

  /** Name of a stage's Job. */
  name(key: string, make: () => string): string {
    return remembered(this.#names, key, make);
  }

  /** Digest of the pod that a stage is to have. */
  template(key: string, make: () => string | undefined): string | undefined {
    return remembered(this.#templates, key, make);
  }
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  if (!known.has(key)) known.set(key, make());
  return known.get(key) as T;
}
