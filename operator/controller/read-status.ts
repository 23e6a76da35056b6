import type { ExperimentStatus } from '../api/status.ts';

export type Condition = NonNullable<ExperimentStatus['conditions']>[number];
type Told = ExperimentStatus | undefined;

/** Reason of an experiment that this operator cannot run as it is; what has begun of it waits for its spec to be mended. */
export const INVALID_SPEC = 'InvalidSpec';

/** The condition that sums the experiment up. */
export const summaryConditionOf = (status: Told): Condition | undefined => status?.conditions?.find(({ type }) => type === 'Succeeded');

const falseConditionOf = (status: Told, ...types: readonly string[]): Condition | undefined =>
  status?.conditions?.find(({ type, status: value }) => types.includes(type) && value === 'False');

/** The condition that tells why a stage that should run does not. */
export const troubleConditionOf = (status: Told): Condition | undefined => falseConditionOf(status, 'Scheduled', 'Started');

/** The condition that tells why the volume is not as the experiment wants it; stages run all the same. */
export const storageConditionOf = (status: Told): Condition | undefined => falseConditionOf(status, 'StorageReady');

/** Whether nothing runs any more. */
export const hasEnded = (status: Told): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** When an experiment ended; a status that says it by its condition only is of an operator before this one. */
export const endOf = (status: Told): string | undefined =>
  hasEnded(status) ? (status?.completionTime ?? summaryConditionOf(status)?.lastTransitionTime) : undefined;

/** Whether an operator, which may have been of another version or configuration, has found that it cannot run the experiment. */
export const isRefused = (status: Told): boolean => summaryConditionOf(status)?.reason === INVALID_SPEC;
