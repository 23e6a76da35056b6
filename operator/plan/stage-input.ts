import type { Experiment, StageName } from '../api/experiment.ts';
import type { SentStageInput } from '../api/stage-contract.ts';
import { allUpstream } from './plan.ts';
import type { Plan, PlannedStage } from './plan.ts';

const UPSTREAM_NAMES = { classify: 'classify', 'pseudo-label': 'pseudoLabel', segment: 'segment' } as const;

/** The spec without its placement, which concerns whoever starts the stage and can be long. */
export const specForStage = (spec: Experiment['spec']): SentStageInput['spec'] =>
  Object.fromEntries(Object.entries(spec).filter(([field]) => field !== 'placement')) as SentStageInput['spec'];

/**
 * What a stage is told: the spec (absolute paths), the folders of everything upstream, its own folder.
 * @param folderOf where a stage's artifacts are
 */
export function buildStageInput(
  experiment: Experiment,
  plan: Plan,
  stage: PlannedStage,
  folderOf: (stage: PlannedStage) => string,
): SentStageInput {
  const upstream = allUpstream(plan, stage.name).map((other) => [
    UPSTREAM_NAMES[other.name as Exclude<StageName, 'evaluate'>],
    folderOf(other),
  ]);
  return {
    version: 'v1',
    experiment: plan.experiment,
    stage: stage.name,
    key: stage.key,
    spec: specForStage(experiment.spec),
    upstream: Object.fromEntries(upstream) as SentStageInput['upstream'],
    output: folderOf(stage),
  };
}
