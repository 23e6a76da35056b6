import { Agent, request } from 'node:https';
import type { RequestOptions } from 'node:https';
import { Watch } from '@kubernetes/client-node';
import type { KubeConfig, KubernetesListObject, KubernetesObject } from '@kubernetes/client-node';

/** An answer of the API server other than success. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** The API's own word for it, such as AlreadyExists, Conflict or Expired. */
  readonly reason: string;
  /** After how many milliseconds the server wants to be asked again. */
  readonly retryAfterMs?: number;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export const isStatus = (error: unknown, ...statuses: number[]): error is ApiError =>
  error instanceof ApiError && statuses.includes(error.status);

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Field manager of everything the operator applies. */
const FIELD_MANAGER = 'cdsp-operator';
const REQUEST_TIMEOUT_MS = 30_000;
/** A watch that says nothing for so long, bookmarks included, is taken for dead. */
const WATCH_SILENCE_MS = 180_000;

/**
 * Requests to the API server as JSON: connections are kept and nothing is converted, which is what client-node's generated
 * clients cost most for (docs/decisions/operator.md). Authentication, watches and kubeconfigs are client-node's.
 */
export class Cluster {
  readonly #config: KubeConfig;
  readonly #server: URL;
  readonly #watch: Watch;
  readonly #onRequest: (verb: string, resource: string, status: number) => void;
  #agent: { readonly identity: string; readonly agent: Agent } | undefined;

  constructor(config: KubeConfig, onRequest: (verb: string, resource: string, status: number) => void = () => {}) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig names no current cluster');
    this.#config = config;
    this.#server = new URL(cluster.server);
    this.#onRequest = onRequest;
    this.#watch = new Watch(config);
    // client-node ends a watch after 30 s of silence, less than the server's bookmarks need; it offers no other way to say so.
    Object.assign(this.#watch, { requestTimeoutMs: WATCH_SILENCE_MS });
  }

  /** Credentials now (tokens are renewed on disk), and connections that are kept as long as the certificates are the same. */
  async #options(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const { headers, ca, cert, key, rejectUnauthorized, servername } = options;
    const identity = JSON.stringify([ca, cert, key, rejectUnauthorized, servername]);
    if (this.#agent?.identity !== identity) {
      this.#agent?.agent.destroy();
      this.#agent = { identity, agent: new Agent({ keepAlive: true, maxSockets: 32, ca, cert, key, rejectUnauthorized, servername }) };
    }
    return { headers, agent: this.#agent.agent };
  }

  /** One request. @throws ApiError */
  async request<T>(
    verb: string,
    path: string,
    { query = {}, body, type }: { query?: Query; body?: unknown; type?: string } = {},
  ): Promise<T> {
    const url = new URL(path, this.#server);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const { headers, agent } = await this.#options();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const contentType = text === undefined ? {} : { 'content-type': type ?? 'application/json', 'content-length': Buffer.byteLength(text) };
    const answer = await new Promise<{ status: number; text: string; retryAfter?: string }>((resolve, reject) => {
      const call = request(
        url,
        { method: verb, agent, headers: { ...headers, accept: 'application/json', ...contentType }, timeout: REQUEST_TIMEOUT_MS },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            const retryAfter = response.headers['retry-after'];
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString(), retryAfter });
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error(`${verb} ${path}: no answer within ${REQUEST_TIMEOUT_MS / 1000} s`)));
      call.on('error', reject);
      call.end(text);
    });
    this.#onRequest(verb, path, answer.status);
    if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.text) as T;
    throw errorOf(answer.status, answer.text, answer.retryAfter);
  }

  get<T>(path: string): Promise<T> {
    return this.request('GET', path);
  }

  list<T extends KubernetesObject>(path: string, query: Query): Promise<KubernetesListObject<T>> {
    return this.request('GET', path, { query });
  }

  create<T extends KubernetesObject>(path: string, object: T): Promise<T> {
    return this.request('POST', path, { body: object, query: { fieldManager: FIELD_MANAGER } });
  }

  /** Server-side apply. */
  apply<T extends KubernetesObject>(path: string, object: object): Promise<T> {
    const query = { fieldManager: FIELD_MANAGER, force: true };
    return this.request('PATCH', path, { body: object, type: 'application/apply-patch+yaml', query });
  }

  merge<T extends KubernetesObject>(path: string, patch: object): Promise<T> {
    return this.request('PATCH', path, { body: patch, type: 'application/merge-patch+json', query: { fieldManager: FIELD_MANAGER } });
  }

  replace<T extends KubernetesObject>(path: string, object: T): Promise<T> {
    return this.request('PUT', path, { body: object, query: { fieldManager: FIELD_MANAGER } });
  }

  /** @param uid deletes only this very object, not one of the same name made since */
  delete(
    path: string,
    { uid, propagation = 'Background' }: { uid?: string; propagation?: 'Background' | 'Foreground' } = {},
  ): Promise<unknown> {
    return this.request('DELETE', path, {
      body: { propagationPolicy: propagation, ...(uid === undefined ? {} : { preconditions: { uid } }) },
    });
  }

  /**
   * Events from a resource version on. `onEnd` comes once, when the connection has ended for whatever reason.
   * @returns a function that ends the watch
   */
  async watch<T>(
    path: string,
    query: Query,
    onEvent: (event: WatchEvent<T>) => void,
    onEnd: (error: unknown) => void,
  ): Promise<() => void> {
    this.#onRequest('WATCH', path, 200);
    const controller = await this.#watch.watch(
      path,
      query,
      (type: string, object: T) => onEvent({ type: type as WatchEvent<T>['type'], object }),
      onEnd,
    );
    return () => controller.abort();
  }

  close(): void {
    this.#agent?.agent.destroy();
  }
}

function errorOf(status: number, text: string, retryAfter: string | undefined): ApiError {
  let reason = '';
  let message = text;
  try {
    const parsed = JSON.parse(text) as { reason?: string; message?: string };
    reason = parsed.reason ?? '';
    message = parsed.message ?? text;
  } catch {
    // Proxies answer in plain text.
  }
  const seconds = Number(retryAfter);
  return new ApiError(status, reason, message, Number.isFinite(seconds) && seconds > 0 ? 1000 * seconds : undefined);
}
