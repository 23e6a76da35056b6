import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { KubernetesObject } from '@kubernetes/client-node';
import { ExperimentStatus } from '../../../../operator/api/status.ts';
import { ApiError } from '../../../../operator/controller/cluster.ts';
import type { Cluster, Query, WatchEvent } from '../../../../operator/controller/cluster.ts';

export type Resource = 'cdspexperiments' | 'jobs' | 'pods' | 'persistentvolumeclaims' | 'events';

/** An object as it lies on the server, whatever its kind. */
export interface Stored extends KubernetesObject {
  readonly spec?: object;
  readonly status?: object;
}

/** What a watch of the resource would tell. */
export interface Change {
  readonly resource: Resource;
  readonly key: string;
  readonly version: number;
  /** Undefined where it was deleted. */
  readonly object: Stored | undefined;
}

/** One request that fails; one that fails afterwards has taken effect, and only its answer is lost. */
export interface Fault {
  readonly when: 'before' | 'after';
  readonly status: number;
}

interface Path {
  readonly namespace: string;
  readonly resource: Resource;
  readonly name?: string;
  readonly subresource?: string;
}

function parsePath(path: string): Path {
  const [, namespace, resource, name, subresource] = /\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?(?:\/(status))?$/.exec(path) ?? [];
  return { namespace, resource: resource as Resource, name, subresource };
}

function eventOf({ key, version, object }: Change, namespace: string): WatchEvent<KubernetesObject> {
  if (object !== undefined) return { type: 'MODIFIED', object: structuredClone(object) };
  return { type: 'DELETED', object: { metadata: { namespace, name: key.slice(namespace.length + 1), resourceVersion: String(version) } } };
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A JSON merge patch (RFC 7396). */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Json = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}

/** The value at a path such as involvedObject.uid. */
const fieldOf = (object: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>> | undefined)?.[name], object);

/** What the API server does for the operator: names, versions, generations, preconditions and conflicts; and faults where a test wants them. */
export class ApiServer {
  readonly changes: Change[] = [];
  /** Verb and resource of each request of the operator. */
  readonly requests: string[] = [];
  readonly faults: Fault[] = [];
  /** Of what is refused, why. */
  refuse: (verb: string, resource: Resource, object: Stored) => Error | undefined = () => undefined;
  /** Of what may not be read, why. */
  refuseRead: (resource: Resource, namespace: string) => Error | undefined = () => undefined;
  readonly #watchers = new Set<(change: Change) => void>();
  readonly #objects = new Map<Resource, Map<string, Stored>>();
  #version = 1;
  #uids = 0;
  #unanswered = 0;

  all<T extends KubernetesObject>(resource: Resource): T[] {
    return [...this.#of(resource).values()].map((object) => structuredClone(object) as T);
  }

  find<T extends KubernetesObject>(resource: Resource, name: string, namespace = 'lab'): T | undefined {
    const object = this.#of(resource).get(`${namespace}/${name}`);
    return object === undefined ? undefined : (structuredClone(object) as T);
  }

  get version(): number {
    return this.#version;
  }

  #of(resource: Resource): Map<string, Stored> {
    const objects = this.#objects.get(resource) ?? new Map<string, Stored>();
    this.#objects.set(resource, objects);
    return objects;
  }

  /** Stores an object as it is; for whoever else than the operator has a hand in it. */
  put(resource: Resource, object: Stored): Stored {
    const key = `${object.metadata?.namespace}/${object.metadata?.name}`;
    const before = this.#of(resource).get(key);
    const uid = before?.metadata?.uid ?? `uid-${++this.#uids}`;
    const isEdited = before !== undefined && !isDeepStrictEqual(before.spec, object.spec);
    const generation = (before?.metadata?.generation ?? 1) + (isEdited ? 1 : 0);
    const metadata = { creationTimestamp: new Date(1000 * this.#uids), ...object.metadata, uid, generation };
    const same =
      before !== undefined &&
      isDeepStrictEqual(
        { ...before, metadata: { ...before.metadata, resourceVersion: '' } },
        { ...object, metadata: { ...metadata, resourceVersion: '' } },
      );
    if (same) return before;
    const stored = structuredClone({ ...object, metadata: { ...metadata, resourceVersion: String(++this.#version) } });
    this.#of(resource).set(key, stored);
    this.#tell({ resource, key, version: this.#version, object: stored });
    return stored;
  }

  remove(resource: Resource, name: string, namespace = 'lab'): void {
    const key = `${namespace}/${name}`;
    if (this.#of(resource).delete(key)) this.#tell({ resource, key, version: ++this.#version, object: undefined });
  }

  #tell(change: Change): void {
    this.changes.push(change);
    for (const tell of this.#watchers) tell(change);
  }

  /** Everything that was asked for is answered, and whoever asked has the answer. */
  async answered(): Promise<void> {
    do await setImmediate();
    while (this.#unanswered > 0);
  }

  /** The client of an operator. */
  client(): Pick<Cluster, 'get' | 'create' | 'apply' | 'merge' | 'delete' | 'list'> {
    const answer = async <T>(verb: string, path: string, object: Stored, act: (path: Path) => unknown): Promise<T> => {
      this.#unanswered++;
      try {
        // As from afar: whoever does not mind a failure until it has come is found out.
        await setImmediate();
        return structuredClone(this.#answer(verb, parsePath(path), object, act)) as T;
      } finally {
        this.#unanswered--;
      }
    };
    return {
      get: (path) => answer('get', path, {}, ({ resource, namespace, name = '' }) => this.#existing(resource, name, namespace)),
      create: (path, object) => answer('create', path, object, (where) => this.#create(where, object)),
      apply: (path, object) => answer('apply', path, object, (where) => this.#applyStatus(where, object as Stored)),
      merge: (path, patch) => answer('merge', path, patch as Stored, (where) => this.#merge(where, patch as Stored)),
      delete: (path, preconditions = {}) => answer('delete', path, {}, (where) => this.#delete(where, preconditions)),
      list: (path, query) => answer('list', path, {}, ({ resource, namespace }) => this.#list(resource, namespace, query)),
    };
  }

  /** The same for one that watches. */
  watchingClient(): ReturnType<ApiServer['client']> & Pick<Cluster, 'watch'> {
    return {
      ...this.client(),
      watch: async <T>(path: string, query: Query, onEvent: (event: WatchEvent<T>) => void) => {
        const { resource, namespace } = parsePath(path);
        const send = (event: WatchEvent<KubernetesObject>) => onEvent(event as WatchEvent<T>);
        const tell = (change: Change, since: number) => {
          const isSeen = change.resource === resource && change.key.startsWith(`${namespace}/`);
          if (isSeen && change.version > since) send(eventOf(change, namespace));
        };
        await setImmediate();
        let since = Number(query.resourceVersion);
        if (query.sendInitialEvents === true) {
          const { items, metadata } = this.#list(resource, namespace, query);
          for (const object of items) send({ type: 'ADDED', object: structuredClone(object) });
          send({ type: 'BOOKMARK', object: { metadata: { ...metadata, annotations: { 'k8s.io/initial-events-end': 'true' } } } });
          since = this.#version;
        }
        for (const change of this.changes) tell(change, since);
        const listener = (change: Change) => tell(change, since);
        this.#watchers.add(listener);
        return () => void this.#watchers.delete(listener);
      },
    };
  }

  #answer(verb: string, path: Path, object: Stored, act: (path: Path) => unknown): unknown {
    this.requests.push(`${verb} ${path.resource}${path.subresource === undefined ? '' : `/${path.subresource}`}`);
    const fault = this.faults.shift();
    const failure = fault && new ApiError(fault.status, 'Fault', `a fault of the test ${fault.when} the request took effect`);
    if (failure && fault.when === 'before') throw failure;
    const refusal = this.refuse(verb, path.resource, object);
    if (refusal !== undefined) throw refusal;
    const result = act(path);
    if (failure) throw failure;
    return result;
  }

  #existing(resource: Resource, name: string, namespace: string): Stored {
    const object = this.#of(resource).get(`${namespace}/${name}`);
    if (object === undefined) throw new ApiError(404, 'NotFound', `${resource} "${name}" not found`);
    return object;
  }

  #list(resource: Resource, namespace: string, { labelSelector = '', fieldSelector = '' }: Query) {
    const refusal = this.refuseRead(resource, namespace);
    if (refusal !== undefined) throw refusal;
    const terms = (selector: unknown) =>
      String(selector)
        .split(',')
        .filter((term) => term !== '')
        .map((term) => [term.slice(0, term.indexOf('=')), term.slice(term.indexOf('=') + 1)]);
    const [labels, fields] = [terms(labelSelector), terms(fieldSelector)];
    const fits = (object: Stored) =>
      object.metadata?.namespace === namespace &&
      labels.every(([label, value]) => object.metadata?.labels?.[label] === value) &&
      fields.every(([field, value]) => fieldOf(object, field) === value);
    const items = [...this.#of(resource).values()].filter(fits);
    return { items, metadata: { resourceVersion: String(this.#version) } };
  }

  #create({ resource, namespace }: Path, object: KubernetesObject): Stored {
    const { generateName } = object.metadata ?? {};
    const name = object.metadata?.name ?? `${generateName}${this.#uids}`;
    if (this.#of(resource).has(`${namespace}/${name}`)) throw new ApiError(409, 'AlreadyExists', `${resource} "${name}" already exists`);
    return this.put(resource, { ...object, metadata: { ...object.metadata, name, namespace } });
  }

  /** A status that the schema does not take is refused, as by the API server. */
  #applyStatus({ resource, namespace, name = '' }: Path, { status, metadata }: Stored): Stored {
    const existing = this.#existing(resource, name, namespace);
    if (existing.metadata?.uid !== metadata?.uid) throw new ApiError(409, 'Conflict', 'the uid is another one');
    const parsed = ExperimentStatus.safeParse(status);
    if (!parsed.success) throw new ApiError(422, 'Invalid', parsed.error.message);
    return this.put(resource, { ...existing, status });
  }

  #merge({ resource, namespace, name = '' }: Path, patch: Stored): Stored {
    const existing = this.#existing(resource, name, namespace);
    const { resourceVersion, uid } = patch.metadata ?? {};
    const isOther = (wanted: string | undefined, is: string | undefined) => wanted !== undefined && wanted !== is;
    if (isOther(resourceVersion, existing.metadata?.resourceVersion) || isOther(uid, existing.metadata?.uid))
      throw new ApiError(409, 'Conflict', `${name} has been changed`);
    return this.put(resource, merged(existing, patch) as Stored);
  }

  #delete({ resource, namespace, name = '' }: Path, { uid, resourceVersion }: { uid?: string; resourceVersion?: string }): object {
    const { metadata } = this.#existing(resource, name, namespace);
    if (uid !== undefined && uid !== metadata?.uid) throw new ApiError(409, 'Conflict', 'the uid is another one');
    if (resourceVersion !== undefined && resourceVersion !== metadata?.resourceVersion)
      throw new ApiError(409, 'Conflict', 'it has been changed');
    this.remove(resource, name, namespace);
    return {};
  }
}
