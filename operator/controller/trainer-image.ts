import type { Experiment } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import type { OperatorConfig } from '../config.ts';
import { hasEnded, isRefused } from './read-status.ts';

export interface TrainerImages {
  /** Of the stages that are to run. */
  readonly current: string;
  /** Of a run that has succeeded with another one: it counts as long as the experiment asks for nothing that this run has not made. */
  readonly finished?: string;
}

/**
 * The image of the stages: the experiment's own, which the allow-list is held against whenever the experiment is looked at; else the
 * operator's. Of that the one counts that was the operator's when the run began: one that gets another image in the middle of a run does
 * not throw the run away, nor train one experiment by two trainers. An image that the experiment itself has named counts as long as it names it.
 */
export function trainerImagesOf(
  { image }: Experiment['spec'],
  status: ExperimentStatus | undefined,
  { trainerImage }: Pick<OperatorConfig, 'trainerImage'>,
): TrainerImages {
  if (image !== undefined) return { current: image };
  const before = status?.provenance?.trainerImageFrom === 'Operator' ? status.provenance.trainerImage : undefined;
  if (before === undefined || before === trainerImage) return { current: trainerImage };
  // One that is refused as it is has not ended: it goes on when it is mended.
  if (!hasEnded(status) || isRefused(status)) return { current: before };
  return status?.phase === 'Succeeded' ? { current: trainerImage, finished: before } : { current: trainerImage };
}
