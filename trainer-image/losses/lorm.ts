import { attribute, execute, tf, type Scalar, type Tensor, type Tensor4D } from '../tf.ts';

/** Parameters of the localization rectification module: two 1×1 convolutions (C → C) and the scale δ. */
export interface LormParameters {
  /** [1, 1, C, C] */
  readonly queryKernel: Tensor;
  /** [C] */
  readonly queryBias: Tensor;
  readonly keyKernel: Tensor;
  readonly keyBias: Tensor;
  /** [1] or [] */
  readonly delta: Tensor;
}

const T = attribute.float32('T');
const PRODUCT = (first: boolean, second: boolean) => [T, attribute.bool('adj_x', first), attribute.bool('adj_y', second)];
const [PLAIN, SECOND_TRANSPOSED, FIRST_TRANSPOSED] = [PRODUCT(false, false), PRODUCT(false, true), PRODUCT(true, false)];
const MATRIX = (first: boolean, second: boolean) => [T, attribute.bool('transpose_a', first), attribute.bool('transpose_b', second)];
const [MATRIX_PLAIN, MATRIX_SECOND_TRANSPOSED, MATRIX_FIRST_TRANSPOSED] = [MATRIX(false, false), MATRIX(false, true), MATRIX(true, false)];
const TINY = 1e-12;

/** The foreground mask on the feature grid: pseudo-label (255 counts as 0) resized with aligned corners, > 0. [B, H, W] int32 → [B, h, w] of 0 and 1. */
export function foregroundMask(pseudoLabel: Tensor, height: number, width: number): Tensor {
  return tf.tidy(() => {
    const isForeground = tf.cast(tf.logicalAnd(tf.greater(pseudoLabel, 0), tf.notEqual(pseudoLabel, 255)), 'float32');
    const resized = tf.image.resizeBilinear(tf.expandDims<Tensor4D>(isForeground, 3), [height, width], true);
    return tf.cast(tf.greater(tf.squeeze(resized, [3]), 0), 'float32');
  });
}

interface Projection {
  /** Unit rows, [B, P, C]. */
  readonly unit: Tensor;
  /** Lengths of the rows before, [B, P, 1]. */
  readonly length: Tensor;
}

function project(flat: Tensor, kernel: Tensor, bias: Tensor, shape: [number, number, number]): Projection {
  const linear = tf.add(execute('MatMul', MATRIX_PLAIN, [flat, tf.reshape(kernel, [shape[2], shape[2]])]), bias).reshape(shape);
  const length = tf.maximum(tf.sqrt(tf.sum(tf.square(linear), 2, true)), TINY);
  return { unit: tf.div(linear, length), length };
}

/** Gradient of row normalisation: (g − u (u·g)) / length. */
function unitGradient(gradient: Tensor, { unit, length }: Projection): Tensor {
  return tf.div(tf.sub(gradient, tf.mul(unit, tf.sum(tf.mul(unit, gradient), 2, true))), length);
}

/** Rows, similarity and prototype of one forward pass. */
function attend(features: Tensor, parameters: LormParameters, mask: Tensor, shape: [number, number, number]) {
  const flat = tf.reshape(features, [shape[0] * shape[1], shape[2]]);
  const rows = tf.reshape(features, shape);
  const query = project(flat, parameters.queryKernel, parameters.queryBias, shape);
  const key = project(flat, parameters.keyKernel, parameters.keyBias, shape);
  const similarity = execute('Softmax', [T], [execute('BatchMatMulV2', SECOND_TRANSPOSED, [query.unit, key.unit])]);
  const attended = tf.mul(execute('BatchMatMulV2', PLAIN, [similarity, rows]), tf.reshape(mask, [shape[0], shape[1], 1]));
  return { flat, rows, query, key, similarity, attended };
}

function shapeOf(features: Tensor4D): [number, number, number] {
  const [batch, height, width, channels] = features.shape;
  return [batch, height * width, channels];
}

/** F̂ = δ · A F (paper, LoRM): features [B, h, w, C], mask [B, h, w] → [B, h, w, C]. For tests and inspection; training uses `lormLoss`. */
export function lormPrototype(features: Tensor4D, parameters: LormParameters, mask: Tensor): Tensor4D {
  return tf.tidy(() => {
    const { attended } = attend(features, parameters, mask, shapeOf(features));
    return tf.reshape(tf.mul(attended, parameters.delta), features.shape);
  });
}

/**
 * L_lorm = Σ (F − F̂)² / number of its non-zero terms, with its gradient written out: one node of the tape, and the [P, P]
 * similarity is the only large tensor kept. features [B, h, w, C], mask [B, h, w] → scalar. 0 where no term is non-zero.
 */
export function lormLoss(features: Tensor4D, parameters: LormParameters, mask: Tensor): Scalar {
  const shape = shapeOf(features);
  const [batch, positions, channels] = shape;
  const operation = tf.customGrad((...args: unknown[]) => {
    const save = args.pop() as (tensors: Tensor[]) => void;
    const [f, queryKernel, queryBias, keyKernel, keyBias, delta] = args as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const { flat, rows, query, key, similarity, attended } = attend(f, { queryKernel, queryBias, keyKernel, keyBias, delta }, mask, shape);
    const difference = tf.sub(rows, tf.mul(attended, delta));
    const squares = tf.square(difference);
    const count = tf.maximum(tf.sum(tf.cast(tf.notEqual(squares, 0), 'float32')), 1);
    const value = tf.div(tf.sum(squares), count);
    save([
      flat,
      rows,
      query.unit,
      query.length,
      key.unit,
      key.length,
      similarity,
      attended,
      difference,
      count,
      queryKernel,
      keyKernel,
      delta,
      tf.reshape(mask, [batch, positions, 1]),
    ]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [flatS, rowsS, qUnit, qLength, kUnit, kLength, a, attendedS, differenceS, countS, qKernel, kKernel, deltaS, maskS] = saved as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      const dRows = tf.mul(differenceS, tf.div(tf.mul(dy, 2), countS));
      const dDelta = tf.neg(tf.sum(tf.mul(dRows, attendedS)));
      /** Gradient of the masked A F. */
      const g = tf.mul(tf.mul(dRows, tf.neg(deltaS)), maskS);
      const dA = execute('BatchMatMulV2', SECOND_TRANSPOSED, [g, rowsS]);
      // Softmax: dS = A (dA − Σ_j A dA); the sum over keys is g · (A F), which is at hand.
      const dS = tf.mul(a, tf.sub(dA, tf.sum(tf.mul(g, attendedS), 2, true)));
      const dQuery = tf.reshape(unitGradient(execute('BatchMatMulV2', PLAIN, [dS, kUnit]), { unit: qUnit, length: qLength }), flatS.shape);
      const dKey = tf.reshape(
        unitGradient(execute('BatchMatMulV2', FIRST_TRANSPOSED, [dS, qUnit]), { unit: kUnit, length: kLength }),
        flatS.shape,
      );
      const square = [channels, channels];
      const dFlat = tf.addN([
        tf.reshape(tf.add(dRows, execute('BatchMatMulV2', FIRST_TRANSPOSED, [a, g])), flatS.shape),
        execute('MatMul', MATRIX_SECOND_TRANSPOSED, [dQuery, tf.reshape(qKernel, square)]),
        execute('MatMul', MATRIX_SECOND_TRANSPOSED, [dKey, tf.reshape(kKernel, square)]),
      ]);
      return [
        tf.reshape(dFlat, features.shape),
        tf.reshape(execute('MatMul', MATRIX_FIRST_TRANSPOSED, [flatS, dQuery]), qKernel.shape),
        tf.sum(dQuery, 0),
        tf.reshape(execute('MatMul', MATRIX_FIRST_TRANSPOSED, [flatS, dKey]), kKernel.shape),
        tf.sum(dKey, 0),
        tf.reshape(dDelta, deltaS.shape),
      ];
    };
    return { value, gradFunc };
  });
  const { queryKernel, queryBias, keyKernel, keyBias, delta } = parameters;
  return operation(features, queryKernel, queryBias, keyKernel, keyBias, delta) as Scalar;
}
