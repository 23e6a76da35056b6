import type { Server } from 'node:http';
import express from 'express';

export interface Pages {
  /** Whether the caches are filled: before, nothing that is told would be true. */
  readonly isReady: () => boolean;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>;
}

/**
 * Serves /healthz, /readyz and /metrics.
 * @param host all addresses by default
 * @throws Error where the port cannot be listened on
 */
export async function serve(port: number, { isReady, metrics }: Pages, host?: string): Promise<Server> {
  const app = express();
  app.disable('x-powered-by');
  // A digest of megabytes that nobody asks for.
  app.disable('etag');
  app.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok');
  });
  app.get('/readyz', (_request, response) => {
    const ready = isReady();
    response
      .status(ready ? 200 : 503)
      .type('text/plain')
      .send(ready ? 'ok' : 'the caches are being filled');
  });
  app.get('/metrics', async (_request, response) => {
    try {
      response.type('text/plain; version=0.0.4').send(await metrics());
    } catch (error) {
      // Express' own answer would show a stack to everybody.
      response
        .status(500)
        .type('text/plain')
        .send(error instanceof Error ? error.message : String(error));
    }
  });
  app.use((_request, response) => {
    response.status(404).type('text/plain').send('there is /healthz, /readyz and /metrics');
  });
  return new Promise((resolve, reject) => {
    const listening = (error?: Error) => {
      if (error === undefined) resolve(server);
      else reject(error);
    };
    const server = host === undefined ? app.listen(port, listening) : app.listen(port, host, listening);
  });
}
