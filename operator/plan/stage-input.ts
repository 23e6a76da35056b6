import type { Experiment, StageName } from '../api/experiment.ts';
import type { StageInput } from '../api/stage-contract.ts';
import { allUpstream } from './plan.ts';
import type { Plan, PlannedStage } from './plan.ts';

const UPSTREAM_NAMES = { classify: 'classify', 'pseudo-label': 'pseudoLabel', segment: 'segment' } as const;

/**
 * What a stage is told: the whole spec (absolute paths), the folders of everything upstream, its own folder.
 * @param folderOf where a stage's artifacts are
 */
export function buildStageInput(
  experiment: Experiment,
  plan: Plan,
  stage: PlannedStage,
  folderOf: (stage: PlannedStage) => string,
): StageInput {
  const upstream = allUpstream(plan, stage.name).map((other) => [
    UPSTREAM_NAMES[other.name as Exclude<StageName, 'evaluate'>],
    folderOf(other),
  ]);
  return {
    version: 'v1',
    experiment: plan.experiment,
    stage: stage.name,
    key: stage.key,
    spec: experiment.spec,
    upstream: Object.fromEntries(upstream) as StageInput['upstream'],
    output: folderOf(stage),
  };
}
