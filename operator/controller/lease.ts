import type { V1Lease } from '@kubernetes/client-node';
import { find, isStatus } from './cluster.ts';
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
  /** In milliseconds since the epoch; for people who read the Lease. */
  readonly now: () => number;
  /** In milliseconds, never going back: a clock that is set must neither end a lease nor keep it. */
  readonly elapsed: () => number;
}

/** A leader that has not renewed its lease for this share of it stops: before its end, when another replica may begin. */
const RENEW_SHARE = 0.8;
/** How often a replica that waits looks in the time between two renewals. */
const LOOKS_FOR_A_RENEWAL = 3;

/**
 * Leader election by a Lease of coordination.k8s.io, the way of Kubernetes' own controllers: time is measured from when this replica saw
 * the record change, so that clocks need not agree.
 */
export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #path: string;
  #seen: { readonly record: string; readonly end: number } | undefined;
  /** As this replica has written it last; while it leads, mostly as it is. */
  #own: V1Lease | undefined;
  #isLeading = false;
  #renewedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  /** A renewal that hangs must not keep this replica leading for longer than the lease holds. */
  #end: NodeJS.Timeout | undefined;
  /** Asked to end: never begins to lead any more. */
  #isEnding = false;
  /** Asks for nothing any more. */
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
    const { elapsed } = this.#options;
    const began = elapsed();
    this.#round = this.attempt().then(() => {
      if (this.#isStopped || this.#hasNothingToRenew) return;
      this.#timer = setTimeout(() => this.start(), Math.max(0, this.nextAttempt(began) - elapsed()));
    });
  }

  /**
   * When to try again after an attempt that began then. The time that an answer took is part of the period: a slow API server makes renewals no
   * rarer. A replica that waits looks more often, since it counts a lease's time from when it saw it renewed, and at its end at once.
   */
  nextAttempt(began: number): number {
    const { renewMs } = this.#options;
    if (this.#isLeading) return began + renewMs;
    const next = began + renewMs / LOOKS_FOR_A_RENEWAL;
    const end = this.#seen?.end ?? next;
    return end > began ? Math.min(next, end) : next;
  }

  /**
   * Gives the lease back, so that another replica need not wait for its end.
   * @param finish what a leader does first; it keeps its lease meanwhile, and a replica that does not lead does not begin to
   */
  async stop(finish?: () => Promise<void>): Promise<void> {
    this.#isEnding = true;
    await finish?.();
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#round;
    clearTimeout(this.#end);
    if (!this.#isLeading) return;
    this.#isLeading = false;
    await this.#release();
  }

  get #hasNothingToRenew(): boolean {
    return this.#isEnding && !this.#isLeading;
  }

  async #release(): Promise<void> {
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
    if (this.#hasNothingToRenew) return;
    // The lease holds from when the server took it, which is after this and may be long before its answer is here.
    const began = this.#options.elapsed();
    try {
      const holds = await this.#acquire();
      if (this.#hasNothingToRenew) return holds ? await this.#release() : undefined;
      const left = this.#leftSince(began);
      if (holds && left > 0) this.#renewed(began, left);
      else this.#lose();
    } catch (error) {
      if (!isStatus(error, 409)) this.#options.onError(error);
      this.endWhenOver();
    }
  }

  /** Loses the lease where its time is over, which a timer does as well, but perhaps after other things. */
  endWhenOver(): void {
    if (this.#leftSince(this.#renewedAt) <= 0) this.#lose();
  }

  /** For how long a lease that was renewed then is good for leading, in milliseconds. */
  #leftSince(renewedAt: number): number {
    const { durationSeconds, elapsed } = this.#options;
    return renewedAt + RENEW_SHARE * 1000 * durationSeconds - elapsed();
  }

  #renewed(at: number, leftMs: number): void {
    this.#renewedAt = at;
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#lose(), leftMs);
    this.#end.unref();
    if (this.#isLeading) return;
    this.#isLeading = true;
    this.#options.onLeading();
  }

  #lose(): void {
    clearTimeout(this.#end);
    if (!this.#isLeading) return;
    this.#isLeading = false;
    this.#options.onLost();
  }

  /** Whether this replica holds the lease now. */
  async #acquire(): Promise<boolean> {
    if (await this.#renew()) return true;
    const { name, identity, durationSeconds, cluster, elapsed } = this.#options;
    const lease = await find<V1Lease>(cluster, `${this.#path}/${name}`);
    if (lease === undefined) {
      await this.#create();
      return true;
    }
    const held = lease.spec ?? {};
    const record = JSON.stringify([held.holderIdentity, held.renewTime, held.leaseTransitions]);
    const holdsMs = 1000 * (held.leaseDurationSeconds ?? durationSeconds);
    if (this.#seen?.record !== record) this.#seen = { record, end: elapsed() + holdsMs };
    const isFree = held.holderIdentity === undefined || held.holderIdentity === '';
    const isExpired = elapsed() >= this.#seen.end;
    if (held.holderIdentity !== identity && !isFree && !isExpired) return false;
    const isNew = held.holderIdentity !== identity;
    await this.#hold(lease, isNew ? { acquireTime: this.#time(), leaseTransitions: (held.leaseTransitions ?? 0) + 1 } : {});
    return true;
  }

  /** Writes the lease as a leader knows it: its version says whether it is still so. @returns false where it is not, or not known */
  async #renew(): Promise<boolean> {
    const own = this.#own;
    this.#own = undefined;
    if (own === undefined || !this.#isLeading) return false;
    try {
      await this.#hold(own, {});
      return true;
    } catch (error) {
      if (isStatus(error, 409)) return false;
      throw error;
    }
  }

  /** @throws ApiError 409 where it has changed since it was read or written */
  async #hold(lease: V1Lease, changes: object): Promise<void> {
    const { cluster, name } = this.#options;
    const next = { ...lease, spec: { ...lease.spec, ...this.#holding(), ...changes } };
    this.#own = await cluster.replace<V1Lease>(`${this.#path}/${name}`, next as unknown as V1Lease);
  }

  async #create(): Promise<void> {
    const { cluster, name, namespace } = this.#options;
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace },
      spec: { ...this.#holding(), acquireTime: this.#time(), leaseTransitions: 0 },
    };
    this.#own = await cluster.create<V1Lease>(this.#path, lease as unknown as V1Lease);
  }

  /** What a Lease says of its holder. */
  #holding() {
    const { identity, durationSeconds } = this.#options;
    return { holderIdentity: identity, leaseDurationSeconds: durationSeconds, renewTime: this.#time() };
  }

  #time(): string {
    return microTime(this.#options.now());
  }
}

/** A MicroTime of the API: six digits of seconds. */
const microTime = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('Z', '000Z');
