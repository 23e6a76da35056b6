import type { V1Lease } from '@kubernetes/client-node';
import { isStatus } from './cluster.ts';
import type { Cluster } from './cluster.ts';

export interface LeaseOptions {
  readonly cluster: Pick<Cluster, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly name: string;
  /** Name of this replica; the same after a restart of its pod's container. */
  readonly identity: string;
  /** For how long a lease holds that is not renewed, in seconds. */
  readonly durationSeconds: number;
  readonly renewMs: number;
  readonly onLeading: () => void;
  /** The lease is lost: whoever led must stop at once. */
  readonly onLost: () => void;
  readonly onError: (error: unknown) => void;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Leader election by a Lease of coordination.k8s.io, the way of Kubernetes' own controllers: time is measured from when this replica saw
 * the record change, so that clocks need not agree.
 */
export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #path: string;
  #seen: { readonly record: string; readonly at: number } | undefined;
  #isLeading = false;
  #renewedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #round: Promise<void> = Promise.resolve();

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  }

  get isLeading(): boolean {
    return this.#isLeading;
  }

  /** Tries to get the lease, or to renew it, now and again and again until `stop`. */
  start(): void {
    this.#round = this.attempt().then(() => {
      if (this.#isStopped) return;
      this.#timer = setTimeout(() => this.start(), this.#options.renewMs);
    });
  }

  /** Gives the lease back, so that another replica need not wait for its end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#round;
    if (!this.#isLeading) return;
    this.#isLeading = false;
    try {
      const lease = await this.#options.cluster.get<V1Lease>(`${this.#path}/${this.#options.name}`);
      if (lease.spec?.holderIdentity !== this.#options.identity) return;
      await this.#options.cluster.replace(`${this.#path}/${this.#options.name}`, {
        ...lease,
        spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(this.#options.now()) },
      });
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** One try to get the lease or to renew it. */
  async attempt(): Promise<void> {
    const { durationSeconds, now } = this.#options;
    try {
      const holds = await this.#acquire();
      if (holds) {
        this.#renewedAt = now();
        if (!this.#isLeading) {
          this.#isLeading = true;
          this.#options.onLeading();
        }
      } else if (this.#isLeading) this.#lose();
    } catch (error) {
      if (!isStatus(error, 409)) this.#options.onError(error);
      if (this.#isLeading && now() - this.#renewedAt >= 1000 * durationSeconds) this.#lose();
    }
  }

  #lose(): void {
    this.#isLeading = false;
    this.#options.onLost();
  }

  /** Whether this replica holds the lease now. */
  async #acquire(): Promise<boolean> {
    const { cluster, name, namespace, identity, durationSeconds, now } = this.#options;
    const spec = { holderIdentity: identity, leaseDurationSeconds: durationSeconds, renewTime: microTime(now()) };
    const lease = await cluster.get<V1Lease>(`${this.#path}/${name}`).catch((error: unknown) => {
      if (isStatus(error, 404)) return undefined;
      throw error;
    });
    if (lease === undefined) {
      const created = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name, namespace },
        spec: { ...spec, acquireTime: spec.renewTime, leaseTransitions: 0 },
      };
      await cluster.create(this.#path, created as unknown as V1Lease);
      return true;
    }
    const held = lease.spec ?? {};
    const record = JSON.stringify([held.holderIdentity, held.renewTime, held.leaseTransitions]);
    if (this.#seen?.record !== record) this.#seen = { record, at: now() };
    const isFree = held.holderIdentity === undefined || held.holderIdentity === '';
    const isExpired = now() - this.#seen.at >= 1000 * (held.leaseDurationSeconds ?? durationSeconds);
    if (held.holderIdentity !== identity && !isFree && !isExpired) return false;
    const isNew = held.holderIdentity !== identity;
    const next = {
      ...lease,
      spec: {
        ...held,
        ...spec,
        ...(isNew ? { acquireTime: spec.renewTime, leaseTransitions: (held.leaseTransitions ?? 0) + 1 } : {}),
      },
    };
    await cluster.replace(`${this.#path}/${name}`, next as unknown as V1Lease);
    return true;
  }
}

/** A MicroTime of the API: six digits of seconds. */
const microTime = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('Z', '000Z');
