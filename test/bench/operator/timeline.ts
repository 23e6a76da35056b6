import { STAGES } from '../../../operator/api/experiment.ts';
import type { StageName } from '../../../operator/api/experiment.ts';

/** A stage's pod as somebody saw it; times in milliseconds of one clock. */
export interface PodTimes {
  readonly name: string;
  readonly job: string;
  readonly experiment: string;
  readonly stage: StageName;
  readonly createdAt: number;
  readonly succeededAt?: number;
}

/** From one stage's success to the next stage's pod. */
export interface HandOver<Pod extends PodTimes = PodTimes> {
  readonly from: Pod;
  readonly to: Pod;
  readonly ms: number;
}

/** All hand-overs of which both ends were seen. */
export function handOvers<Pod extends PodTimes>(pods: readonly Pod[]): HandOver<Pod>[] {
  const byStage = new Map(pods.map((pod) => [`${pod.experiment}/${pod.stage}`, pod]));
  return pods.flatMap((to) => {
    const previous = STAGES[STAGES.indexOf(to.stage) - 1];
    const from = previous === undefined ? undefined : byStage.get(`${to.experiment}/${previous}`);
    if (from?.succeededAt === undefined) return [];
    return [{ from, to, ms: to.createdAt - from.succeededAt }];
  });
}

/** Stages that have more than one pod, where none is told to fail: each was started twice. */
export function duplicates(pods: readonly Pick<PodTimes, 'experiment' | 'stage'>[]): string[] {
  const counts = new Map<string, number>();
  for (const { experiment, stage } of pods) {
    const id = `${experiment}/${stage}`;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > 1).map(([id, count]) => `${id}: ${count} pods`);
}

/** @throws Error naming the stages */
export function assertNoDuplicates(pods: readonly Pick<PodTimes, 'experiment' | 'stage'>[]): void {
  const twice = duplicates(pods);
  if (twice.length > 0) throw new Error(`stages were started twice: ${twice.join(', ')}`);
}
