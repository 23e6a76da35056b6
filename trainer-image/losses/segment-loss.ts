import { LOSS_TERMS, type LossSettings, type LossTermName } from '../../operator/api/experiment.ts';
import { resizeBilinear } from '../model/layers.ts';
import { tf, type Scalar, type Tensor, type Tensor4D } from '../tf.ts';
import { rampFactor } from '../training/schedule.ts';
import { foregroundMask, lormLoss, type LormParameters } from './lorm.ts';
import { pixelLosses, type PixelTerm } from './pixel-losses.ts';

/** The supervision of a batch, int32 [B, H, W] each; a map is absent where no term needs it. */
export interface Supervision {
  readonly scribble?: Tensor;
  readonly pseudoLabel?: Tensor;
  readonly scribbleDistance?: Tensor;
  readonly classDistance?: Tensor;
}

export type TermWeights = Readonly<Record<LossTermName, number>>;

/** Weight of each term at a step: 0 where it is switched off or its ramp has not begun. */
export function termWeights(losses: LossSettings, step: number, totalSteps: number): TermWeights {
  const weigh = (term: LossTermName) => {
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

function required(map: Tensor | undefined, term: LossTermName): Tensor {
  if (map === undefined) throw new Error(`the batch has no map for the loss term ${term}`);
  return map;
}

/**
 * L = Σ weight · term over the terms with a positive weight (paper, overall loss). The logits are first resized (bilinear, aligned
 * corners) to the crop. Returns the sum and each term before its weight.
 */
export function segmentLoss(input: SegmentLossInput): { total: Scalar; terms: Map<LossTermName, Scalar> } {
  const { weights, supervision, labelSmoothing } = input;
  const logits = resizeBilinear(input.logits, ...(input.size as [number, number]));
  const map = (term: LossTermName) => required(supervision[term === 'lorm' ? 'pseudoLabel' : term], term);
  const pixelTerm: Record<Exclude<LossTermName, 'lorm'>, (weight: number) => PixelTerm> = {
    scribble: (weight) => ({ kind: 'crossEntropy', labels: map('scribble'), labelSmoothing: 0, weight }),
    pseudoLabel: (weight) => ({ kind: 'crossEntropy', labels: map('pseudoLabel'), labelSmoothing, weight, isDense: true }),
    scribbleDistance: (weight) => ({ kind: 'distanceEntropy', distance: map('scribbleDistance'), weight }),
    classDistance: (weight) => ({ kind: 'distanceEntropy', distance: map('classDistance'), weight }),
  };
  const active = LOSS_TERMS.filter((term) => term !== 'lorm').filter((term) => weights[term] > 0);
  const terms = new Map<LossTermName, Scalar>();
  const parts: Scalar[] = [];
  if (active.length > 0) {
    const { total, values } = pixelLosses(
      logits,
      active.map((term) => pixelTerm[term](weights[term])),
    );
    parts.push(total);
    active.forEach((term, i) => terms.set(term, values[i]));
  }
  if (weights.lorm > 0) {
    if (input.lorm === undefined) throw new Error('the network was made without LoRM');
    const [, height, width] = input.features.shape;
    const value = lormLoss(input.features, input.lorm, foregroundMask(map('lorm'), height, width));
    parts.push(tf.mul<Scalar>(value, weights.lorm));
    terms.set('lorm', value);
  }
  // Before any ramp begins nothing pulls at the network, yet the loss must depend on it for its gradient, 0, to be defined.
  const total = parts.length === 0 ? tf.mul<Scalar>(tf.sum(logits), 0) : tf.addN(parts);
  return { total, terms };
}
