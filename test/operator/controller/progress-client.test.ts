import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LiveProgressPoller } from '../../../operator/controller/live-progress.ts';
import { ProgressClient } from '../../../operator/controller/progress-client.ts';
import { ProgressServer } from '../../../trainer-image/progress-server.ts';

/** Every address 127.x.x.x is this machine: a pod each, all on one port, as in a cluster. */
async function withPods(
  pods: Readonly<Record<string, RequestListener>>,
  use: (client: ProgressClient, port: number) => Promise<void>,
  timeoutMs = 150,
): Promise<void> {
  const servers: Server[] = [];
  let port = 0;
  for (const [address, listener] of Object.entries(pods)) {
    const server = createServer(listener).listen(port, address);
    servers.push(server);
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  }
  const client = new ProgressClient({ port, timeoutMs });
  try {
    await use(client, port);
  } finally {
    client.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'has answered',
    (error: unknown) => String(error),
  );

const PROGRESS = JSON.stringify({ key: 'aa', done: 1, total: 4 });
const never: RequestListener = () => {};
const trickles: RequestListener = (_request, response) => {
  const timer = setInterval(() => response.write('.'), 10);
  response.on('close', () => clearInterval(timer));
};
const huge: RequestListener = (_request, response) => {
  // More than anything buffers, so that it never ends by itself.
  const more = () => {
    while (response.write('x'.repeat(1 << 16)));
  };
  response.on('drain', more);
  more();
};

test('the body of /progress comes back, and the connection is used again', async () => {
  const sockets = new Set<unknown>();
  const paths: (string | undefined)[] = [];
  const answers: RequestListener = (request: IncomingMessage, response) => {
    sockets.add(request.socket);
    paths.push(request.url);
    response.end(PROGRESS);
  };
  await withPods({ '127.0.0.2': answers }, async (client) => {
    for (let i = 0; i < 3; i++) assert.is(await client.get('127.0.0.2'), PROGRESS);
  });
  assert.equal([sockets.size, paths], [1, ['/progress', '/progress', '/progress']]);
});

const refused: [why: string, listener: RequestListener, message: RegExp][] = [
  ['a server that never answers', never, /no answer within 150 ms|aborted/],
  ['a server whose answer trickles in', trickles, /no answer within 150 ms|aborted/],
  ['an answer without end', huge, /more than 65536 bytes/],
  ['another status', (_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1/' }).end(), /status 302/],
  ['a connection that is cut', (_request, response) => void response.socket?.destroy(), /socket hang up|ECONNRESET/],
];
for (const [why, listener, message] of refused) {
  test(`refused: ${why}`, () =>
    withPods({ '127.0.0.2': listener }, async (client) => assert.match(await failure(client.get('127.0.0.2')), message)));
}

test('refused: nobody listens', () =>
  withPods({ '127.0.0.2': never }, async (client) => assert.match(await failure(client.get('127.0.0.3')), /ECONNREFUSED/)));

test('refused: what is no address, as a name would be looked up', () =>
  withPods({ '127.0.0.2': never }, async (client) => assert.match(await failure(client.get('localhost')), /no address/)));

test('pods that answer slowly, wrongly, too much or never cost a round its patience once, and the others nothing', async () => {
  let polled = 0;
  const good: RequestListener = (_request, response) => {
    polled++;
    response.end(PROGRESS);
  };
  const pods = { '127.0.0.2': never, '127.0.0.3': trickles, '127.0.0.4': huge, '127.0.0.5': good };
  const garbage: RequestListener = (_request, response) => void response.end('<html>');
  await withPods({ ...pods, '127.0.0.6': garbage }, async (client) => {
    const changed: string[] = [];
    const poller = new LiveProgressPoller({
      pods: () => [2, 3, 4, 5, 6].map((i) => ({ experiments: [`lab/e${i}`], stage: 'segment' as const, key: 'aa', podIP: `127.0.0.${i}` })),
      get: (podIP) => client.get(podIP),
      onChange: (experiment) => changed.push(experiment),
      everySeconds: 2,
      now: () => performance.now(),
    });
    await poller.poll();
    assert.equal([changed, polled], [['lab/e5'], 1]);
  });
});

test('the trainer’s own server is understood', async () => {
  const server = new ProgressServer({ experiment: 'cats', stage: 'segment', key: 'aabb' });
  const client = new ProgressClient({ port: await server.listen(0, '127.0.0.1') });
  const poller = new LiveProgressPoller({
    pods: () => [{ experiments: ['lab/cats'], stage: 'segment', key: 'aa', podIP: '127.0.0.1' }],
    get: (podIP) => client.get(podIP),
    onChange: () => {},
    everySeconds: 2,
    now: () => performance.now(),
  });
  try {
    await poller.poll();
    assert.is(poller.of('lab/cats').size, 0, 'nothing to tell yet');
    const classes = ['background', 'cat'];
    server.update({
      type: 'progress',
      label: 'epoch 1/2',
      done: 3,
      total: 10,
      unit: 'step',
      loss: 1.5,
      terms: { scribble: 0.5 },
      learningRate: 0.1,
      epoch: 1,
      imagesPerSecond: 8,
      meanIou: 0.5,
      iou: [0.75, 0.25],
      classes,
    });
    await poller.poll();
    assert.equal(poller.of('lab/cats').get('segment'), {
      done: 3,
      total: 10,
      loss: 1.5,
      losses: [{ name: 'scribble', value: 0.5 }],
      learningRate: 0.1,
      epoch: 1,
      imagesPerSecond: 8,
      meanIou: 0.5,
      iou: [0.75, 0.25],
      classes,
    });
  } finally {
    client.close();
    await server.close();
  }
});

test.run();
