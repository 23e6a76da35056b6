import type { KubernetesObject } from '@kubernetes/client-node';
import { Informer } from './informer.ts';
import type { InformerOptions } from './informer.ts';
import { namespaceOf } from './names.ts';

export interface InformerGroupOptions<Raw extends KubernetesObject, Kept> extends Omit<InformerOptions<Raw, Kept>, 'path'> {
  /** None: one informer for the whole cluster. */
  readonly namespaces: readonly string[];
  readonly pathOf: (namespace?: string) => string;
}

/** One cache of a kind over all namespaces, or over the listed ones: for these an operator may have rights where it has none in the cluster. */
export class InformerGroup<Raw extends KubernetesObject, Kept> {
  readonly #everywhere: Informer<Raw, Kept> | undefined;
  readonly #byNamespace: ReadonlyMap<string, Informer<Raw, Kept>>;

  constructor({ namespaces, pathOf, ...options }: InformerGroupOptions<Raw, Kept>) {
    this.#everywhere = namespaces.length === 0 ? new Informer({ ...options, path: pathOf() }) : undefined;
    this.#byNamespace = new Map(namespaces.map((namespace) => [namespace, new Informer({ ...options, path: pathOf(namespace) })]));
  }

  #all(): readonly Informer<Raw, Kept>[] {
    return this.#everywhere === undefined ? [...this.#byNamespace.values()] : [this.#everywhere];
  }

  async start(): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.stop()));
  }

  /** @param key namespace/name */
  get(key: string): Kept | undefined {
    return this.#of(namespaceOf(key))?.get(key);
  }

  /** Whether everything that happened in the namespace up to this version is in the cache. */
  hasReached(namespace: string, version: string): boolean {
    return this.#of(namespace)?.hasReached(version) ?? false;
  }

  #of(namespace: string): Informer<Raw, Kept> | undefined {
    return this.#everywhere ?? this.#byNamespace.get(namespace);
  }

  *entries(): Generator<[string, Kept]> {
    for (const informer of this.#all()) yield* informer.entries();
  }
}
