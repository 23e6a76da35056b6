import type { TrainingSettings } from '../../operator/api/experiment.ts';
import { createTrainingLoader, type LoaderFields, type TrainingLoader } from '../data/loader.ts';
import type { Sample } from '../data/types.ts';
import { normalisationOf } from '../model/segmentor.ts';
import type { StageContext } from './stage-context.ts';
import { degradationOf } from './stage-data.ts';

/** What a training stage loads. */
export interface StageLoading {
  readonly settings: TrainingSettings;
  readonly samples: readonly Sample[];
  readonly classes: readonly string[];
  readonly fields: LoaderFields;
  readonly startStep: number;
}

/** The loader of a training stage: batches as its settings, the experiment's seed, backbone and degradation of scribbles say. */
export function openStageLoader({ settings, ...loading }: StageLoading, { spec, seed }: StageContext): TrainingLoader {
  const { batchSize, cropSize, augmentation, epochs } = settings;
  return createTrainingLoader({
    ...loading,
    batchSize,
    cropSize,
    augmentation,
    epochs,
    seed,
    normalisation: normalisationOf(spec.model.backbone),
    degradation: degradationOf(spec),
  });
}
