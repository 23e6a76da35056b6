import type { V1Job } from '@kubernetes/client-node';
import { allUpstream } from '../plan/plan.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import type { Loss, StageView, StageViews } from './observe.ts';

export interface LostArtifacts {
  /** For which Job, by uid, the stage was made again in this generation of the experiment. */
  readonly remadeFor: (stage: PlannedStage) => string | undefined;
  readonly jobOf: (stage: PlannedStage) => V1Job | undefined;
  /** The stage by what has made its artifacts again since, and nothing else. */
  readonly viewLost: (stage: PlannedStage, loss: Loss) => StageView;
}

/**
 * A stage that did not find the artifacts of those before it says so (exit code 66): the volume is not what the records tell of. These
 * run again, once; where that does not help, the stage has failed until the experiment is edited. Pure.
 */
export function withLost(plan: Plan, views: StageViews, { remadeFor, jobOf, viewLost }: LostArtifacts): StageViews {
  const missing = plan.stages.find(({ name }) => views.get(name)?.missesUpstream);
  const job = missing === undefined ? undefined : jobOf(missing);
  const uid = job?.metadata?.uid;
  if (missing === undefined || uid === undefined) return views;
  const upstream = allUpstream(plan, missing.name);
  const isSecondTime = upstream.some((stage) => ![undefined, uid].includes(remadeFor(stage)));
  if (isSecondTime) return views;
  const lost = upstream.map(
    (stage) => [stage.name, { ...viewLost(stage, { uid, since: job?.metadata?.creationTimestamp }), lostTo: uid }] as const,
  );
  const pending: StageView = { state: { kind: 'Pending' }, attempts: 0, obsoleteJob: job };
  return new Map<PlannedStage['name'], StageView>([...views, ...lost, [missing.name, pending]]);
}
