import { attribute, execute, tf, type Attribute, type Scalar, type Tensor, type Tensor4D } from '../tf.ts';
import { addRows, gatherRows } from './rows.ts';

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
const MATRIX = (first: boolean, second: boolean) => [T, attribute.bool('transpose_a', first), attribute.bool('transpose_b', second)];
const [PLAIN, SECOND_TRANSPOSED, FIRST_TRANSPOSED] = [MATRIX(false, false), MATRIX(false, true), MATRIX(true, false)];
const TINY = 1e-12;

/** The foreground mask on the feature grid: pseudo-label (255 counts as 0) resized with aligned corners, > 0. [B, H, W] int32 → [B, h, w] of 0 and 1. */
export function foregroundMask(pseudoLabel: Tensor, height: number, width: number): Tensor {
  return tf.tidy(() => {
    const isForeground = tf.cast(tf.logicalAnd(tf.greater(pseudoLabel, 0), tf.notEqual(pseudoLabel, 255)), 'float32');
    const resized = tf.image.resizeBilinear(tf.expandDims<Tensor4D>(isForeground, 3), [height, width], true);
    return tf.cast(tf.greater(tf.squeeze(resized, [3]), 0), 'float32');
  });
}

/** Product of two matrices, either of them transposed. Image by image it is a third faster than BatchMatMulV2 (docs/decisions/direct-kernels.md). */
function product(kind: readonly Attribute[], first: Tensor, second: Tensor): Tensor {
  return execute('MatMul', kind, [first, second]);
}

interface Projection {
  /** Unit rows, [R, C]. */
  readonly unit: Tensor;
  /** Lengths of the rows before, [R, 1]. */
  readonly length: Tensor;
}

function project(rows: Tensor, kernel: Tensor, bias: Tensor): Projection {
  const linear = tf.add(product(PLAIN, rows, matrix(kernel)), bias);
  const length = tf.maximum(tf.sqrt(tf.sum(tf.square(linear), 1, true)), TINY);
  return { unit: tf.div(linear, length), length };
}

/** Gradient of row normalisation: (g − u (u·g)) / length. */
function unitGradient(gradient: Tensor, { unit, length }: Projection): Tensor {
  return tf.div(tf.sub(gradient, tf.mul(unit, tf.sum(tf.mul(unit, gradient), 1, true))), length);
}

/** [1, 1, C, C] → [C, C] */
function matrix(kernel: Tensor): Tensor {
  return tf.reshape(kernel, kernel.shape.slice(-2));
}

/** Where the foreground's rows are: only they have a row in A F, so only they ask for one. */
interface Foreground {
  /** Rows in [B·P, C], image after image. */
  readonly index: Tensor;
  /** Per image: its first row among the foreground's, and how many it has. */
  readonly images: readonly { readonly start: number; readonly count: number }[];
}

/** mask [B, h, w] of 0 and 1 */
function findForeground(mask: Tensor): Foreground {
  const values = mask.dataSync();
  const positions = values.length / mask.shape[0];
  const rows: number[] = [];
  const images = Array.from({ length: mask.shape[0] }, (_, image) => {
    const start = rows.length;
    for (let row = image * positions; row < (image + 1) * positions; row++) if (values[row] > 0) rows.push(row);
    return { start, count: rows.length - start };
  });
  return { index: tf.tensor1d(rows, 'int32'), images };
}

/** [R, C] → its rows from `start` on. */
function rowsOf(tensor: Tensor, start: number, count: number): Tensor {
  return tf.slice(tensor, [start, 0], [count, tensor.shape[1] as number]);
}

/** Query, key, similarities ([count, P] for each image, also where count is 0) and A F on the foreground's rows. features [B·P, C]. */
function attend(rows: Tensor, parameters: LormParameters, { index, images }: Foreground) {
  const positions = rows.shape[0] / images.length;
  const query = project(gatherRows(rows, index), parameters.queryKernel, parameters.queryBias);
  const key = project(rows, parameters.keyKernel, parameters.keyBias);
  const similarities = images.map(({ start, count }, image) => {
    const cosines = product(SECOND_TRANSPOSED, rowsOf(query.unit, start, count), rowsOf(key.unit, image * positions, positions));
    return execute('Softmax', [T], [cosines]);
  });
  const attended = similarities.map((similarity, image) => product(PLAIN, similarity, rowsOf(rows, image * positions, positions)));
  return { query, key, similarities, attended: tf.concat(attended, 0) };
}

/** [B, h, w, C] → [B·h·w, C] */
function rowsOfFeatures(features: Tensor4D): Tensor {
  return tf.reshape(features, [-1, features.shape[3]]);
}

/** F̂ = δ · A F (paper, LoRM): features [B, h, w, C], mask [B, h, w] → [B, h, w, C]. For tests and inspection; training uses `lormLoss`. */
export function lormPrototype(features: Tensor4D, parameters: LormParameters, mask: Tensor): Tensor4D {
  return tf.tidy(() => {
    const rows = rowsOfFeatures(features);
    const foreground = findForeground(mask);
    const { attended } = attend(rows, parameters, foreground);
    return tf.reshape(addRows(tf.zerosLike(rows), foreground.index, tf.mul(attended, parameters.delta)), features.shape);
  });
}

/**
 * L_lorm = Σ (F − F̂)² / number of its non-zero terms, with its gradient written out: one node of the tape, and the similarities
 * of the foreground's rows are the only large tensors kept. features [B, h, w, C], mask [B, h, w] → scalar. 0 where no term is
 * non-zero. A row outside the foreground has F̂ = 0, so its query and its similarities are never computed: exact, not an estimate.
 */
export function lormLoss(features: Tensor4D, parameters: LormParameters, mask: Tensor): Scalar {
  const foreground = findForeground(mask);
  const { index } = foreground;
  const operation = tf.customGrad((...args: unknown[]) => {
    const save = args.pop() as (tensors: Tensor[]) => void;
    const [f, queryKernel, queryBias, keyKernel, keyBias, delta] = args as [Tensor4D, Tensor, Tensor, Tensor, Tensor, Tensor];
    const rows = rowsOfFeatures(f);
    const { query, key, similarities, attended } = attend(rows, { queryKernel, queryBias, keyKernel, keyBias, delta }, foreground);
    const difference = addRows(rows, index, tf.neg(tf.mul(attended, delta)));
    const squares = tf.square(difference);
    const count = tf.maximum(tf.sum(tf.cast(tf.notEqual(squares, 0), 'float32')), 1);
    const value = tf.div(tf.sum(squares), count);
    const kept = [rows, query.unit, query.length, key.unit, key.length, attended, difference, count, queryKernel, keyKernel, delta, index];
    save([...kept, ...similarities]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => lormGradients(dy, saved as SavedTensors, foreground, features.shape);
    return { value, gradFunc };
  });
  const { queryKernel, queryBias, keyKernel, keyBias, delta } = parameters;
  return operation(features, queryKernel, queryBias, keyKernel, keyBias, delta) as Scalar;
}

/** What the forward pass keeps, in this order; the similarities come last, one for each image. */
type SavedTensors = [
  rows: Tensor,
  queryUnit: Tensor,
  queryLength: Tensor,
  keyUnit: Tensor,
  keyLength: Tensor,
  attended: Tensor,
  difference: Tensor,
  count: Tensor,
  queryKernel: Tensor,
  keyKernel: Tensor,
  delta: Tensor,
  index: Tensor,
  ...similarities: Tensor[],
];

/** Gradients with respect to features, query kernel and bias, key kernel and bias, and δ. */
function lormGradients(dy: Tensor, saved: SavedTensors, { images }: Foreground, shape: Tensor4D['shape']): Tensor[] {
  const [
    rows,
    queryUnit,
    queryLength,
    keyUnit,
    keyLength,
    attended,
    difference,
    count,
    queryKernel,
    keyKernel,
    delta,
    index,
    ...similarities
  ] = saved;
  const positions = rows.shape[0] / images.length;
  const dRows = tf.mul(difference, tf.div(tf.mul(dy, 2), count));
  const dForeground = gatherRows(dRows, index);
  const dDelta = tf.neg(tf.sum(tf.mul(dForeground, attended)));
  /** Gradient of A F on the foreground's rows, and its scalar product with them: softmax needs Σ_j A_ij dA_ij, which is that. */
  const g = tf.mul(dForeground, tf.neg(delta));
  const products = tf.sum(tf.mul(g, attended), 1, true);
  const parts = images.map(({ start, count: own }, image) => {
    const [similarity, gOwn, first] = [similarities[image], rowsOf(g, start, own), image * positions];
    const dA = product(SECOND_TRANSPOSED, gOwn, rowsOf(rows, first, positions));
    const dCosines = tf.mul(similarity, tf.sub(dA, rowsOf(products, start, own)));
    return {
      dQueryUnit: product(PLAIN, dCosines, rowsOf(keyUnit, first, positions)),
      dKeyUnit: product(FIRST_TRANSPOSED, dCosines, rowsOf(queryUnit, start, own)),
      dValues: product(FIRST_TRANSPOSED, similarity, gOwn),
    };
  });
  const all = (name: keyof (typeof parts)[number]) =>
    tf.concat(
      parts.map((part) => part[name]),
      0,
    );
  const dQuery = unitGradient(all('dQueryUnit'), { unit: queryUnit, length: queryLength });
  const dKey = unitGradient(all('dKeyUnit'), { unit: keyUnit, length: keyLength });
  const throughAll = tf.addN([dRows, all('dValues'), product(SECOND_TRANSPOSED, dKey, matrix(keyKernel))]);
  return [
    tf.reshape(addRows(throughAll, index, product(SECOND_TRANSPOSED, dQuery, matrix(queryKernel))), shape),
    tf.reshape(product(FIRST_TRANSPOSED, gatherRows(rows, index), dQuery), queryKernel.shape),
    tf.sum(dQuery, 0),
    tf.reshape(product(FIRST_TRANSPOSED, rows, dKey), keyKernel.shape),
    tf.sum(dKey, 0),
    tf.reshape(dDelta, delta.shape),
  ];
}
