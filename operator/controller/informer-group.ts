import type { KubernetesObject } from '@kubernetes/client-node';
import { Informer } from './informer.ts';
import type { InformerOptions } from './informer.ts';
import { namespaceOf } from './names.ts';

export interface InformerGroupOptions<Raw extends KubernetesObject, Kept> extends Omit<InformerOptions<Raw, Kept>, 'path' | 'onError'> {
  /** None: one informer for the whole cluster. */
  readonly namespaces: readonly string[];
  readonly pathOf: (namespace?: string) => string;
  readonly onError: (error: unknown, namespace?: string) => void;
}

/** One cache of a kind over all namespaces, or over the listed ones: for these an operator may have rights where it has none in the cluster. */
export class InformerGroup<Raw extends KubernetesObject, Kept> {
  readonly #everywhere: Informer<Raw, Kept> | undefined;
  readonly #byNamespace: ReadonlyMap<string, Informer<Raw, Kept>>;

  constructor({ namespaces, pathOf, onError, ...options }: InformerGroupOptions<Raw, Kept>) {
    const informer = (namespace?: string) =>
      new Informer({ ...options, path: pathOf(namespace), onError: (error) => onError(error, namespace) });
    this.#everywhere = namespaces.length === 0 ? informer() : undefined;
    this.#byNamespace = new Map(namespaces.map((namespace) => [namespace, informer(namespace)]));
  }

  #all(): readonly Informer<Raw, Kept>[] {
    return this.#everywhere === undefined ? [...this.#byNamespace.values()] : [this.#everywhere];
  }

  /**
   * Begins with one of the listed namespaces, or, where none is listed, with the whole cluster; resolves when all objects of it are in the cache.
   * @param namespace undefined for the whole cluster
   */
  async start(namespace: string | undefined): Promise<void> {
    await (namespace === undefined ? this.#everywhere : this.#byNamespace.get(namespace))?.start();
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
