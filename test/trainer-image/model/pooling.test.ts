import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { choosePoolKernel, maxPool, tensorflowPool, type PoolKernel } from '../../../trainer-image/model/pooling.ts';
import { tf, type Scalar, type Tensor4D } from '../../../trainer-image/tf.ts';
import { assertNear, noise4 } from '../tensors.ts';

const SIZES = [
  [7, 9],
  [8, 6],
  [1, 2],
];
const KERNELS: Record<string, PoolKernel> = { 'the one chosen here': choosePoolKernel(), "TensorFlow's own": tensorflowPool };
const CASES = Object.entries(KERNELS).flatMap(([name, kernel]) => SIZES.map(([height, width]) => ({ name, kernel, height, width })));

for (const { name, kernel, height, width } of CASES) {
  test(`max pooling of ${height}×${width} (kernels: ${name}): the largest of each 3×3 window and its gradient; padding never wins`, () => {
    // All below 0: a padding of 0 would be larger.
    const x = tf.sub<Tensor4D>(noise4([2, height, width, 3], 'pool'), 2);
    const data = x.dataSync();
    const [rows, columns] = [Math.floor((height - 1) / 2) + 1, Math.floor((width - 1) / 2) + 1];
    const dy = noise4([2, rows, columns, 3], 'dy');
    const expected = { y: new Float64Array(dy.size).fill(-Infinity), dx: new Float64Array(data.length) };
    for (let o = 0; o < dy.size; o++) {
      const [c, ox, oy, b] = [o % 3, Math.floor(o / 3) % columns, Math.floor(o / 3 / columns) % rows, Math.floor(o / 3 / columns / rows)];
      let best = -1;
      for (let iy = Math.max(0, 2 * oy - 1); iy <= Math.min(height - 1, 2 * oy + 1); iy++)
        for (let ix = Math.max(0, 2 * ox - 1); ix <= Math.min(width - 1, 2 * ox + 1); ix++) {
          const at = ((b * height + iy) * width + ix) * 3 + c;
          if (data[at] > expected.y[o]) [expected.y[o], best] = [data[at], at];
        }
      expected.dx[best] += dy.dataSync()[o];
    }
    assertNear(maxPool(x, kernel).dataSync(), expected.y, 'output');
    const gradient = tf.grad((input) => tf.sum<Scalar>(tf.mul(maxPool(input as Tensor4D, kernel), dy)))(x);
    assertNear(gradient.dataSync(), expected.dx, 'gradient');
  });
}

test('of equal values the first of a window takes the gradient, with every kernel', () => {
  const x = tf.zeros([1, 4, 4, 1]);
  const gradients = Object.values(KERNELS).map((kernel) => [
    ...tf
      .grad((input) => tf.sum<Scalar>(maxPool(input as Tensor4D, kernel)))(x)
      .dataSync(),
  ]);
  for (const gradient of gradients) assert.equal(gradient, [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test.run();
