import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Experiment, ExperimentSpec } from '../api/experiment.ts';
import { weightsFile } from '../plan/stage-inputs.ts';

/** Where artifacts go when the experiment does not say. */
const DEFAULT_STORAGE = 'runs';

/** An experiment whose storage path is known. */
export type LocatedExperiment = Omit<Experiment, 'spec'> & {
  spec: Omit<ExperimentSpec, 'storage'> & { storage: ExperimentSpec['storage'] & { path: string } };
};

/** The experiment with absolute paths: relative ones start at the YAML file's folder, `~/` at the home folder. */
export function resolvePaths(experiment: Experiment, baseFolder: string): LocatedExperiment {
  const absolute = (path: string) => resolve(baseFolder, path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path);
  const { spec } = experiment;
  const { folder } = spec.dataset;
  const { external } = spec.pseudoLabels;
  const weights = weightsFile(spec.model);
  return {
    ...experiment,
    spec: {
      ...spec,
      dataset: { ...spec.dataset, ...(folder === undefined ? {} : { folder: { ...folder, path: absolute(folder.path) } }) },
      pseudoLabels: {
        ...spec.pseudoLabels,
        ...(external === undefined ? {} : { external: { ...external, path: absolute(external.path) } }),
      },
      model: { ...spec.model, ...(weights === undefined ? {} : { weights: absolute(weights) }) },
      storage: { ...spec.storage, path: absolute(spec.storage.path ?? DEFAULT_STORAGE) },
    },
  };
}
