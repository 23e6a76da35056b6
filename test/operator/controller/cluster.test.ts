import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError, Cluster, isInvalid } from '../../../operator/controller/cluster.ts';

function configOf(server: string, more: object = {}): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'c', server, skipTLSVerify: true, ...more }],
    users: [{ name: 'u' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  });
  return config;
}

interface Asked {
  readonly method?: string;
  readonly url?: string;
  readonly body: string;
}

/** An API server without TLS, or a proxy, on loopback, that answers everything in one way. */
async function withServer(
  answer: { readonly status: number; readonly body: string; readonly retryAfter?: string },
  use: (url: string, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked.push({ method: request.method, url: request.url, body });
      if (answer.retryAfter !== undefined) response.setHeader('retry-after', answer.retryAfter);
      response.statusCode = answer.status;
      response.end(answer.body);
    });
  });
  server.on('connect', ({ url, method }, socket) => {
    asked.push({ url, method, body: '' });
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
const refusalOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test('what is thought better of right before it is sent does not reach the server', () =>
  withServer({ status: 200, body: '{}' }, async (url, asked) => {
    let isOver = false;
    const beforeRequest = () => {
      if (isOver) throw new Error('too late');
    };
    const cluster = new Cluster(configOf(url), { beforeRequest });
    await cluster.get('/x');
    const second = cluster.create('/x', {});
    isOver = true;
    assert.match(String(await refusalOf(second)), /too late/, 'credentials were still read when it was asked for');
    assert.is(asked.length, 1);
  }));

test('a server below a path is asked below that path, as behind a gateway of several clusters', () =>
  withServer({ status: 200, body: '{"a":1}' }, async (url, asked) => {
    const cluster = new Cluster(configOf(`${url}/k8s/clusters/c-1`));
    assert.equal(await cluster.get('/api/v1/pods'), { a: 1 });
    assert.is(asked[0].url, '/k8s/clusters/c-1/api/v1/pods');
  }));

test('a proxy that the kubeconfig names is used', () =>
  withServer({ status: 200, body: '{}' }, async (url, asked) => {
    const cluster = new Cluster(configOf('http://kubernetes.example.org:8080', { proxyUrl: url }));
    assert.ok(await refusalOf(cluster.get('/api/v1/pods')));
    assert.equal(asked, [{ method: 'CONNECT', url: 'kubernetes.example.org:8080', body: '' }]);
  }));

test('a deletion tells its preconditions', () =>
  withServer({ status: 200, body: '{}' }, async (url, asked) => {
    await new Cluster(configOf(url)).delete('/apis/batch/v1/namespaces/lab/jobs/a', { uid: 'u', resourceVersion: '7' });
    assert.is(asked[0].method, 'DELETE');
    assert.equal(JSON.parse(asked[0].body), { propagationPolicy: 'Background', preconditions: { uid: 'u', resourceVersion: '7' } });
  }));

for (const [retryAfter, retryAfterMs] of [
  ['3600', 300_000],
  ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
  ['-1', undefined],
] as const) {
  test(`Retry-After: ${retryAfter} is ${retryAfterMs === undefined ? 'passed over' : 'five minutes at most'}`, () =>
    withServer({ status: 503, body: 'away', retryAfter }, async (url) => {
      const error = await refusalOf(new Cluster(configOf(url)).get('/api/v1/pods'));
      assert.instance(error, ApiError);
      assert.is((error as ApiError).retryAfterMs, retryAfterMs);
    }));
}

test('a refusal carries status, reason, message and after how long to ask again', () =>
  withServer({ status: 429, body: '{"reason":"TooManyRequests","message":"slow down"}', retryAfter: '3' }, async (url) => {
    const error = await refusalOf(new Cluster(configOf(url)).get('/api/v1/pods'));
    assert.instance(error, ApiError);
    const { status, reason, message, retryAfterMs } = error as ApiError;
    assert.equal([status, reason, message, retryAfterMs], [429, 'TooManyRequests', 'slow down', 3000]);
  }));

const cause = { reason: 'FieldValueInvalid', message: 'Invalid value: 9', field: 'spec.template' };
for (const [who, isStuck, status, body] of [
  [
    'validation does',
    true,
    422,
    { reason: 'Invalid', message: 'Job.batch "a" is invalid: spec.template: Invalid value: 9', details: { causes: [cause] } },
  ],
  ['the decoder does', true, 400, { reason: 'BadRequest', message: 'Job in version "v1" cannot be handled as a Job' }],
  [
    'an admission policy does not',
    false,
    422,
    {
      reason: 'Invalid',
      message: "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ask Ada first",
      details: { causes: [{ message: "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ask Ada first" }] },
    },
  ],
  ['a webhook does not', false, 400, { message: 'admission webhook "w" denied the request without explanation' }],
  [
    'a webhook that answers like validation does not',
    false,
    422,
    { reason: 'Invalid', message: 'admission webhook "w" denied the request: a', details: { causes: [cause] } },
  ],
  ['a proxy does not', false, 400, {}],
] as const) {
  test(`who says that nothing but another object helps: ${who}`, () =>
    withServer({ status, body: JSON.stringify(body) }, async (url) => {
      assert.is(isInvalid(await refusalOf(new Cluster(configOf(url)).create('/apis/batch/v1/namespaces/lab/jobs', {}))), isStuck);
    }));
}

test('the operator’s token is not in what an error says, though a proxy’s page shows the request with its headers', () =>
  withServer({ status: 502, body: '<pre>authorization: Bearer s3cret.t0ken</pre>' }, async (url) => {
    const config = configOf(url);
    config.users = [{ name: 'u', token: 's3cret.t0ken' }];
    const error = (await refusalOf(new Cluster(config).get('/x'))) as ApiError;
    assert.is(error.message, '<pre>authorization: Bearer ***</pre>');
  }));

test('an answer that is no JSON, as proxies give it, is the message', () =>
  withServer({ status: 502, body: 'bad gateway' }, async (url) => {
    const error = (await refusalOf(new Cluster(configOf(url)).get('/api/v1/pods'))) as ApiError;
    assert.equal([error.status, error.message], [502, 'bad gateway']);
  }));

/** What is counted of a watch and of a request. */
async function countedOf(url: string): Promise<unknown[][]> {
  const counted: unknown[][] = [];
  const cluster = new Cluster(configOf(url), { onRequest: (...request) => counted.push(request) });
  await new Promise((resolve) => void cluster.watch('/api/v1/pods', {}, () => {}, resolve));
  await refusalOf(cluster.get('/api/v1/nodes'));
  return counted;
}

for (const status of [200, 401, 403, 410, 429, 503]) {
  test(`a watch and a request that are answered with ${status} are counted as such, once each`, () =>
    withServer({ status, body: '{}' }, async (url) => {
      const expected = [
        ['WATCH', '/api/v1/pods', status],
        ['GET', '/api/v1/nodes', status],
      ];
      assert.equal(await countedOf(url), expected);
    }));
}

test('a watch and a request without an answer are counted as errors', async () => {
  let gone = '';
  await withServer({ status: 200, body: '{}' }, (url) => {
    gone = url;
    return Promise.resolve();
  });
  const expected = [
    ['WATCH', '/api/v1/pods', 'error'],
    ['GET', '/api/v1/nodes', 'error'],
  ];
  assert.equal(await countedOf(gone), expected);
});

test('a server without TLS has to be meant', () => {
  assert.throws(() => new Cluster(configOf('http://127.0.0.1:1', { skipTLSVerify: false })), /insecure-skip-tls-verify/);
});

test.run();
