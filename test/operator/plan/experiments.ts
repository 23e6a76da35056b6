import type { Experiment } from '../../../operator/api/experiment.ts';
import { validateExperiment } from '../../../operator/api/parse.ts';
import type { Json } from '../../../operator/plan/canonical-json.ts';
import { planExperiment } from '../../../operator/plan/plan.ts';
import type { Plan } from '../../../operator/plan/plan.ts';
import type { Identities } from '../../../operator/plan/stage-inputs.ts';
import { manifest } from '../api/manifests.ts';

/** An experiment around a spec; the generator is its data set unless the spec says otherwise. */
export const experiment = (spec: Record<string, unknown> = {}): Experiment => validateExperiment(manifest(spec));

export const IDENTITIES: Identities = { dataset: 'sha256:data', weights: 'sha256:weights' };

export function plan(spec: Record<string, unknown> = {}, identities: Partial<Identities> = {}, trainerVersion = '1.0.0'): Plan {
  return planExperiment(experiment(spec), { trainerVersion, identities: { ...IDENTITIES, ...identities } });
}

/** Sets a field by its path, e.g. `losses.lorm.weight`. */
export function at(path: string, value: Json): Record<string, unknown> {
  const [name, ...others] = path.split('.');
  return { [name]: others.length === 0 ? value : at(others.join('.'), value) };
}
