import type { LossSettings } from '../../operator/api/experiment.ts';
import { resizeBilinear } from '../model/layers.ts';
import { tf, type Scalar, type Tensor, type Tensor4D } from '../tf.ts';
import { rampFactor } from '../training/schedule.ts';
import { foregroundMask, lormLoss, type LormParameters } from './lorm.ts';
import { crossEntropy, distanceEntropy } from './pixel-losses.ts';

export const LOSS_TERMS = ['scribble', 'pseudoLabel', 'scribbleDistance', 'classDistance', 'lorm'] as const;
export type LossTerm = (typeof LOSS_TERMS)[number];

/** The supervision of a batch, int32 [B, H, W] each; a map is absent where no term needs it. */
export interface Supervision {
  readonly scribble?: Tensor;
  readonly pseudoLabel?: Tensor;
  readonly scribbleDistance?: Tensor;
  readonly classDistance?: Tensor;
}

export type TermWeights = Readonly<Record<LossTerm, number>>;

/** Weight of each term at a step: 0 where it is switched off or its ramp has not begun. */
export function termWeights(losses: LossSettings, step: number, totalSteps: number): TermWeights {
  const weigh = (term: LossTerm) => {
    const { enabled, weight, ramp } = losses[term];
    return enabled ? weight * rampFactor(step, totalSteps, ramp) : 0;
  };
  return {
    scribble: weigh('scribble'),
    pseudoLabel: weigh('pseudoLabel'),
    scribbleDistance: weigh('scribbleDistance'),
    classDistance: weigh('classDistance'),
    lorm: weigh('lorm'),
  };
}

export interface SegmentLossInput {
  readonly logits: Tensor4D;
  readonly features: Tensor4D;
  readonly size: readonly [number, number];
  readonly supervision: Supervision;
  readonly weights: TermWeights;
  readonly labelSmoothing: number;
  readonly lorm: LormParameters | undefined;
}

function required(map: Tensor | undefined, term: LossTerm): Tensor {
  if (map === undefined) throw new Error(`the batch has no map for the loss term ${term}`);
  return map;
}

/**
 * L = Σ weight · term over the terms with a positive weight (paper, overall loss). The logits are first resized (bilinear, aligned
 * corners) to the crop. Returns the sum and each term before its weight.
 */
export function segmentLoss(input: SegmentLossInput): { total: Scalar; terms: Map<LossTerm, Scalar> } {
  const { weights, supervision } = input;
  const logits = resizeBilinear(input.logits, ...(input.size as [number, number]));
  const compute: Record<LossTerm, () => Scalar> = {
    scribble: () => crossEntropy(logits, required(supervision.scribble, 'scribble')),
    pseudoLabel: () => crossEntropy(logits, required(supervision.pseudoLabel, 'pseudoLabel'), input.labelSmoothing),
    scribbleDistance: () => distanceEntropy(logits, required(supervision.scribbleDistance, 'scribbleDistance')),
    classDistance: () => distanceEntropy(logits, required(supervision.classDistance, 'classDistance')),
    lorm: () => {
      if (input.lorm === undefined) throw new Error('the network was made without LoRM');
      const [, height, width] = input.features.shape;
      return lormLoss(input.features, input.lorm, foregroundMask(required(supervision.pseudoLabel, 'lorm'), height, width));
    },
  };
  const terms = new Map(LOSS_TERMS.filter((term) => weights[term] > 0).map((term) => [term, compute[term]()]));
  const weighted = [...terms].map(([term, value]) => tf.mul<Scalar>(value, weights[term]));
  // Before any ramp begins nothing pulls at the network, yet the loss must depend on it for its gradient, 0, to be defined.
  const total = weighted.length === 0 ? tf.mul<Scalar>(tf.sum(logits), 0) : tf.addN(weighted);
  return { total, terms };
}
