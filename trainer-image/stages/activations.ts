import { join } from 'node:path';
import { effectiveOutputStride } from '../../operator/plan/stage-inputs.ts';
import { ARTIFACTS } from '../artifacts.ts';
import { readImage } from '../data/images.ts';
import type { Dataset, Sample } from '../data/types.ts';
import { BadInputError } from '../errors.ts';
import { activationMaps } from '../evaluation/inference.ts';
import { createClassifier, normalisationOf } from '../model/segmentor.ts';
import { loadWeights } from '../model/weights/match-weights.ts';
import type { ActivationMaps } from '../pseudo-labels/label-jobs.ts';
import type { StageContext } from './stage-context.ts';

/** The classifier of stage 1 as a source of class activation maps. */
export interface ActivationSource {
  /** Maps of the given foreground classes (1..K-1), averaged over the experiment's scales and flips. */
  activations(sample: Sample, classIndices: readonly number[]): Promise<ActivationMaps>;
  dispose(): void;
}

export function openActivationSource(dataset: Dataset, context: StageContext): ActivationSource {
  const { classify } = context.input.upstream;
  if (classify === undefined) throw new BadInputError('pseudo-label needs a classify stage', { field: 'upstream.classify' });
  const { backbone } = context.spec.model;
  const model = { backbone, outputStride: effectiveOutputStride(context.spec.model), classes: dataset.classes.length };
  const network = createClassifier(model);
  network.parameters.load(loadWeights(join(classify, ARTIFACTS.classify.weights), network.parameters.expected()).arrays);
  const { scales, flips } = context.spec.pseudoLabels;
  const settings = { scales, flips, normalisation: normalisationOf(backbone) };
  return {
    activations: async (sample, classIndices) => activationMaps(network, await readImage(sample.image), classIndices, settings),
    dispose: () => network.parameters.dispose(),
  };
}
