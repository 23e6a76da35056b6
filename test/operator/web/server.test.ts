import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { serve } from '../../../operator/web/server.ts';
import type { Pages } from '../../../operator/web/server.ts';

type Ask = (path: string, method?: string) => Promise<Response>;

/** A server on a free port of loopback, closed after `use`. */
async function withServer(pages: Partial<Pages>, use: (ask: Ask) => Promise<void>): Promise<void> {
  const server = await serve(0, { isReady: () => true, metrics: () => Promise.resolve('up 1\n'), ...pages }, '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  try {
    await use((path, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { connection: 'close' } }));
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test('/metrics is Prometheus’ text format, and says so', () =>
  withServer({}, async (ask) => {
    const answer = await ask('/metrics');
    assert.equal([answer.status, await answer.text()], [200, 'up 1\n']);
    assert.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.is(answer.headers.get('etag'), null);
  }));

test('it is alive from the start, and ready when the caches are filled', async () => {
  let ready = false;
  await withServer({ isReady: () => ready }, async (ask) => {
    const statuses = async () => [(await ask('/healthz')).status, (await ask('/readyz')).status];
    assert.equal(await statuses(), [200, 503]);
    ready = true;
    assert.equal(await statuses(), [200, 200]);
  });
});

test('HEAD is answered like GET, without a body', () =>
  withServer({}, async (ask) => {
    const answer = await ask('/metrics', 'HEAD');
    assert.equal([answer.status, await answer.text()], [200, '']);
  }));

const others: [path: string, method: string][] = [
  ['/', 'GET'],
  ['/metrics/more', 'GET'],
  ['/metrics', 'POST'],
];
for (const [path, method] of others) {
  test(`${method} ${path}: 404, with what there is`, () =>
    withServer({}, async (ask) => {
      const answer = await ask(path, method);
      assert.is(answer.status, 404);
      assert.match(await answer.text(), '/healthz');
    }));
}

test('metrics that cannot be collected are an error with its words and no stack', () =>
  withServer({ metrics: () => Promise.reject(new Error('no cache')) }, async (ask) => {
    const answer = await ask('/metrics');
    assert.equal([answer.status, await answer.text()], [500, 'no cache']);
  }));

test('a port that is taken is an error', () =>
  withServer({}, async () => {
    const taken = await serve(0, { isReady: () => true, metrics: () => Promise.resolve('') }, '127.0.0.1');
    const { port } = taken.address() as AddressInfo;
    const again = serve(port, { isReady: () => true, metrics: () => Promise.resolve('') }, '127.0.0.1');
    const failure = await again.then(
      () => 'listens',
      (error: unknown) => String(error),
    );
    await new Promise((resolve) => taken.close(resolve));
    assert.match(failure, 'EADDRINUSE');
  }));

test.run();
