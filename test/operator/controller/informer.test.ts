import { setImmediate } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { KubernetesObject } from '@kubernetes/client-node';
import { ApiError } from '../../../operator/controller/cluster.ts';
import type { Query, WatchEvent } from '../../../operator/controller/cluster.ts';
import { Informer } from '../../../operator/controller/informer.ts';

type Listener = { event: (event: WatchEvent<KubernetesObject>) => void; end: (error: unknown) => void; query: Query };

const object = (name: string, version: number): KubernetesObject => ({
  metadata: { name, namespace: 'lab', resourceVersion: String(version) },
});

const ALL_SENT = 'k8s.io/initial-events-end';

/** An API server of one kind, whose watches the test answers. It sends no objects by a watch, as one of before Kubernetes 1.32, unless it is to. */
function makeServer(pages: KubernetesObject[][], { streams = false } = {}) {
  const lists: Query[] = [];
  const watches: Listener[] = [];
  let version = 10;
  let refusals = 0;
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return {
    lists,
    watches,
    /** How often a watch that was to send all objects was refused. */
    refusals: () => refusals,
    setPages(next: KubernetesObject[][], at: number) {
      pages = next;
      version = at;
    },
    /** Resolves when so many watches have been opened. */
    async watched(count: number): Promise<Listener> {
      while (watches.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
      return watches[count - 1];
    },
    cluster: {
      list: <T extends KubernetesObject>(_path: string, query: Query) => {
        lists.push(query);
        const page = query.continue === undefined ? 0 : Number(query.continue);
        const next = page + 1 < pages.length ? String(page + 1) : undefined;
        return Promise.resolve({ items: pages[page] as T[], metadata: { resourceVersion: String(version), _continue: next } });
      },
      watch: <T>(_path: string, query: Query, event: (event: WatchEvent<T>) => void, end: (error: unknown) => void) => {
        if (query.sendInitialEvents === true && !streams) {
          refusals++;
          end(Object.assign(new Error('Unprocessable Entity'), { statusCode: 422 }));
        } else {
          watches.push({ event: event as Listener['event'], end, query });
          wake();
        }
        return Promise.resolve(() => {});
      },
    },
  };
}

function makeInformer(server: ReturnType<typeof makeServer>) {
  const changes: string[] = [];
  const errors: unknown[] = [];
  const clock = { ms: 0 };
  const informer = new Informer<KubernetesObject, string>({
    cluster: server.cluster,
    path: '/things',
    keep: ({ metadata }) => metadata?.resourceVersion ?? '',
    onChange: (key, after, before) => changes.push(`${key} ${before ?? '-'}>${after ?? '-'}`),
    onError: (error) => errors.push(error),
    random: () => 0,
    elapsed: () => clock.ms,
  });
  return { informer, changes, errors, clock };
}

/** What a watch sends of objects that are there, and that these were all. */
function sendAll(watch: Listener, version: number, ...objects: KubernetesObject[]): void {
  for (const one of objects) watch.event({ type: 'ADDED', object: one });
  watch.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version), annotations: { [ALL_SENT]: 'true' } } } });
}

/** An informer whose first list is one page of these, with its watch open. */
async function startWatching(...objects: KubernetesObject[]) {
  const server = makeServer([objects]);
  const made = makeInformer(server);
  await made.informer.start();
  return { ...made, server, watch: await server.watched(1) };
}

test('a cache is filled by its watch, which goes on with what changes; it counts as synced when the server says that these were all', async () => {
  const server = makeServer([], { streams: true });
  const { informer, changes, errors } = makeInformer(server);
  let isSynced = false;
  const started = informer.start().then(() => (isSynced = true));
  const watch = await server.watched(1);
  const { sendInitialEvents, resourceVersionMatch, resourceVersion, allowWatchBookmarks } = watch.query;
  assert.equal([sendInitialEvents, resourceVersionMatch, resourceVersion, allowWatchBookmarks], [true, 'NotOlderThan', undefined, true]);
  watch.event({ type: 'ADDED', object: object('a', 1) });
  watch.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } });
  await setImmediate();
  assert.equal([isSynced, informer.hasReached('1')], [false, false], 'others may have come before it');
  sendAll(watch, 10, object('b', 2));
  await started;
  assert.equal([informer.hasReached('10'), informer.hasReached('11')], [true, false]);
  watch.event({ type: 'MODIFIED', object: object('b', 11) });
  assert.equal(changes, ['lab/a ->1', 'lab/b ->2', 'lab/b 2>11']);
  watch.end(null);
  assert.is((await server.watched(2)).query.resourceVersion, '11');
  assert.equal([server.lists, errors], [[], []]);
  await informer.stop();
});

test('a forgotten version fills the cache anew by a watch, and tells what was changed, made and deleted meanwhile', async () => {
  const server = makeServer([], { streams: true });
  const { informer, changes, errors } = makeInformer(server);
  const started = informer.start();
  sendAll(await server.watched(1), 10, object('a', 1), object('b', 2), object('c', 3));
  await started;
  server.watches[0].event({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old' } as never });
  const second = await server.watched(2);
  assert.is(second.query.sendInitialEvents, true);
  assert.not(informer.hasReached('3'));
  assert.is(informer.get('lab/c'), '3', 'what was known is known until the server says otherwise');
  sendAll(second, 40, object('a', 1), object('b', 30), object('d', 31));
  assert.equal(changes.slice(3), ['lab/b 2>30', 'lab/d ->31', 'lab/c 3>-']);
  assert.equal(errors, []);
  await informer.stop();
});

for (const [how, end] of [
  ['breaks', (watch: Listener) => watch.end(new Error('socket hang up'))],
  ['ends', (watch: Listener) => watch.end(null)],
  ['fails', (watch: Listener) => watch.event({ type: 'ERROR', object: { code: 500, message: 'etcd is away' } as never })],
] as const) {
  test(`a stream of objects that ${how} half-way is trouble; the list takes its place, and the watch goes on from there`, async () => {
    const server = makeServer([[object('b', 2)], [object('c', 3)]], { streams: true });
    const { informer, changes, errors } = makeInformer(server);
    const started = informer.start();
    const first = await server.watched(1);
    first.event({ type: 'ADDED', object: object('a', 1) });
    first.event({ type: 'ADDED', object: object('b', 2) });
    end(first);
    await started;
    assert.equal(changes, ['lab/a ->1', 'lab/b ->2', 'lab/c ->3', 'lab/a 1>-']);
    assert.is((await server.watched(2)).query.resourceVersion, '10');
    assert.is(errors.length, 1);
    server.watches[1].event({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old' } as never });
    assert.is((await server.watched(3)).query.sendInitialEvents, true, 'the next time it may work');
    await informer.stop();
  });
}

test('a server that sends no objects by a watch is asked for lists in pages, which is no trouble', async () => {
  const { informer, errors, server } = await startWatching(object('a', 1));
  assert.equal([server.refusals(), server.lists.length, errors], [1, 1, []]);
  await informer.stop();
});

test('all pages of the first list are in the cache before it counts as synced; the watch begins at their version', async () => {
  const server = makeServer([[object('a', 1)], [object('b', 2)]]);
  const { informer, changes } = makeInformer(server);
  await informer.start();
  assert.equal(changes, ['lab/a ->1', 'lab/b ->2']);
  assert.is(informer.get('lab/b'), '2');
  const { query } = await server.watched(1);
  assert.is(query.resourceVersion, '10');
  assert.is(query.allowWatchBookmarks, true);
  await informer.stop();
});

test('events change the cache; the same version twice is told once; bookmarks move the version only', async () => {
  const { informer, changes, server, watch } = await startWatching(object('a', 1));
  watch.event({ type: 'MODIFIED', object: object('a', 11) });
  watch.event({ type: 'MODIFIED', object: object('a', 11) });
  watch.event({ type: 'ADDED', object: object('b', 12) });
  watch.event({ type: 'DELETED', object: object('a', 13) });
  watch.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } });
  assert.equal(changes.slice(1), ['lab/a 1>11', 'lab/b ->12', 'lab/a 11>-']);
  watch.end(null);
  assert.is((await server.watched(2)).query.resourceVersion, '20');
  assert.is(server.lists.length, 1);
  await informer.stop();
});

test('a dropped connection goes on from the last version, without a list', async () => {
  const { informer, errors, server, watch } = await startWatching(object('a', 1));
  watch.event({ type: 'MODIFIED', object: object('a', 15) });
  watch.end(new Error('socket hang up'));
  assert.is((await server.watched(2)).query.resourceVersion, '15');
  assert.is(server.lists.length, 1);
  assert.is(errors.length, 1);
  await informer.stop();
});

test('a watch that ends at once without a word is trouble, each time; one that lasted or has brought something is not', async () => {
  const { informer, errors, clock, server, watch } = await startWatching(object('a', 1));
  watch.end(null);
  (await server.watched(2)).end(null);
  const third = await server.watched(3);
  assert.equal(errors.map(String), Array(2).fill('Error: the watch ended at once and brought nothing'));
  assert.is(server.lists.length, 1);
  clock.ms += 1000;
  third.end(null);
  const fourth = await server.watched(4);
  fourth.event({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } });
  fourth.end(null);
  await server.watched(5);
  assert.is(errors.length, 2);
  await informer.stop();
});

for (const [how, forget] of [
  [
    'as an event',
    (watch: Listener) => watch.event({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old' } as never }),
  ],
  ['as an answer', (watch: Listener) => watch.end(Object.assign(new Error('Gone'), { statusCode: 410 }))],
] as const) {
  test(`a forgotten version (410 ${how}) lists again and tells what was changed, made and deleted meanwhile`, async () => {
    const { informer, changes, errors, server, watch } = await startWatching(object('a', 1), object('b', 2), object('c', 3));
    server.setPages([[object('a', 1), object('b', 30), object('d', 31)]], 40);
    forget(watch);
    assert.is((await server.watched(2)).query.resourceVersion, '40');
    assert.equal(changes.slice(3), ['lab/b 2>30', 'lab/d ->31', 'lab/c 3>-']);
    assert.equal(errors, []);
    await informer.stop();
  });
}

test('a list that fails is tried again; nothing counts as synced before', async () => {
  const server = makeServer([[object('a', 1)]]);
  const { list } = server.cluster;
  let failures = 2;
  // Between two lists it is asked for a watch, which it refuses as ever.
  server.cluster.list = (path, query) => (failures-- > 0 ? Promise.reject(new ApiError(500, '', 'etcd is away')) : list(path, query));
  const { informer, errors } = makeInformer(server);
  await informer.start();
  assert.is(errors.length, 2);
  assert.is(informer.size, 1);
  await informer.stop();
});

test.run();
