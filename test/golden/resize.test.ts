import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resizeBilinear } from '../../trainer-image/model/layers.ts';
import { resizePlanes } from '../../trainer-image/pseudo-labels/labels.ts';
import { tf, type Scalar, type Tensor4D } from '../../trainer-image/tf.ts';
import { noise4, tensor4, type Shape4 } from '../trainer-image/tensors.ts';
import { assertClose, assertCloseNumbers, eachGoldenCase, type GoldenArray } from './golden.ts';

interface ResizeCase {
  readonly input: GoldenArray;
  readonly size: [number, number];
  readonly output: GoldenArray;
}

eachGoldenCase<ResizeCase>('resize.json', ({ input, size: [height, width], output }, index) => {
  const [batch, fromHeight, fromWidth, channels] = input.shape;
  const name = `resize case ${index}: ${fromHeight} × ${fromWidth} to ${height} × ${width}`;

  test(`${name}, as the pseudo-labels are made`, () => {
    const plane = ({ data }: GoldenArray, image: number, channel: number) => {
      const pixels = data.length / batch / channels;
      return Float32Array.from({ length: pixels }, (_, i) => data[(image * pixels + i) * channels + channel]);
    };
    for (let image = 0; image < batch; image++) {
      for (let channel = 0; channel < channels; channel++) {
        const [resized] = resizePlanes([plane(input, image, channel)], fromWidth, fromHeight, width, height);
        assertClose(resized, plane(output, image, channel), `image ${image}, channel ${channel}`, 2e-6);
      }
    }
  });

  test(`${name}, as the network does it`, () => {
    const x = tensor4(input.data, input.shape);
    assertClose(resizeBilinear(x, height, width).dataSync(), output.data, 'output', 2e-6);
  });

  // The resize is linear, so its gradient g of ⟨resize(x), dy⟩ fulfils ⟨g, d⟩ = ⟨resize(d), dy⟩ for every direction d, exactly.
  test(`${name}: the gradient agrees with differences in random directions`, () => {
    const dy = noise4(output.shape as Shape4, 'dy', index);
    const inner = (a: Tensor4D, b: Tensor4D) => tf.sum(tf.mul(a, b)).dataSync()[0];
    const slope = (x: Tensor4D) => tf.sum<Scalar>(tf.mul(resizeBilinear(x, height, width), dy));
    const gradient = tf.grad((x) => slope(x as Tensor4D))(tensor4(input.data, input.shape)) as Tensor4D;
    assert.equal(gradient.shape, input.shape);
    for (let direction = 0; direction < 5; direction++) {
      const d = noise4(input.shape as Shape4, 'direction', index, direction);
      const scale = Math.sqrt(output.data.length);
      assertCloseNumbers(1 + inner(gradient, d) / scale, 1 + inner(resizeBilinear(d, height, width), dy) / scale, 'slope', 1e-5);
    }
  });
});

test.run();
