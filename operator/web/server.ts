import type { Server } from 'node:http';
import express from 'express';

export interface Pages {
  /** Whether the caches are filled: before, nothing that is told would be true. */
  readonly isReady: () => boolean;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>;
}

/** Serves /healthz, /readyz and /metrics. */
export async function serve(port: number, { isReady, metrics }: Pages): Promise<Server> {
  const app = express();
  app.disable('x-powered-by');
  app.get('/healthz', (_request, response) => {
    response.send('ok');
  });
  app.get('/readyz', (_request, response) => {
    response.status(isReady() ? 200 : 503).send(isReady() ? 'ok' : 'the caches are being filled');
  });
  app.get('/metrics', (_request, response, next) => {
    metrics().then((text) => response.type('text/plain; version=0.0.4').send(text), next);
  });
  return new Promise((resolve, reject) => {
    const server = app.listen(port, (error?: Error) => {
      if (error === undefined) resolve(server);
      else reject(error);
    });
  });
}
