import type { V1Job } from '@kubernetes/client-node';
import { RecentMap } from './recent-map.ts';

/** What was done lately and the caches may not show yet; one for all experiments. */
export class Deeds {
  readonly created: RecentMap<V1Job>;
  /** Jobs that were made and not seen yet, or seen to go before their end: they may have left pods that the caches do not show yet. */
  readonly abandoned: RecentMap<true>;
  /** Jobs, by uid, whose pods the server has where the cache shows none. */
  readonly withPods: RecentMap<true>;
  /** The operator's own claim as it was last made or changed, by experiment (`namespace/name`). */
  readonly claims = new Map<string, string>();

  /** @param elapsed milliseconds, never going back */
  constructor(elapsed: () => number) {
    this.created = new RecentMap(elapsed);
    this.abandoned = new RecentMap(elapsed);
    this.withPods = new RecentMap(elapsed);
  }

  /** Forgets what all caches have shown by now. */
  tidy(): void {
    this.created.tidy();
    this.abandoned.tidy();
    this.withPods.tidy();
  }
}
