import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesObject } from '@kubernetes/client-node';
import { ApiError } from './cluster.ts';
import type { Cluster, Query, WatchEvent } from './cluster.ts';

const PAGE = 500;
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 10_000;
/** The server ends a watch after this time; an even age of all watches would end them all at once. */
const WATCH_SECONDS = { least: 300, spread: 300 };
/** A watch that ends sooner, and has brought nothing, is one that does not work: a proxy in between cuts it, say. */
const SHORTEST_WATCH_MS = 1000;
const GONE = 410;
/** How a server refuses to begin a watch with all objects (WatchList), which those before Kubernetes 1.32 and 1.33 do by default. */
const CANNOT_STREAM: ReadonlySet<number> = new Set([400, 422]);
const END_OF_OBJECTS = 'k8s.io/initial-events-end';

export interface InformerOptions<Raw extends KubernetesObject, Kept> {
  readonly cluster: Pick<Cluster, 'list' | 'watch'>;
  /** Such as /apis/batch/v1/jobs. */
  readonly path: string;
  readonly query?: Query;
  /** What is kept of an object: a cache of ten thousand holds no more than it needs. */
  readonly keep: (object: Raw) => Kept;
  /** After the cache has changed; `before` is undefined for a new object, `after` for one that is gone. */
  readonly onChange: (key: string, after: Kept | undefined, before: Kept | undefined) => void;
  readonly onError: (error: unknown) => void;
  /** For tests: random numbers in [0, 1). */
  readonly random?: () => number;
  /** In milliseconds, never going back. */
  readonly elapsed?: () => number;
}

const keyOf = ({ metadata }: KubernetesObject): string => `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;

/**
 * A cache of all objects of a kind, filled by its watch: the server sends every object, then that these were all, then what changes. One after the
 * other they need little memory; where a server cannot, or the stream breaks, the cache is filled by a list in pages and a watch from there. A watch that
 * ends goes on from the last version seen; where the server has forgotten that version (410), the cache is filled again and the differences are told, what
 * was deleted meanwhile included.
 */
export class Informer<Raw extends KubernetesObject, Kept> {
  readonly #options: InformerOptions<Raw, Kept>;
  readonly #objects = new Map<string, Kept>();
  readonly #versions = new Map<string, string>();
  readonly #stopped = new AbortController();
  /** Up to where the cache tells what is so; empty: it has to be filled. */
  #version = '';
  /** Whether the next try to fill it lists in pages. */
  #inPages = false;
  /** While it is being filled: the objects that are there. */
  #seen = new Set<string>();
  #failures = 0;
  #synced: Promise<void>;
  #markSynced!: () => void;
  #loop: Promise<void> | undefined;

  constructor(options: InformerOptions<Raw, Kept>) {
    this.#options = options;
    this.#synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  /** Begins; resolves when all objects are in the cache. */
  async start(): Promise<void> {
    this.#loop ??= this.#run();
    await this.#synced;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  get(key: string): Kept | undefined {
    return this.#objects.get(key);
  }

  /** Whether everything that happened up to this version is in the cache, a deletion since then included. */
  hasReached(version: string): boolean {
    return this.#version !== '' && BigInt(this.#version) >= BigInt(version);
  }

  entries(): IterableIterator<[string, Kept]> {
    return this.#objects.entries();
  }

  get size(): number {
    return this.#objects.size;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        if (this.#version === '' && this.#inPages) await this.#list();
        await this.#watch();
        this.#failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const status = error instanceof ApiError ? error.status : undefined;
        const wasFilling = this.#version === '';
        if (status === GONE) this.#version = '';
        // The other way may work.
        if (wasFilling) this.#inPages = !this.#inPages;
        if (wasFilling && this.#inPages && status !== undefined && CANNOT_STREAM.has(status)) continue;
        if (status !== GONE) this.#options.onError(error);
        await delay(this.#delay(error), undefined, { signal }).catch(() => {});
      }
    }
  }

  #delay(error: unknown): number {
    const { random = Math.random } = this.#options;
    const wait = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(20, this.#failures++));
    return Math.max(error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0, wait * (0.5 + random() / 2));
  }

  async #list(): Promise<void> {
    const { cluster, path, query = {} } = this.#options;
    this.#seen = new Set();
    let next: string | undefined;
    let version = '';
    do {
      const page = await cluster.list<Raw>(path, { ...query, limit: PAGE, continue: next });
      for (const object of page.items) this.#add(object);
      version = page.metadata?.resourceVersion ?? version;
      next = page.metadata?._continue ?? (page.metadata as { continue?: string } | undefined)?.continue;
    } while (next !== undefined && next !== '');
    this.#filled(version);
  }

  /** An object that is there while the cache is being filled. */
  #add(object: Raw): void {
    this.#seen.add(keyOf(object));
    this.#set(object);
  }

  /** All objects that are there at this version have been added: what is there besides is there no more. */
  #filled(version: string): void {
    for (const key of [...this.#objects.keys()]) if (!this.#seen.has(key)) this.#remove(key);
    this.#seen = new Set();
    this.#version = version;
    this.#inPages = false;
    this.#markSynced();
  }

  async #watch(): Promise<void> {
    const { cluster, path, query = {}, random = Math.random, elapsed = () => performance.now() } = this.#options;
    const began = elapsed();
    let isOfUse = false;
    this.#seen = new Set();
    const from =
      this.#version === '' ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' } : { resourceVersion: this.#version };
    const timeoutSeconds = Math.round(WATCH_SECONDS.least + WATCH_SECONDS.spread * random());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = await cluster.watch<Raw>(
      path,
      { ...query, ...from, allowWatchBookmarks: true, timeoutSeconds },
      (event) => {
        try {
          this.#handle(event);
          isOfUse = true;
        } catch (error) {
          reject(error);
        }
      },
      (error) => {
        if (error === null || error === undefined) resolve();
        else reject(asApiError(error));
      },
    );
    const { signal } = this.#stopped;
    const abort = () => resolve();
    signal.addEventListener('abort', abort, { once: true });
    // Stopped while the watch was being opened.
    if (signal.aborted) abort();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      end();
    }
    if (signal.aborted) return;
    if (this.#version === '') throw new Error('the watch ended before it had brought all objects');
    if (!isOfUse && elapsed() - began < SHORTEST_WATCH_MS) throw new Error('the watch ended at once and brought nothing');
  }

  #handle({ type, object }: WatchEvent<Raw>): void {
    if (type === 'ERROR') {
      const status = object as { code?: number; reason?: string; message?: string };
      throw new ApiError(status.code ?? 500, status.reason ?? '', status.message ?? 'the watch failed');
    }
    this.#failures = 0;
    const { resourceVersion = this.#version, annotations } = object.metadata ?? {};
    if (this.#version === '') {
      if (type === 'DELETED') this.#remove(keyOf(object));
      else if (type !== 'BOOKMARK') this.#add(object);
      else if (annotations?.[END_OF_OBJECTS] === 'true') this.#filled(resourceVersion);
      return;
    }
    if (type === 'DELETED') this.#remove(keyOf(object));
    else if (type !== 'BOOKMARK') this.#set(object);
    this.#version = resourceVersion;
  }

  #set(object: Raw): void {
    const key = keyOf(object);
    const version = object.metadata?.resourceVersion ?? '';
    if (this.#versions.get(key) === version && version !== '') return;
    const before = this.#objects.get(key);
    const after = this.#options.keep(object);
    this.#objects.set(key, after);
    this.#versions.set(key, version);
    this.#options.onChange(key, after, before);
  }

  #remove(key: string): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#versions.delete(key);
    this.#options.onChange(key, undefined, before);
  }
}

/** client-node's watch tells the status of a refused request on a plain error. */
function asApiError(error: unknown): Error {
  const status = (error as { statusCode?: number }).statusCode;
  const message = error instanceof Error ? error.message : String(error);
  return status === undefined ? new Error(message) : new ApiError(status, message, message);
}
