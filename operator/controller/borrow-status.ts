import type { ExperimentStatus } from '../api/status.ts';
import type { PlannedStage } from '../plan/plan.ts';
import { defined } from './defined.ts';

type Results = NonNullable<ExperimentStatus['results']>;

const RESULTS_OF = {
  classify: [],
  'pseudo-label': ['pseudoLabelMeanIou'],
  segment: [],
  evaluate: ['meanIou', 'pixelAccuracy', 'classes'],
} as const satisfies Record<PlannedStage['name'], (keyof Results)[]>;

/**
 * An experiment's status with what another one tells of a stage that it has completed for both: when and where it ran, and what came out.
 * Pure.
 */
export function borrowStatus(
  own: ExperimentStatus | undefined,
  lender: ExperimentStatus | undefined,
  stage: Pick<PlannedStage, 'name' | 'key' | 'dependsOn'>,
): ExperimentStatus | undefined {
  const entry = lender?.stages?.find(({ name, key }) => name === stage.name && key === stage.key);
  if (lender === undefined || entry === undefined) return own;
  const others = (own?.stages ?? []).filter(({ name }) => name !== stage.name);
  const results = Object.fromEntries(
    RESULTS_OF[stage.name].flatMap((name) => (lender.results?.[name] === undefined ? [] : [[name, lender.results[name]]])),
  );
  // The stage that reads the data says which they are; what this experiment knew may have been of other data, before an edit.
  const isFirst = stage.dependsOn.length === 0;
  const lent = defined({ image: lender.provenance?.image, datasetDigest: lender.provenance?.datasetDigest });
  return {
    ...own,
    // What went wrong on the way is the other one's: it has had its second try, and this one has not.
    stages: [...others, defined({ ...entry, remadeFor: undefined, failure: undefined })],
    results: { ...own?.results, ...results },
    provenance: isFirst ? { ...own?.provenance, ...lent } : { ...lent, ...own?.provenance },
  };
}
