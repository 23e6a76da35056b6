import { isEffective, LOSS_TERMS, PUBLISHED_HEAD_CHANNELS } from '../api/experiment.ts';
import type { Experiment, LossSettings, ModelSettings, StageName, TrainingSettings } from '../api/experiment.ts';
import type { Json } from './canonical-json.ts';

/** What the experiment's files stand for; their paths say nothing about their content. */
export interface Identities {
  /** Content of the data set, or the generator's settings and version. */
  readonly dataset: Json;
  /** SHA-256 of the weights file; 'none' where training starts from scratch. */
  readonly weights: string;
  /** Content of the external pseudo-labels' folder; only with pseudoLabels.source External. */
  readonly externalLabels?: string;
}

/**
 * Everything that can change a stage's output, laid out under the experiment's own field names so that a difference can be
 * told as "losses.classDistance.lambda 6 → 7". Settings without effect are left out: their change must not run anything.
 * Placement, retries, suspend, storage and checkpointEvery are in no stage's inputs.
 */
export type StageInputs = { readonly [key: string]: Json | undefined };

/** Output stride where the experiment leaves it out. */
export function effectiveOutputStride({ backbone, outputStride }: ModelSettings): 8 | 16 {
  if (outputStride === 8 || outputStride === 16) return outputStride;
  return backbone === 'efficientnet-lite0' ? 16 : 8;
}

/** The file of weights that an experiment names; undefined for what is built in, and for none. */
export function weightsFile({ weights }: Pick<ModelSettings, 'weights'>): string | undefined {
  return weights === 'ImageNet' || weights === 'None' ? undefined : weights;
}

/** Channels of the head where the experiment leaves them out; DeepLabV2's head has none to choose. */
export function effectiveHeadChannels({ segmentor, headChannels }: ModelSettings): number | undefined {
  return segmentor === 'deeplabv3plus' ? (headChannels ?? PUBLISHED_HEAD_CHANNELS) : undefined;
}

function without(settings: object, left: string): Json {
  return Object.fromEntries(Object.entries(settings).filter(([key]) => key !== left));
}

function trainingInputs(settings: TrainingSettings): Json {
  return without(settings, 'checkpointEvery');
}

function lossInputs(losses: LossSettings): Json {
  return Object.fromEntries(LOSS_TERMS.filter((term) => isEffective(losses, term)).map((term) => [term, without(losses[term], 'enabled')]));
}

/** The seed matters to a degradation only where there is one. */
function scribbleInputs({ seed, scribbles }: Experiment['spec']): Json {
  return scribbles.shrink === 0 && scribbles.drop === 0 ? { shrink: 0, drop: 0 } : { ...scribbles, seed };
}

function backboneInputs(model: ModelSettings, weights: string) {
  return { backbone: model.backbone, outputStride: effectiveOutputStride(model), weights };
}

function pseudoLabelInputs({ pseudoLabels }: Experiment['spec'], identities: Identities): Json {
  const { source, scales, flips, backgroundThreshold, thresholdCandidates, refinement, paintScribbles } = pseudoLabels;
  if (source === 'External') return { source, external: identities.externalLabels, paintScribbles };
  return {
    source,
    scales,
    flips,
    ...(backgroundThreshold === undefined ? { thresholdCandidates } : { backgroundThreshold }),
    refinement: refinement.method === 'None' ? { method: refinement.method } : refinement,
    paintScribbles,
  };
}

/** A stage's own inputs, without its upstream stages' keys. */
export function stageInputs(stage: StageName, spec: Experiment['spec'], identities: Identities): StageInputs {
  const { dataset, weights } = identities;
  switch (stage) {
    case 'classify':
      return {
        seed: spec.seed,
        dataset,
        scribbles: scribbleInputs(spec),
        model: backboneInputs(spec.model, weights),
        classify: trainingInputs(spec.classify),
      };
    case 'pseudo-label':
      return { dataset, scribbles: scribbleInputs(spec), pseudoLabels: pseudoLabelInputs(spec, identities) };
    case 'segment':
      return {
        seed: spec.seed,
        dataset,
        scribbles: scribbleInputs(spec),
        model: {
          ...backboneInputs(spec.model, weights),
          segmentor: spec.model.segmentor,
          headChannels: effectiveHeadChannels(spec.model),
        },
        segment: trainingInputs(spec.segment),
        losses: lossInputs(spec.losses),
      };
    case 'evaluate':
      return { dataset, evaluation: spec.evaluation };
    default:
      return stage satisfies never;
  }
}
