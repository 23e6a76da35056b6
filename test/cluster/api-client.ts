import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { Certificate } from './certificates.ts';

export interface ApiResponse<Body = unknown> {
  readonly status: number;
  readonly body: Body;
}

export interface ApiClient {
  /**
   * One request, answered with JSON (or text). The caller names the body's type; nothing checks it, as it does not for any client.
   * @throws Error only where there is no answer at all
   */
  request<Body = unknown>(method: string, path: string, body?: unknown, contentType?: string): Promise<ApiResponse<Body>>;
  /** The same, for what has to succeed. @throws Error with the server's message */
  expect<Body = unknown>(method: string, path: string, body?: unknown, contentType?: string): Promise<Body>;
  /** Ends all connections; the next request opens another one. */
  close(): void;
  /** Ends all connections for good: a server whose network is gone would never say that it is. */
  end(): void;
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A client of an API server for what the harness itself does and a test asks; the operator has a real one. */
export function createApiClient(server: string, authority: string, { certificate, key }: Certificate): ApiClient {
  const agent = new Agent({
    keepAlive: true,
    ca: readFileSync(authority),
    cert: readFileSync(certificate),
    key: readFileSync(key),
  });
  let isEnded = false;
  const send: ApiClient['request'] = <Body>(method: string, path: string, body?: unknown, contentType = 'application/json') =>
    new Promise<ApiResponse<Body>>((resolve, reject) => {
      if (isEnded) return reject(new Error(`${method} ${path}: the cluster is stopped`));
      const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
      // Node tells no length of a DELETE's body by itself.
      const ofBody = text === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(text) };
      const headers = { accept: 'application/json', ...ofBody };
      const call = request(new URL(path, server), { method, agent, headers }, (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (answer += chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parseBody(answer) as Body }));
      });
      call.on('error', reject);
      call.end(text);
    });
  return {
    request: send,
    async expect<Body>(method: string, path: string, body?: unknown, contentType?: string) {
      const answer = await send<Body>(method, path, body, contentType);
      if (answer.status < 300) return answer.body;
      const { message } = answer.body as { message?: string };
      throw new Error(`${method} ${path}: ${answer.status} ${message ?? JSON.stringify(answer.body)}`);
    },
    close: () => agent.destroy(),
    end() {
      isEnded = true;
      agent.destroy();
    },
  };
}
