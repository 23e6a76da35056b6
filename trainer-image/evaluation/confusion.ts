import { IGNORE_INDEX } from '../../operator/api/experiment.ts';

/** Pixel counts of truth against prediction, accumulated over images, and the metrics that follow from them. */
export interface Confusion {
  readonly classes: number;
  /** [truth · classes + prediction]: pixels. Numbers, not integers of 32 bits: a data set can have more pixels than 2³². */
  readonly counts: Float64Array;
  /** [truth]: pixels whose prediction is 255, as pseudo-labels of other methods can have; missed by every class. */
  readonly missed: Float64Array;
  /**
   * Counts the pixels of one image. Those whose truth is 255 are left out.
   * @throws RangeError where the lengths differ or a value is neither a class nor 255
   */
  add(truth: Uint8Array, prediction: Uint8Array): void;
  /** Adds the counts of another confusion of the same classes, e.g. of another thread. */
  merge(other: Pick<Confusion, 'counts' | 'missed'>): void;
  /** TP / (TP + FP + FN) of each class; null for a class that occurs in neither truth nor prediction. */
  iou(): (number | null)[];
  /** Mean of the classes' IoU without the nulls; null before any pixel. */
  meanIou(): number | null;
  /** Share of the pixels predicted right; null before any pixel. */
  pixelAccuracy(): number | null;
}

export function createConfusion(classes: number): Confusion {
  const counts = new Float64Array(classes * classes);
  const missed = new Float64Array(classes);
  const iou = () => Array.from({ length: classes }, (_, k) => intersectionOverUnion(counts, missed, k));
  return {
    classes,
    counts,
    missed,
    add(truth, prediction) {
      if (truth.length !== prediction.length) throw new RangeError(`${truth.length} pixels of truth, ${prediction.length} of prediction`);
      for (let i = 0; i < truth.length; i++) {
        if (truth[i] === IGNORE_INDEX) continue;
        const ignored = prediction[i] === IGNORE_INDEX;
        if (truth[i] >= classes || (prediction[i] >= classes && !ignored)) {
          throw new RangeError(`pixel ${i}: truth ${truth[i]}, prediction ${prediction[i]}, but the classes are 0..${classes - 1}`);
        }
        if (ignored) missed[truth[i]]++;
        else counts[truth[i] * classes + prediction[i]]++;
      }
    },
    merge(other) {
      for (let i = 0; i < counts.length; i++) counts[i] += other.counts[i];
      for (let k = 0; k < classes; k++) missed[k] += other.missed[k];
    },
    iou,
    meanIou() {
      const known = iou().filter((value) => value !== null);
      return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
    },
    pixelAccuracy() {
      const add = (sum: number, count: number) => sum + count;
      const pixels = counts.reduce(add, 0) + missed.reduce(add, 0);
      let right = 0;
      for (let k = 0; k < classes; k++) right += counts[k * classes + k];
      return pixels > 0 ? right / pixels : null;
    },
  };
}

function intersectionOverUnion(counts: Float64Array, missed: Float64Array, k: number): number | null {
  const classes = missed.length;
  let union = missed[k] - counts[k * classes + k];
  for (let other = 0; other < classes; other++) union += counts[k * classes + other] + counts[other * classes + k];
  return union > 0 ? counts[k * classes + k] / union : null;
}
