import type { Experiment, StageName } from '../api/experiment.ts';

type Placements = Experiment['spec']['placement'];
export type Placement = Placements['default'];

const FIELDS = { classify: 'classify', 'pseudo-label': 'pseudoLabel', segment: 'segment', evaluate: 'evaluate' } as const satisfies Record<
  StageName,
  keyof Placements
>;

/** Where a stage runs: its own settings, and the default's for those that it leaves out. */
export function placementOf(placement: Placements, stage: StageName): Placement {
  return { ...placement.default, ...placement[FIELDS[stage]] };
}
