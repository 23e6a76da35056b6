// What convolutions of every geometry must give, whatever TensorFlow computes them with: each test file calls this in its own process.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConvGeometry } from '../../../trainer-image/model/convolution.ts';
import { assertNear, assertTensorsKept, noise4, type Shape4 } from '../tensors.ts';

interface Case extends ConvGeometry {
  readonly size: number;
  readonly depthwise?: boolean;
  /** Height and width of the input. */
  readonly input: readonly [number, number];
}

const BATCH = 2;
const [INPUTS, OUTPUTS] = [3, 4];
const ODD = [13, 9] as const;
const EVEN = [12, 16] as const;

const cases: Case[] = [ODD, EVEN].flatMap((input): Case[] => [
  // ResNet: symmetric padding.
  { size: 1, stride: 1, dilation: 1, padding: 0, input },
  { size: 1, stride: 2, dilation: 1, padding: 0, input },
  { size: 3, stride: 1, dilation: 1, padding: 1, input },
  { size: 3, stride: 2, dilation: 1, padding: 1, input },
  { size: 7, stride: 2, dilation: 1, padding: 3, input },
  ...[2, 4, 6, 8, 12, 18].map((dilation) => ({ size: 3, stride: 1, dilation, padding: dilation, input })),
  // EfficientNet: TensorFlow's rule.
  { size: 3, stride: 2, dilation: 1, padding: 'same', input },
  { size: 1, stride: 1, dilation: 1, padding: 'same', input },
  ...[3, 5].flatMap((size) => [
    { size, stride: 1, dilation: 1, padding: 'same' as const, depthwise: true, input },
    { size, stride: 2, dilation: 1, padding: 'same' as const, depthwise: true, input },
    { size, stride: 1, dilation: 2, padding: 'same' as const, depthwise: true, input },
    { size, stride: 1, dilation: 4, padding: 'same' as const, depthwise: true, input },
  ]),
]);

/** Pixels of padding before, and the output's size, of one axis. */
function axis(length: number, { size, stride, dilation, padding }: Case): { before: number; outputs: number } {
  const reach = (size - 1) * dilation + 1;
  if (padding !== 'same') return { before: padding, outputs: Math.floor((length + 2 * padding - reach) / stride) + 1 };
  const outputs = Math.ceil(length / stride);
  return { before: Math.floor(Math.max(0, (outputs - 1) * stride + reach - length) / 2), outputs };
}

/** Visits every product of the sum that a convolution is: offsets of an output, an input and a kernel value. */
function eachProduct(geometry: Case, visit: (output: number, input: number, weight: number) => void): Shape4 {
  const { size, stride, dilation, depthwise = false, input } = geometry;
  const [rows, columns] = [axis(input[0], geometry), axis(input[1], geometry)];
  const outputs = depthwise ? INPUTS : OUTPUTS;
  for (let b = 0; b < BATCH; b++)
    for (let y = 0; y < rows.outputs; y++)
      for (let x = 0; x < columns.outputs; x++)
        for (let ky = 0; ky < size; ky++)
          for (let kx = 0; kx < size; kx++) {
            const [iy, ix] = [y * stride - rows.before + ky * dilation, x * stride - columns.before + kx * dilation];
            if (iy < 0 || ix < 0 || iy >= input[0] || ix >= input[1]) continue;
            for (let c = 0; c < INPUTS; c++)
              for (let d = depthwise ? c : 0; d < (depthwise ? c + 1 : outputs); d++) {
                const weight = ((ky * size + kx) * INPUTS + c) * (depthwise ? 1 : outputs) + (depthwise ? 0 : d);
                visit(
                  ((b * rows.outputs + y) * columns.outputs + x) * outputs + d,
                  ((b * input[0] + iy) * input[1] + ix) * INPUTS + c,
                  weight,
                );
              }
          }
  return [BATCH, rows.outputs, columns.outputs, outputs];
}

/** Defines the tests; the module under test is handed in, so that the caller can set TensorFlow up before it loads. */
export function testConvolutions(name: string, { convKernel }: typeof import('../../../trainer-image/model/convolution.ts')): void {
  for (const geometry of cases) {
    const { size, stride, dilation, padding, depthwise = false, input } = geometry;
    const kind = `${depthwise ? 'depthwise ' : ''}${size}×${size}, stride ${stride}, dilation ${dilation}, padding ${padding}`;
    test(`${name}: ${kind} on ${input.join('×')}: output and both gradients`, () => {
      const x = noise4([BATCH, ...input, INPUTS], 'x');
      const kernel = noise4([size, size, INPUTS, depthwise ? 1 : OUTPUTS], 'kernel');
      const shape = eachProduct(geometry, () => undefined);
      const dy = noise4(shape, 'dy');
      const [xs, ks, dys] = [x.dataSync(), kernel.dataSync(), dy.dataSync()];
      const expected = { y: new Float64Array(dys.length), dx: new Float64Array(xs.length), dk: new Float64Array(ks.length) };
      eachProduct(geometry, (o, i, w) => {
        expected.y[o] += xs[i] * ks[w];
        expected.dx[i] += dys[o] * ks[w];
        expected.dk[w] += dys[o] * xs[i];
      });

      const convolution = convKernel(size, { stride, dilation, padding }, depthwise);
      const y = convolution.forward(x, kernel);
      assert.equal(y.shape, shape);
      assertNear(y.dataSync(), expected.y, 'output');
      assertNear(convolution.inputGradient(x, kernel, dy).dataSync(), expected.dx, 'gradient of the input');
      assertNear(convolution.kernelGradient(x, kernel, dy).dataSync(), expected.dk, 'gradient of the kernel');
      assertTensorsKept(1, () => convolution.forward(x, kernel), 'forward');
      assertTensorsKept(1, () => convolution.inputGradient(x, kernel, dy), 'gradient of the input');
      assertTensorsKept(1, () => convolution.kernelGradient(x, kernel, dy), 'gradient of the kernel');
    });
  }
}
