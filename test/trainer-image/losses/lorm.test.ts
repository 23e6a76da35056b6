import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { lormLoss } from '../../../trainer-image/losses/lorm.ts';
import { tf, type Scalar, type Tensor, type Tensor2D, type Tensor4D } from '../../../trainer-image/tf.ts';

const [BATCH, SIDE, CHANNELS] = [3, 4, 6];
const POSITIONS = SIDE * SIDE;
const random = createRandom('lorm-test');
const uniform = (shape: number[]) => {
  const count = shape.reduce((product, side) => product * side, 1);
  return tf.tensor(
    Float32Array.from({ length: count }, () => 2 * random() - 1),
    shape,
  );
};

const inputs = [
  tf.relu(uniform([BATCH, SIDE, SIDE, CHANNELS])),
  uniform([1, 1, CHANNELS, CHANNELS]),
  uniform([CHANNELS]),
  uniform([1, 1, CHANNELS, CHANNELS]),
  uniform([CHANNELS]),
  tf.tensor1d([0.8]),
];

function ours(mask: Tensor) {
  return (features: Tensor, queryKernel: Tensor, queryBias: Tensor, keyKernel: Tensor, keyBias: Tensor, delta: Tensor): Scalar =>
    lormLoss(features as Tensor4D, { queryKernel, queryBias, keyKernel, keyBias, delta }, mask);
}

/** The formula as the paper writes it: the whole [P, P] similarity, its background rows set to 0, differentiated by tfjs. */
function asWritten(mask: Tensor) {
  return (features: Tensor, queryKernel: Tensor, queryBias: Tensor, keyKernel: Tensor, keyBias: Tensor, delta: Tensor): Scalar => {
    const flat = features.reshape<Tensor2D>([BATCH * POSITIONS, CHANNELS]);
    const unit = (kernel: Tensor, bias: Tensor) => {
      const linear = tf.add(tf.matMul(flat, kernel.reshape<Tensor2D>([CHANNELS, CHANNELS])), bias);
      return tf.div(linear, tf.sqrt(tf.sum(tf.square(linear), 1, true))).reshape([BATCH, POSITIONS, CHANNELS]);
    };
    const rows = features.reshape([BATCH, POSITIONS, CHANNELS]);
    const cosines = tf.matMul(unit(queryKernel, queryBias), unit(keyKernel, keyBias), false, true);
    const similarity = tf.mul(tf.softmax(cosines), mask.reshape([BATCH, POSITIONS, 1]));
    const squares = tf.square(tf.sub(rows, tf.mul(tf.matMul(similarity, rows), delta)));
    return tf.div(tf.sum(squares), squares.dataSync().filter((square) => square !== 0).length);
  };
}

const everyThird = Array.from({ length: BATCH * POSITIONS }, (_, i) => (i % 3 === 0 ? 1 : 0));
const masks: [string, number[]][] = [
  ['no foreground at all', everyThird.map(() => 0)],
  ['foreground everywhere', everyThird.map(() => 1)],
  ['foreground in parts of every image', everyThird],
  ['an image without foreground between two others', everyThird.map((value, i) => (Math.floor(i / POSITIONS) === 1 ? 0 : value))],
];

for (const [name, values] of masks) {
  test(`with ${name}, loss and gradients are those of the formula with all its rows`, () => {
    const mask = tf.tensor3d(values, [BATCH, SIDE, SIDE]);
    const [found, expected] = [ours(mask), asWritten(mask)].map((loss) => tf.valueAndGrads(loss)(inputs));
    assert.ok(Math.abs(found.value.dataSync()[0] / expected.value.dataSync()[0] - 1) < 1e-5);
    found.grads.forEach((gradient, i) => {
      assert.equal(gradient.shape, inputs[i].shape);
      const difference = tf.max(tf.abs(tf.sub(gradient, expected.grads[i]))).dataSync()[0];
      const size = tf.max(tf.abs(expected.grads[i])).dataSync()[0];
      assert.ok(difference <= 1e-5 * size + 1e-7, `gradient ${i} differs by ${difference}`);
    });
  });
}

test.run();
