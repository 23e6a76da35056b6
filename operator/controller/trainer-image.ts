import type { Experiment } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import type { OperatorConfig } from '../config.ts';
import { INVALID_SPEC } from './build-status.ts';

/** Whether a run has come to its end; an experiment that is refused as it is goes on when it is mended. */
function isOver({ phase, conditions }: ExperimentStatus): boolean {
  if (phase !== 'Failed') return phase === 'Succeeded';
  return conditions?.find(({ type }) => type === 'Succeeded')?.reason !== INVALID_SPEC;
}

/**
 * The image of the stages: the experiment's own, which the allow-list is held against whenever the experiment is looked at; else the
 * operator's. Of that the one counts that was the operator's when the run began: one that gets another image in the middle of a run does
 * not throw the run away, nor train one experiment by two trainers. An image that the experiment itself has named counts as long as it names it.
 */
export function trainerImageOf(
  { image }: Experiment['spec'],
  status: ExperimentStatus | undefined,
  { trainerImage }: Pick<OperatorConfig, 'trainerImage'>,
): string {
  if (image !== undefined) return image;
  if (status === undefined || isOver(status) || status.provenance?.trainerImageFrom !== 'Operator') return trainerImage;
  return status.provenance.trainerImage ?? trainerImage;
}
