import type { Observed } from './decide.ts';
import type { Plan, PlannedStage } from './plan.ts';

/**
 * The port behind which stages run: local processes, Kubernetes Jobs. Every implementation passes the contract suite
 * (test/contract/stage-runner.ts).
 */
export interface StageRunner {
  /** Where every stage of the plan stands. Changes nothing. */
  observe(plan: Plan): Promise<Observed>;
  /** Starts an attempt; a stage that runs or is complete already is left alone. Returns once it is under way, not when it ends. */
  start(plan: Plan, stage: PlannedStage): Promise<void>;
  /** Asks a running stage to keep a checkpoint and end; observed as Interrupted when it has. Nothing to do for others. */
  stop(plan: Plan, stage: PlannedStage): Promise<void>;
}
