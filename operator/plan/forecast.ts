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

/** A stage of the experiment as it last ran. */
export interface PreviousStage {
  readonly key: string;
  readonly inputs: StageInputs;
}

function reasonsToRun(stage: PlannedStage, previous: PreviousStage | undefined): string[] {
  if (previous === undefined) return ['not run yet'];
  if (previous.key === stage.key) return ['its artifacts are not there'];
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
 */
export function forecast(plan: Plan, observed: Observed, previous: ReadonlyMap<StageName, PreviousStage>): StageForecast[] {
  const omitted = plan.omitted.map(({ stage, reason }): StageForecast => ({ stage, action: 'Omit', because: [reason] }));
  const planned = plan.stages.map((stage): StageForecast => {
    const state = observed.get(stage.name) ?? { kind: 'Pending' };
    const named = { stage: stage.name, key: stage.key };
    if (isComplete(state)) return { ...named, action: 'Reuse', because: ['complete with the same inputs'] };
    if (!isNeeded(stage, plan, observed)) return { ...named, action: 'Omit', because: [NOT_NEEDED] };
    if (state.kind === 'Pending') return { ...named, action: 'Run', because: reasonsToRun(stage, previous.get(stage.name)) };
    return { ...named, action: 'Resume', because: ['unfinished; goes on from its last checkpoint'] };
  });
  return [...omitted, ...planned];
}
