import type { StageName } from '../api/experiment.ts';
import { isNeeded, NOT_NEEDED } from './decide.ts';
import type { Observed } from './decide.ts';
import { differences, formatDifference } from './differences.ts';
import type { Plan, PlannedStage } from './plan.ts';
import type { StageInputs } from './stage-inputs.ts';
import { isComplete } from './stage-state.ts';

/** What a run would do with a stage, and why. */
export interface StageForecast {
  readonly stage: StageName;
  readonly key?: string;
  readonly action: 'Run' | 'Reuse' | 'Resume' | 'Omit';
  readonly because: readonly string[];
}

/** A stage of the experiment's latest run. */
export interface PreviousStage {
  readonly key: string;
  /** Left out where that run did not get to the stage, or its folder is gone. */
  readonly inputs?: StageInputs;
}

/** A stage that left nothing has run all the same where one that rests on it has begun. */
function reasonsToRun(stage: PlannedStage, previous: PreviousStage | undefined, hasBegunDownstream: boolean): string[] {
  if (previous?.key === stage.key && (hasBegunDownstream || previous.inputs !== undefined)) return ['its artifacts are not there'];
  if (previous?.inputs === undefined) return ['not run yet'];
  const changed = differences(previous.inputs, stage.inputs);
  return changed.map((difference) => {
    const [, upstream] = /^upstream\.(.+)$/.exec(difference.field) ?? [];
    return upstream === undefined ? formatDifference(difference) : `${upstream} changes`;
  });
}

/**
 * What a run would do now, in the order of the stages.
 * @param observed from the runner, before anything is started
 * @param previous each stage as it was when the experiment last ran
 * @param checkpoints stages that have kept something to go on from
 */
export function forecast(
  plan: Plan,
  observed: Observed,
  previous: ReadonlyMap<StageName, PreviousStage>,
  checkpoints: ReadonlySet<StageName>,
): StageForecast[] {
  const stateOf = (name: StageName) => observed.get(name) ?? { kind: 'Pending' as const };
  const hasBegunDownstream = ({ name }: PlannedStage) =>
    plan.stages.some((other) => other.dependsOn.includes(name) && stateOf(other.name).kind !== 'Pending');
  const omitted = plan.omitted.map(({ stage, reason }): StageForecast => ({ stage, action: 'Omit', because: [reason] }));
  const planned = plan.stages.map((stage): StageForecast => {
    const state = stateOf(stage.name);
    const named = { stage: stage.name, key: stage.key };
    if (isComplete(state)) return { ...named, action: 'Reuse', because: ['complete with the same inputs'] };
    if (!isNeeded(stage, plan, observed)) return { ...named, action: 'Omit', because: [NOT_NEEDED] };
    if (state.kind === 'Pending') {
      return { ...named, action: 'Run', because: reasonsToRun(stage, previous.get(stage.name), hasBegunDownstream(stage)) };
    }
    if (!checkpoints.has(stage.name)) return { ...named, action: 'Run', because: ['unfinished, without a checkpoint; begins again'] };
    return { ...named, action: 'Resume', because: ['unfinished; goes on from its last checkpoint'] };
  });
  return [...omitted, ...planned];
}
