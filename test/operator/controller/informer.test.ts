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

/** An API server of one kind, whose lists and watches the test answers. */
function makeServer(pages: KubernetesObject[][]) {
  const lists: Query[] = [];
  const watches: Listener[] = [];
  let version = 10;
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return {
    lists,
    watches,
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
        watches.push({ event: event as Listener['event'], end, query });
        wake();
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

/** An informer whose first list is one page of these, with its watch open. */
async function startWatching(...objects: KubernetesObject[]) {
  const server = makeServer([objects]);
  const made = makeInformer(server);
  await made.informer.start();
  return { ...made, server, watch: await server.watched(1) };
}

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
  server.cluster.list = (path, query) => (failures-- > 0 ? Promise.reject(new ApiError(500, '', 'etcd is away')) : list(path, query));
  const { informer, errors } = makeInformer(server);
  await informer.start();
  assert.is(errors.length, 2);
  assert.is(informer.size, 1);
  await informer.stop();
});

test.run();
