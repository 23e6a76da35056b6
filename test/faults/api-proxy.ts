import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as forward } from 'node:https';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { tokenIn } from '../cluster/kubeconfig.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { writeKubeconfig } from '../cluster/kubeconfig.ts';
import { freePort } from '../cluster/ports.ts';

export interface ProxiedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly isWatch: boolean;
  /** A watch that is to begin with all objects. */
  readonly isStream: boolean;
}

/** Such as `PATCH jobs`; the status of an experiment is a kind of its own. */
export function kindOf({ method, path }: Pick<ProxiedRequest, 'method' | 'path'>): string {
  const [, resource = '', , subresource] = /\/namespaces\/[^/]+\/([^/]+)(\/[^/]+)?(?:\/(status))?$/.exec(path) ?? [];
  return `${method} ${subresource ?? resource}`;
}

export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds?: number;
  /** Answered as a proxy does that knows no API: with a page, which shows what it was asked for. */
  readonly isPage?: boolean;
}

/**
 * What becomes of a request. `answer` is given instead of the server's, which does not hear of it; `lostTo` instead of the server's when that
 * has done what was asked for; `onAnswer` is called when the server has answered and before it is delivered.
 */
export interface Interception {
  readonly answer?: Refusal;
  readonly lostTo?: Refusal;
  readonly onAnswer?: () => Promise<void>;
}

/** Asked for every request before it is sent on; undefined: it is sent on. */
export type Interceptor = (request: ProxiedRequest) => Promise<Interception | undefined> | Interception | undefined;

export interface ApiProxy {
  /** A kubeconfig that leads through the proxy, with the rights of an administrator. */
  readonly kubeconfig: string;
  intercept: Interceptor;
  /** Ends all connections, those of watches included. */
  drop(): void;
  stop(): Promise<void>;
}

const NOTHING: Interceptor = () => undefined;

/** A token of an administrator: certificates end at the proxy. */
async function administratorToken(plane: ControlPlane): Promise<string> {
  const namespace = 'kube-system';
  const metadata = { name: 'through-the-proxy', namespace };
  await plane.client.expect('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata,
  });
  await plane.client.expect('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: metadata.name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', ...metadata }],
  });
  return tokenIn(await plane.kubeconfigForServiceAccount(namespace, metadata.name));
}

function refuse(response: ServerResponse, { status, reason, retryAfterSeconds, isPage }: Refusal, asked: IncomingMessage): void {
  if (isPage === true) {
    response.writeHead(status, { 'content-type': 'text/html' });
    return void response.end(`<h1>${reason}</h1><pre>${asked.method} ${asked.url}\n${JSON.stringify(asked.headers)}</pre>`);
  }
  const retry = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  response.writeHead(status, { 'content-type': 'application/json', ...retry });
  response.end(
    JSON.stringify({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      reason,
      message: `${reason} as the test wants it`,
      code: status,
    }),
  );
}

/** Stands between an operator and the API server, and does to its requests what a test wants. */
export async function startApiProxy(plane: ControlPlane): Promise<ApiProxy> {
  const { workspace, authority } = plane;
  const token = await administratorToken(plane);
  const port = await freePort();
  const { certificate, key } = authority.issueServer('proxy', ['127.0.0.1']);
  const agent = new Agent({ keepAlive: true, ca: readFileSync(authority.certificate) });
  let intercept = NOTHING;

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', plane.server);
    const method = incoming.method ?? 'GET';
    const [isWatch, isStream] = ['watch', 'sendInitialEvents'].map((name) => url.searchParams.has(name));
    const interception = await intercept({ method, path: url.pathname, isWatch, isStream });
    if (interception?.answer !== undefined) return refuse(response, interception.answer, incoming);
    const options: RequestOptions = { method, agent, headers: { ...incoming.headers, host: url.host } };
    const outgoing = forward(url, options, (answer) => {
      if (interception?.lostTo !== undefined) {
        answer.resume();
        return refuse(response, interception.lostTo, incoming);
      }
      const deliver = () => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      };
      if (interception?.onAnswer === undefined) deliver();
      else void interception.onAnswer().then(deliver);
    });
    // As a server that is away.
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }

  const server = createServer(
    { cert: readFileSync(certificate), key: readFileSync(key) },
    (incoming, response) => void handle(incoming, response),
  );
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const kubeconfig = writeKubeconfig(join(workspace.folder, 'proxy.kubeconfig'), {
    server: `https://127.0.0.1:${port}`,
    authority: authority.certificate,
    credentials: { token },
  });
  return {
    kubeconfig,
    get intercept() {
      return intercept;
    },
    set intercept(next: Interceptor) {
      intercept = next;
    },
    drop: () => server.closeAllConnections(),
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      agent.destroy();
    },
  };
}
