import type { Experiment, StageName } from '../api/experiment.ts';

type Placements = Experiment['spec']['placement'];
/** Where and how one stage runs. */
export type StagePlacement = Placements['pseudoLabel'];

const FIELDS = { classify: 'classify', 'pseudo-label': 'pseudoLabel', segment: 'segment', evaluate: 'evaluate' } as const satisfies Record<
  StageName,
  keyof Placements
>;

/**
 * Where a stage runs: its own settings, the experiment's default for those that it leaves out, and below these the administrator's.
 * @param base of the operator's configuration; locally none
 */
export function placementOf(placement: Placements, stage: StageName, base: Placements['default'] = {}): StagePlacement {
  return { ...base, ...placement.default, ...placement[FIELDS[stage]] };
}
