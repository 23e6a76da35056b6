import { request as plainRequest } from 'node:http';
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
  /** What the server's own validation finds fault with. */
  readonly fields: readonly string[];

  constructor(status: number, reason: string, message: string, retryAfterMs?: number, fields: readonly string[] = []) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.fields = fields;
  }
}

export const isStatus = (error: unknown, ...statuses: number[]): error is ApiError =>
  error instanceof ApiError && statuses.includes(error.status);

/** Whether an object of this name is there. Other conflicts have other causes, such as a quota that was counted twice at a time, and leave nothing there. */
export const isThereAlready = (error: unknown): boolean => isStatus(error, 409) && error.reason === 'AlreadyExists';

/** Awaits a request that may as well be answered by this status. */
export async function ignoreStatus(status: number | readonly number[], request: Promise<unknown>): Promise<void> {
  await request.catch((error: unknown) => {
    if (!isStatus(error, ...[status].flat())) throw error;
  });
}

/** An object, or undefined where there is none. @throws ApiError */
export function find<T>(cluster: Pick<Cluster, 'get'>, path: string): Promise<T | undefined> {
  return cluster.get<T>(path).catch((error: unknown) => {
    if (isStatus(error, 404)) return undefined;
    throw error;
  });
}

/**
 * Whether the server refused what was asked for: the object is invalid, or a quota, a policy or an admission webhook forbids it. Asking
 * again at once changes nothing. A right that the operator lacks is another matter; the server tells the two apart by its words alone.
 */
export const isRefusal = (error: unknown): error is ApiError =>
  isStatus(error, 400, 422) || (isStatus(error, 403) && !/\bUser ".*" cannot \w+ resource /.test(error.message));

/**
 * Whether the API server itself says that the object is not valid, so that nothing but another object helps. A policy refuses with 422, too,
 * and a webhook with what it likes, 400 where it names nothing; what they forbid today they may allow tomorrow. Only validation names the
 * fields, and only the server calls a request bad by that reason; a webhook that copies both gives itself away by the server's words before its own.
 */
export const isInvalid = (error: unknown): error is ApiError =>
  ((isStatus(error, 422) && error.fields.length > 0) || (isStatus(error, 400) && error.reason === 'BadRequest')) &&
  !error.message.startsWith('admission webhook ');

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

/** Status of an answer; `error` where none came. */
export type RequestStatus = number | 'error';

export interface RequestHooks {
  /** Told of each request when it is answered, or has failed. */
  readonly onRequest?: (verb: string, path: string, status: RequestStatus) => void;
  /** Right before a request is sent, with nothing awaited in between: the last moment to have second thoughts. One that throws is not sent. */
  readonly beforeRequest?: () => void;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Field manager of everything the operator applies. */
const FIELD_MANAGER = 'cdsp-operator';
const REQUEST_TIMEOUT_MS = 30_000;
/** A proxy that asks for an hour of rest is not the API server's word. */
const LONGEST_REST_MS = 300_000;
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
  readonly #onRequest: NonNullable<RequestHooks['onRequest']>;
  readonly #beforeRequest: NonNullable<RequestHooks['beforeRequest']>;
  #agent: { readonly identity: string; readonly agent: Agent } | undefined;

  constructor(config: KubeConfig, { onRequest = () => {}, beforeRequest = () => {} }: RequestHooks = {}) {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig names no current cluster');
    this.#config = config;
    this.#server = new URL(cluster.server);
    if (this.#server.protocol === 'http:' && !cluster.skipTLSVerify) {
      throw new Error(`${cluster.server} has no TLS; where that is meant, say insecure-skip-tls-verify: true in the kubeconfig`);
    }
    this.#onRequest = onRequest;
    this.#beforeRequest = beforeRequest;
    this.#watch = new Watch(config);
    // client-node ends a watch after 30 s of silence, less than the server's bookmarks need; it offers no other way to say so.
    Object.assign(this.#watch, { requestTimeoutMs: WATCH_SILENCE_MS });
  }

  /** Credentials now (tokens are renewed on disk), and connections that are kept as long as the certificates are the same. */
  async #options(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const { headers, ca, cert, key, rejectUnauthorized, servername } = options;
    // Through a proxy lead client-node's own agents; a server without TLS (kubectl proxy) needs none.
    if (this.#config.getCurrentCluster()?.proxyUrl !== undefined) return { headers, agent: options.agent };
    if (this.#server.protocol === 'http:') return { headers };
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
    // The server may lie below a path, as behind a gateway of several clusters.
    const url = new URL(`${this.#server.pathname.replace(/\/$/, '')}${path}`, this.#server);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const { headers, agent } = await this.#options();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const contentType = text === undefined ? {} : { 'content-type': type ?? 'application/json', 'content-length': Buffer.byteLength(text) };
    this.#beforeRequest();
    const answer = await new Promise<{ status: number; text: string; retryAfter?: string }>((resolve, reject) => {
      const call = (url.protocol === 'http:' ? plainRequest : request)(
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
    }).catch((error: unknown) => {
      this.#onRequest(verb, path, 'error');
      throw error;
    });
    this.#onRequest(verb, path, answer.status);
    if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.text) as T;
    throw errorOf(answer.status, withoutCredentials(answer.text, headers), answer.retryAfter);
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

  /**
   * What an object owns goes with it, in the background.
   * @param preconditions deletes only this very object, not one of the same name made since; with a version, only as it was then
   */
  delete(path: string, preconditions: { uid?: string; resourceVersion?: string } = {}): Promise<unknown> {
    return this.request('DELETE', path, { body: { propagationPolicy: 'Background', preconditions } });
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
    // client-node tells of a refused request as of a connection that ends, but before it returns.
    let status: RequestStatus = 200;
    const controller = await this.#watch.watch(
      path,
      query,
      (type: string, object: T) => onEvent({ type: type as WatchEvent<T>['type'], object }),
      (error: unknown) => {
        status = statusOfWatch(error);
        onEnd(error);
      },
    );
    this.#onRequest('WATCH', path, status);
    return () => controller.abort();
  }

  close(): void {
    this.#agent?.agent.destroy();
  }
}

function statusOfWatch(error: unknown): RequestStatus {
  if (error === null || error === undefined) return 200;
  return (error as { statusCode?: number }).statusCode ?? 'error';
}

/** What is answered ends in logs and, where it is a refusal, in a status; a proxy's page may show the request with all its headers. */
function withoutCredentials(text: string, headers: RequestOptions['headers']): string {
  const { Authorization = '' } = (headers ?? {}) as Readonly<Record<string, string>>;
  const credentials = Authorization.slice(Authorization.indexOf(' ') + 1);
  return credentials === '' ? text : text.replaceAll(credentials, '***');
}

function errorOf(status: number, text: string, retryAfter: string | undefined): ApiError {
  let reason = '';
  let message = text;
  let fields: string[] = [];
  try {
    const parsed = JSON.parse(text) as { reason?: string; message?: string; details?: { causes?: { field?: string }[] } };
    reason = parsed.reason ?? '';
    message = parsed.message ?? text;
    fields = (parsed.details?.causes ?? []).flatMap(({ field }) => field ?? []);
  } catch {
    // Proxies answer in plain text.
  }
  const seconds = Number(retryAfter);
  return new ApiError(status, reason, message, seconds > 0 ? Math.min(LONGEST_REST_MS, 1000 * seconds) : undefined, fields);
}
