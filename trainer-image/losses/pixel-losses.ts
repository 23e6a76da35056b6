import { addRows, gatherRows } from './rows.ts';
import { attribute, execute, tf, usesGpu, type Scalar, type Tensor, type Tensor4D } from '../tf.ts';
import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';

const T = attribute.float32('T');

/**
 * A loss over pixels, mean over those that have a target.
 * - 'crossEntropy': of labels [B, H, W] int32, 255 = none (L_segs; with label smoothing ε: L_segc). The smoothed target is
 *   (1 − ε) · one-hot + ε / K.
 * - 'distanceEntropy': DEL, L_ds and L_dc: −(Σ_i d(i)/255 · Σ_k p_ik log p_ik) / N with distances [B, H, W] in bytes, N = number
 *   of pixels where that product is not 0.
 */
export type PixelTerm =
  | {
      readonly kind: 'crossEntropy';
      readonly labels: Tensor;
      readonly labelSmoothing: number;
      readonly weight: number;
      /** Whether most pixels have a label, as in pseudo-labels: then nobody need look for those that have. */
      readonly isDense?: boolean;
    }
  | { readonly kind: 'distanceEntropy'; readonly distance: Tensor; readonly weight: number };

/** What the terms share: the log-probabilities of the pixels, and what follows from them when a term first asks. */
interface Distribution {
  /** log p, [N, K] */
  readonly logProbability: Tensor;
  /** p, [N, K] */
  readonly probability: Tensor;
  /** Σ_k p log p, [N, 1] */
  readonly negativeEntropy: () => Tensor;
}

/**
 * A term's value and its share of the gradient, which for all terms together is
 * p ∘ (a + b (log p − Σ p log p)) − c, less `target` where a pixel's label is.
 */
interface TermParts {
  readonly value: Scalar;
  /** a [N, 1] */
  readonly ofProbability?: Tensor;
  /** b [N, 1] */
  readonly ofEntropy?: Tensor;
  /** c [N, 1] */
  readonly ofEveryClass?: Tensor;
  /** Position of each pixel's label in [N · K], and what is taken off there, [N]. */
  readonly target?: { readonly position: Tensor; readonly amount: Tensor };
}

function crossEntropyParts(term: PixelTerm & { kind: 'crossEntropy' }, labels: Tensor, { logProbability }: Distribution): TermParts {
  const { labelSmoothing, weight } = term;
  const [pixels, classes] = logProbability.shape as [number, number];
  const isLabelled = tf.notEqual(labels, IGNORE_INDEX);
  const counted = tf.cast(isLabelled, 'float32');
  const share = tf.div(counted, tf.maximum(tf.sum(counted), 1));
  const label = tf.where(isLabelled, labels, tf.zerosLike(labels));
  const position = tf.add(tf.range(0, pixels * classes, classes, 'int32'), label);
  const atLabel = gatherRows(tf.reshape(logProbability, [-1]), position);
  const smooth = labelSmoothing === 0 ? undefined : tf.mul(tf.sum(logProbability, 1), labelSmoothing / classes);
  const likelihood = smooth === undefined ? atLabel : tf.add(tf.mul(atLabel, 1 - labelSmoothing), smooth);
  const column = tf.reshape(tf.mul(share, weight), [-1, 1]);
  return {
    value: tf.neg(tf.sum(tf.mul(likelihood, share))),
    ofProbability: column,
    ofEveryClass: smooth && tf.mul(column, labelSmoothing / classes),
    target: { position, amount: tf.mul(share, weight * (1 - labelSmoothing)) },
  };
}

function distanceEntropyParts({ weight }: PixelTerm, distance: Tensor, { negativeEntropy }: Distribution): TermParts {
  const distances = tf.div(tf.reshape(tf.cast(distance, 'float32'), [-1, 1]), 255);
  const product = tf.mul(distances, negativeEntropy());
  const count = tf.maximum(tf.sum(tf.cast(tf.notEqual(product, 0), 'float32')), 1);
  return { value: tf.neg(tf.div(tf.sum(product), count)), ofEntropy: tf.mul(distances, tf.div(-weight, count)) };
}

function sumOf(tensors: readonly (Tensor | undefined)[]): Tensor | undefined {
  const present = tensors.filter((tensor) => tensor !== undefined);
  return present.length < 2 ? present[0] : tf.addN(present);
}

/** Values of all terms and the gradient of their weighted sum, [N, K]; targets [N] and logits [N, K]. */
function evaluateTerms(logits: Tensor, terms: readonly PixelTerm[], targets: readonly Tensor[]): { values: Scalar[]; gradient: Tensor } {
  const logProbability = execute('LogSoftmax', [T], [logits]);
  const probability = tf.exp(logProbability);
  let entropy: Tensor | undefined;
  const negativeEntropy = () => (entropy ??= tf.sum(tf.mul(probability, logProbability), 1, true));
  const distribution = { logProbability, probability, negativeEntropy };
  const parts = terms.map((term, i) =>
    term.kind === 'crossEntropy' ? crossEntropyParts(term, targets[i], distribution) : distanceEntropyParts(term, targets[i], distribution),
  );
  const ofProbability = sumOf(parts.map((part) => part.ofProbability));
  const ofEntropy = sumOf(parts.map((part) => part.ofEntropy));
  const ofEveryClass = sumOf(parts.map((part) => part.ofEveryClass));
  const bend = ofEntropy && tf.mul(tf.sub(logProbability, negativeEntropy()), ofEntropy);
  const slope = tf.mul(
    probability,
    bend === undefined || ofProbability === undefined ? (bend ?? ofProbability)! : tf.add(bend, ofProbability),
  );
  const smoothed = ofEveryClass === undefined ? slope : tf.sub(slope, ofEveryClass);
  const flat = parts.reduce(
    (sum, { target }) => (target === undefined ? sum : addRows(sum, target.position, tf.neg(target.amount))),
    tf.reshape(smoothed, [-1]),
  );
  return { values: parts.map(({ value }) => value), gradient: tf.reshape(flat, logits.shape) };
}

/** The pixels that any term asks about, unless they are most of them: scribbles cover a few per cent. */
function sparsePixels(terms: readonly PixelTerm[]): Tensor | undefined {
  const sparse = terms.filter((term) => term.kind === 'crossEntropy' && term.isDense !== true);
  if (usesGpu || sparse.length < terms.length) return undefined;
  const labels = sparse.map((term) => (term as PixelTerm & { kind: 'crossEntropy' }).labels.dataSync());
  const most = labels[0].length / 4;
  const pixels: number[] = [];
  for (let pixel = 0; pixel < labels[0].length && pixels.length <= most; pixel++) {
    if (labels.some((map) => map[pixel] !== IGNORE_INDEX)) pixels.push(pixel);
  }
  return pixels.length > most ? undefined : tf.tensor1d(pixels, 'int32');
}

const MOST_POSITIONS = 2 ** 31 - 1;

/**
 * Refuses batches whose logits are more than the whole numbers of 32 bits that the labels' places among them are counted in.
 * @throws BadInputError
 */
export function checkLogitCount(pixels: number, classes: number): void {
  if (pixels * classes <= MOST_POSITIONS) return;
  const message =
    `a batch has ${pixels} pixels of ${classes} classes each, ${pixels * classes} logits, and more than ${MOST_POSITIONS} cannot be ` +
    `counted; lower batchSize or cropSize`;
  throw new BadInputError(message, { field: 'spec.segment' });
}

/**
 * Weighted sum of pixel losses, and each before its weight: the softmax and everything over [N, K] that the terms have in common
 * is computed once, and one gradient kept. logits [B, H, W, K] → scalars; a term without a pixel is 0. Only `total` has a gradient.
 */
export function pixelLosses(logits: Tensor4D, terms: readonly PixelTerm[]): { total: Scalar; values: Scalar[] } {
  const [images, height, width, classes] = logits.shape;
  checkLogitCount(images * height * width, classes);
  const operation = tf.customGrad((...args: unknown[]) => {
    const [input, save] = args as [Tensor, (tensors: Tensor[]) => void];
    const flat = tf.reshape(input, [-1, classes]);
    const targets = terms.map((term) => tf.reshape(term.kind === 'crossEntropy' ? term.labels : term.distance, [-1]));
    const pixels = sparsePixels(terms);
    const pick = (tensor: Tensor) => (pixels === undefined ? tensor : gatherRows(tensor, pixels));
    const { values, gradient } = evaluateTerms(pick(flat), terms, targets.map(pick));
    const weighted = values.map((value, i) => tf.mul<Scalar>(value, terms[i].weight));
    save([pixels === undefined ? gradient : addRows(tf.zerosLike(flat), pixels, gradient)]);
    return {
      value: tf.stack([tf.addN(weighted), ...values]),
      gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(tf.reshape(saved[0], logits.shape), tf.slice(dy, [0], [1])),
    };
  });
  const [total, ...values] = tf.unstack(operation(logits)) as Scalar[];
  return { total, values };
}

/** Cross entropy alone. logits [B, H, W, K], labels [B, H, W] int32 → scalar; 0 without any labelled pixel. */
export function crossEntropy(logits: Tensor4D, labels: Tensor, labelSmoothing = 0): Scalar {
  return tf.tidy(() => pixelLosses(logits, [{ kind: 'crossEntropy', labels, labelSmoothing, weight: 1 }]).total);
}

/** Distance entropy alone. logits [B, H, W, K], distance [B, H, W] in bytes → scalar; 0 where N = 0. */
export function distanceEntropy(logits: Tensor4D, distance: Tensor): Scalar {
  return tf.tidy(() => pixelLosses(logits, [{ kind: 'distanceEntropy', distance, weight: 1 }]).total);
}

/** Sigmoid cross entropy of image-level labels, mean over images and classes (stage 1). logits and labels [B, K − 1] → scalar. */
export function multiLabelCrossEntropy(logits: Tensor, labels: Tensor): Scalar {
  return tf.losses.sigmoidCrossEntropy(labels, logits);
}
