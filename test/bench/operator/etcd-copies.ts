import type { ControlPlane } from '../../cluster/control-plane.ts';
import { inParallel } from '../../in-parallel.ts';

/** Etcd takes 1.5 MiB in one request, and 128 changes. */
const BATCH = 48;
const WRITERS = 4;

/** An object as the API server has stored it: bytes, which are JSON for a custom resource and protobuf for all others. */
export interface StoredObject {
  readonly key: string;
  readonly value: Buffer;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function call<T>({ etcdUrl }: Pick<ControlPlane, 'etcdUrl'>, method: string, body: object): Promise<T> {
  const response = await fetch(`${etcdUrl}/v3/kv/${method}`, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`etcd: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** What is stored at this key. @throws Error where there is nothing */
export async function readStored(plane: Pick<ControlPlane, 'etcdUrl'>, key: string): Promise<StoredObject> {
  const { kvs = [] } = await call<{ kvs?: { value: string }[] }>(plane, 'range', { key: base64(key) });
  if (kvs.length === 0) throw new Error(`etcd has no ${key}`);
  return { key, value: Buffer.from(kvs[0].value, 'base64') };
}

/**
 * The same object with other names, digests and numbers in it. Each has to be as long as what it stands for: protobuf tells lengths.
 * @throws Error where one is not
 */
export function renamed({ key, value }: StoredObject, names: ReadonlyMap<string, string>): StoredObject {
  for (const [from, to] of names) if (from.length !== to.length) throw new Error(`${to} is not as long as ${from}`);
  const longestFirst = [...names.keys()].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.join('|').replaceAll('.', String.raw`\.`), 'g');
  const replace = (text: string) => text.replace(pattern, (found) => names.get(found) ?? found);
  return { key: replace(key), value: Buffer.from(replace(value.toString('latin1')), 'latin1') };
}

/**
 * Stores objects past the API server, which tells its watches of them as of any other: sixty thousand in a minute, where two requests each
 * would take ten.
 */
export async function store(plane: Pick<ControlPlane, 'etcdUrl'>, count: number, objectOf: (index: number) => StoredObject): Promise<void> {
  const starts = Array.from({ length: Math.ceil(count / BATCH) }, (_, batch) => batch * BATCH);
  await inParallel(starts, WRITERS, async (start) => {
    const objects = Array.from({ length: Math.min(BATCH, count - start) }, (_, offset) => objectOf(start + offset));
    const success = objects.map(({ key, value }) => ({ requestPut: { key: base64(key), value: value.toString('base64') } }));
    await call(plane, 'txn', { success });
  });
}
