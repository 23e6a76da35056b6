import { attribute, execute, executeMany, tf, type Scalar, type Tensor, type Tensor4D } from '../tf.ts';
import { IGNORE_INDEX } from '../../operator/api/experiment.ts';

const T = attribute.float32('T');
const ONE_HOT = [T, attribute.int32('TI'), attribute.int('axis', -1)];

function oneHot(labels: Tensor, classes: number, on: number, off: number): Tensor {
  return tf.tidy(() => execute('OneHot', ONE_HOT, [labels, tf.scalar(classes, 'int32'), tf.scalar(on), tf.scalar(off)]));
}

/** A scalar whose gradient with respect to `logits` is known when it is computed: kept as one tensor on the tape. */
function scalarWithGradient(logits: Tensor4D, compute: (logits: Tensor) => { value: Scalar; gradient: Tensor }): Scalar {
  const operation = tf.customGrad((...args: unknown[]) => {
    const [input, save] = args as [Tensor, (tensors: Tensor[]) => void];
    const { value, gradient } = compute(input);
    save([gradient]);
    return { value, gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(tf.reshape(saved[0], logits.shape), dy) };
  });
  return operation(logits);
}

/**
 * Cross entropy, mean over the pixels whose label is not 255 (L_segs; with label smoothing ε: L_segc). The smoothed target is
 * (1 − ε) · one-hot + ε / K. logits [B, H, W, K], labels [B, H, W] int32 → scalar; 0 without any labelled pixel.
 */
export function crossEntropy(logits: Tensor4D, labels: Tensor, labelSmoothing = 0): Scalar {
  const classes = logits.shape[3];
  return scalarWithGradient(logits, (input) => {
    const flat = tf.reshape(labels, [-1]);
    const isLabelled = tf.cast(tf.notEqual(flat, IGNORE_INDEX), 'float32');
    const share = tf.div(isLabelled, tf.maximum(tf.sum(isLabelled), 1));
    const off = labelSmoothing / classes;
    const target = oneHot(flat, classes, 1 - labelSmoothing + off, off);
    const [loss, gradient] = executeMany('SoftmaxCrossEntropyWithLogits', [T], [tf.reshape(input, [-1, classes]), target], 2);
    return { value: tf.sum(tf.mul(loss, share)), gradient: tf.mul(gradient, tf.expandDims(share, 1)) };
  });
}

/**
 * Distance entropy loss (DEL; L_ds and L_dc): −(Σ_i d(i)/255 · Σ_k p_ik log p_ik) / N, N = number of pixels where that product
 * is not 0. logits [B, H, W, K], distance [B, H, W] in bytes → scalar; 0 where N = 0.
 */
export function distanceEntropy(logits: Tensor4D, distance: Tensor): Scalar {
  const classes = logits.shape[3];
  return scalarWithGradient(logits, (input) => {
    const weight = tf.div(tf.reshape(tf.cast(distance, 'float32'), [-1, 1]), 255);
    const logProbability = execute('LogSoftmax', [T], [tf.reshape(input, [-1, classes])]);
    const probability = tf.exp(logProbability);
    const negativeEntropy = tf.sum(tf.mul(probability, logProbability), 1, true);
    const product = tf.mul(weight, negativeEntropy);
    const count = tf.maximum(tf.sum(tf.cast(tf.notEqual(product, 0), 'float32')), 1);
    // d(−e)/dz_k = −p_k (log p_k − e), with e = Σ p log p.
    const gradient = tf.mul(tf.mul(probability, tf.sub(logProbability, negativeEntropy)), tf.div(weight, tf.neg(count)));
    return { value: tf.neg(tf.div(tf.sum(product), count)), gradient };
  });
}

/** Sigmoid cross entropy of image-level labels, mean over images and classes (stage 1). logits and labels [B, K − 1] → scalar. */
export function multiLabelCrossEntropy(logits: Tensor, labels: Tensor): Scalar {
  return tf.losses.sigmoidCrossEntropy(labels, logits);
}
