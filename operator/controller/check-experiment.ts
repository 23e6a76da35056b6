import type { Experiment } from '../api/experiment.ts';
import { ExperimentError } from '../api/findings.ts';
import type { Finding } from '../api/findings.ts';
import { validateExperiment } from '../api/parse.ts';
import { clusterFindings } from './cluster-findings.ts';
import type { Allowances } from './cluster-findings.ts';

/**
 * What is wrong with an experiment that the API server took: fields of a newer version of the resource, which this operator would
 * pass over in silence, what is too large, and what its administrator does not allow.
 */
export function checkExperiment(experiment: Experiment, allowances: Allowances): readonly Finding[] {
  try {
    return clusterFindings(validateExperiment(experiment).spec, allowances);
  } catch (error) {
    if (error instanceof ExperimentError) return error.findings;
    throw error;
  }
}
