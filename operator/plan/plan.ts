import { createHash } from 'node:crypto';
import { BadInputError } from '../../trainer-image/errors.ts';
import { needsPseudoLabels, STAGES } from '../api/experiment.ts';
import type { Experiment, StageName } from '../api/experiment.ts';
import { canonicalJson } from './canonical-json.ts';
import { stageInputs } from './stage-inputs.ts';
import type { Identities, StageInputs } from './stage-inputs.ts';

export interface PlannedStage {
  readonly name: StageName;
  /** SHA-256 of `inputs`, in hexadecimal; names the stage's folder. */
  readonly key: string;
  /** Everything that can change the stage's output, the trainer and the upstream keys included. */
  readonly inputs: StageInputs;
  readonly dependsOn: readonly StageName[];
}

export interface Plan {
  readonly experiment: string;
  /** In an order in which they can run. */
  readonly stages: readonly PlannedStage[];
  /** Stages that this experiment has no use for. */
  readonly omitted: readonly { readonly stage: StageName; readonly reason: string }[];
  /** How often a failed stage is started again. */
  readonly retries: number;
  readonly suspend: boolean;
}

export interface PlanOptions {
  /** Version of the trainer, or the digest of its image. */
  readonly trainerVersion: string;
  readonly identities: Identities;
}

/** The stages that others wait for, and why a stage is left out. */
export function stageGraph(spec: Experiment['spec']): { dependsOn: Map<StageName, StageName[]>; omitted: Plan['omitted'] } {
  const usesLabels = needsPseudoLabels(spec.losses);
  const isExternal = spec.pseudoLabels.source === 'External';
  const dependsOn = new Map<StageName, StageName[]>();
  const omitted: { stage: StageName; reason: string }[] = [];
  const noLabels = 'no loss term uses pseudo-labels';
  if (!usesLabels) omitted.push({ stage: 'classify', reason: noLabels }, { stage: 'pseudo-label', reason: noLabels });
  else if (isExternal) omitted.push({ stage: 'classify', reason: 'the pseudo-labels are external' });
  const isOmitted = (stage: StageName) => omitted.some((entry) => entry.stage === stage);
  if (!isOmitted('classify')) dependsOn.set('classify', []);
  if (!isOmitted('pseudo-label')) dependsOn.set('pseudo-label', isExternal ? [] : ['classify']);
  dependsOn.set('segment', usesLabels ? ['pseudo-label'] : []);
  dependsOn.set('evaluate', ['segment']);
  return { dependsOn, omitted };
}

/** Key of a stage with these inputs. */
function stageKey(name: StageName, inputs: StageInputs): string {
  return createHash('sha256')
    .update(canonicalJson({ stage: name, inputs }))
    .digest('hex');
}

/** The stages of an experiment with their keys. Pure: what files hold comes in as identities. */
export function planExperiment(experiment: Experiment, { trainerVersion, identities }: PlanOptions): Plan {
  const { spec } = experiment;
  const { dependsOn, omitted } = stageGraph(spec);
  const stages: PlannedStage[] = [];
  for (const name of STAGES) {
    const upstream = dependsOn.get(name);
    if (upstream === undefined) continue;
    const keys = stages.filter((stage) => upstream.includes(stage.name)).map((stage) => [stage.name, stage.key]);
    const inputs = {
      trainer: trainerVersion,
      ...stageInputs(name, spec, identities),
      upstream: Object.fromEntries(keys) as Record<string, string>,
    };
    stages.push({ name, key: stageKey(name, inputs), inputs, dependsOn: upstream });
  }
  return { experiment: experiment.metadata.name, stages, omitted, retries: spec.retries, suspend: spec.suspend };
}

/** Every stage that `name` rests on, nearest last. */
export function allUpstream(plan: Plan, name: StageName): PlannedStage[] {
  const stage = plan.stages.find((candidate) => candidate.name === name);
  const direct = plan.stages.filter((candidate) => stage?.dependsOn.includes(candidate.name));
  return [...new Set(direct.flatMap((candidate) => [...allUpstream(plan, candidate.name), candidate]))];
}

/**
 * The plan up to a stage: that one and all it rests on.
 * @throws BadInputError if the experiment has no use for that stage
 */
export function planUntil(plan: Plan, last: StageName): Plan {
  const stage = plan.stages.find(({ name }) => name === last);
  if (stage === undefined) {
    const reason = plan.omitted.find((entry) => entry.stage === last)?.reason ?? 'it is not in the plan';
    throw new BadInputError(`the experiment does not run ${last}: ${reason}; choose another stage`, { field: '--until' });
  }
  const wanted = [...allUpstream(plan, last), stage];
  return { ...plan, stages: plan.stages.filter((candidate) => wanted.includes(candidate)) };
}
