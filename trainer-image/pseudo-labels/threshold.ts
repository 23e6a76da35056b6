import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import type { LabelMap } from '../data/types.ts';
import { createConfusion } from '../evaluation/confusion.ts';

/**
 * The background threshold is chosen on the scribbles alone: plain labels (argmax over [threshold, activations]) are held
 * against the scribbled pixels of the training images, and the candidate with the highest mIoU there wins.
 */
export interface ThresholdScores {
  readonly candidates: readonly number[];
  /** [candidate][class · classes + label]: scribbled pixels. */
  readonly counts: readonly Float64Array[];
  /**
   * Counts one image for every candidate; only scribbled pixels are looked at.
   * @param activations normalised planes of height·width of the classes in the image
   */
  add(activations: readonly Float32Array[], classIndices: readonly number[], scribble: LabelMap): void;
}

export interface ThresholdChoice {
  readonly threshold: number;
  /** mIoU over the scribbled pixels in [0, 1]; null where nothing is scribbled. */
  readonly agreement: number | null;
  /** The same for each candidate. */
  readonly curve: readonly { readonly threshold: number; readonly agreement: number | null }[];
}

/** @param classes number of classes K, background included */
export function createThresholdScores(candidates: readonly number[], classes: number): ThresholdScores {
  const counts = candidates.map(() => new Float64Array(classes * classes));
  return {
    candidates,
    counts,
    add(activations, classIndices, scribble) {
      for (let i = 0; i < scribble.data.length; i++) {
        const classIndex = scribble.data[i];
        if (classIndex === IGNORE_INDEX) continue;
        let label = 0;
        let best = 0;
        for (let plane = 0; plane < activations.length; plane++) {
          if (activations[plane][i] > best) {
            best = activations[plane][i];
            label = classIndices[plane];
          }
        }
        for (let c = 0; c < candidates.length; c++) counts[c][classIndex * classes + (best > candidates[c] ? label : 0)]++;
      }
    },
  };
}

/**
 * What a person should know of a choice at the edge of the candidates: a better threshold may lie beyond. Undefined elsewhere, and where
 * all candidates agree alike.
 */
export function edgeHint(threshold: number, curve: ThresholdChoice['curve']): string | undefined {
  const others = curve.filter((candidate) => candidate.threshold !== threshold);
  const chosen = curve.find((candidate) => candidate.threshold === threshold)?.agreement ?? null;
  if (chosen === null || others.every(({ agreement }) => agreement === chosen)) return undefined;
  const isLowest = others.every((other) => other.threshold > threshold);
  const isHighest = others.every((other) => other.threshold < threshold);
  if (!isLowest && !isHighest) return undefined;
  const [edge, beyond] = isLowest ? ['lowest', 'lower'] : ['highest', 'higher'];
  return `${threshold} is the ${edge} candidate, and a ${beyond} one may agree better: widen spec.pseudoLabels.thresholdCandidates`;
}

/** The candidate that agrees best with the scribbles; of equals the first, which is also the answer where nothing is scribbled. */
export function chooseThreshold({ candidates, counts }: Pick<ThresholdScores, 'candidates' | 'counts'>): ThresholdChoice {
  const curve = candidates.map((threshold, c) => ({ threshold, agreement: meanIou(counts[c]) }));
  const best = curve.reduce((first, next) => ((next.agreement ?? -1) > (first.agreement ?? -1) ? next : first));
  return { ...best, curve };
}

function meanIou(counts: Float64Array): number | null {
  const classes = Math.sqrt(counts.length);
  const confusion = createConfusion(classes);
  confusion.merge({ counts, missed: new Float64Array(classes) });
  return confusion.meanIou();
}
