import type { KubeConfig } from '@kubernetes/client-node';
import { Cluster } from '../../operator/controller/cluster.ts';
import { kindOf } from './api-proxy.ts';

export type Moment = 'before' | 'after';

export interface Death {
  readonly moment: Moment;
  /** Such as POST jobs. */
  readonly kind: string;
  /** At which request of that kind, from 1: in which order different kinds come may be chance, with two experiments. */
  readonly number: number;
}

/**
 * An operator's connection that ends for good at one of its requests: before it is sent, or when the server has answered, which the operator does
 * not hear. The server is asked for nothing more: for all that it can tell, the operator's process was killed there.
 */
export class MortalCluster extends Cluster {
  /** Requests of the operator so far, as kinds. Filling the caches is none. */
  readonly asked: string[] = [];
  /** Resolves when it has died. */
  readonly died: Promise<void>;
  readonly #die: () => void;
  readonly #death: Death | undefined;
  #isCounting = false;
  #isDead = false;

  constructor(config: KubeConfig, death?: Death) {
    super(config);
    this.#death = death;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.died = promise;
    this.#die = resolve;
  }

  /** From now on requests count: the caches are filled. */
  count(): void {
    this.#isCounting = true;
  }

  override async request<T>(verb: string, path: string, options?: Parameters<Cluster['request']>[2]): Promise<T> {
    if (this.#isDead) throw new Error('killed');
    if (!this.#isCounting) return super.request(verb, path, options);
    const kind = kindOf({ method: verb, path });
    this.asked.push(kind);
    const isIt = kind === this.#death?.kind && this.asked.filter((each) => each === kind).length === this.#death.number;
    if (isIt && this.#death?.moment === 'before') this.#end();
    const answer = this.#isDead ? undefined : await this.#settle(super.request<T>(verb, path, options));
    if (isIt) this.#end();
    // What is answered from then on nobody hears.
    if (this.#isDead || answer === undefined) throw new Error('killed');
    if (answer.status === 'rejected') throw answer.reason;
    return answer.value;
  }

  async #settle<T>(request: Promise<T>): Promise<PromiseSettledResult<T>> {
    const [settled] = await Promise.allSettled([request]);
    return settled;
  }

  #end(): void {
    this.#isDead = true;
    this.#die();
  }
}
