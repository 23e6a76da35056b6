import type { V1Pod } from '@kubernetes/client-node';
import type { RawExperiment } from '../../../operator/controller/caches.ts';
import { Cluster } from '../../../operator/controller/cluster.ts';
import { Informer } from '../../../operator/controller/informer.ts';
import { MANAGED_SELECTOR } from '../../../operator/controller/names.ts';
import { experimentsPath, podsPath } from '../../../operator/controller/resource-paths.ts';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import type { Bench } from './bench.ts';
import { stageOf } from './stage-pod.ts';
import type { PodTimes } from './timeline.ts';

/** A pod with the times at which watches of the benchmark's own told of it. */
export interface ObservedPod extends PodTimes {
  readonly runningAt?: number;
  readonly phase: string;
}

export interface Observer {
  /** All that were ever seen, deleted ones included. */
  pods(): readonly ObservedPod[];
  /** Experiments in this phase. */
  count(phase: string): number;
  /** Resolves as soon as it is so; looked at after every event. @throws Error after ten minutes */
  until(what: string, isSo: () => boolean): Promise<void>;
  stop(): Promise<void>;
}

const PATIENCE_MS = 600_000;

/** What is kept of a pod: tidying a large heap would hold up the clock that the operator is measured by. */
interface SeenPod {
  readonly uid: string;
  readonly phase: string;
  readonly stage: ReturnType<typeof stageOf>;
}

const seenPod = (pod: V1Pod): SeenPod => ({ uid: pod.metadata?.uid ?? '', phase: pod.status?.phase ?? '', stage: stageOf(pod) });

/** Watches pods and experiments as the administrator, beside the operator. */
export async function observe({ cluster: { kubeconfig } }: Bench): Promise<Observer> {
  const cluster = new Cluster(readKubeconfig(kubeconfig));
  const pods = new Map<string, ObservedPod>();
  const phases = new Map<string, string>();
  const waiting = new Set<() => void>();
  const look = () => waiting.forEach((check) => check());

  function podChanged({ uid, phase, stage }: SeenPod): void {
    const now = performance.now();
    if (stage === undefined) return;
    const seen = pods.get(uid) ?? { ...stage, phase, createdAt: now };
    const at = { runningAt: phase === 'Running' ? now : undefined, succeededAt: phase === 'Succeeded' ? now : undefined };
    pods.set(uid, { ...seen, phase, runningAt: seen.runningAt ?? at.runningAt, succeededAt: seen.succeededAt ?? at.succeededAt });
    look();
  }
  function experimentChanged(key: string, phase: string | undefined): void {
    if (phase === undefined) phases.delete(key);
    else phases.set(key, phase);
    look();
  }

  const onError = (error: unknown) => process.stderr.write(`a watch of the benchmark: ${String(error)}\n`);
  const query = { labelSelector: MANAGED_SELECTOR };
  const onPod = (_key: string, after: SeenPod | undefined) => after && podChanged(after);
  const informers = [
    new Informer<V1Pod, SeenPod>({ cluster, path: podsPath(), query, keep: seenPod, onChange: onPod, onError }),
    new Informer<RawExperiment, string>({
      cluster,
      path: experimentsPath(),
      keep: ({ status }) => status?.phase ?? '',
      onChange: experimentChanged,
      onError,
    }),
  ];
  await Promise.all(informers.map((informer) => informer.start()));
  return {
    pods: () => [...pods.values()],
    count: (phase) => [...phases.values()].filter((is) => is === phase).length,
    until: (what, isSo) =>
      new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          clearTimeout(timer);
          waiting.delete(check);
          settle();
        };
        const timer = setTimeout(() => end(() => reject(new Error(`still waiting for ${what}`))), PATIENCE_MS);
        const check = () => {
          if (isSo()) end(resolve);
        };
        waiting.add(check);
        check();
      }),
    async stop() {
      await Promise.all(informers.map((informer) => informer.stop()));
      cluster.close();
    },
  };
}
