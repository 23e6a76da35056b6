import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  checkLogitCount,
  crossEntropy,
  distanceEntropy,
  multiLabelCrossEntropy,
  pixelLosses,
  type PixelTerm,
} from '../../../trainer-image/losses/pixel-losses.ts';
import { tf, type Scalar, type Tensor, type Tensor4D } from '../../../trainer-image/tf.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { assertNear, assertTensorsKept, noise4, tensor4 } from '../tensors.ts';

const [SIDE, CLASSES] = [4, 3];
const PIXELS = SIDE * SIDE;
const map = (at: (pixel: number) => number) =>
  tf.tensor(
    Int32Array.from({ length: PIXELS }, (_, pixel) => at(pixel)),
    [1, SIDE, SIDE],
    'int32',
  );
/** Equal logits: every class is as likely as any other. */
const equal = () => tensor4(new Float32Array(PIXELS * CLASSES), [1, SIDE, SIDE, CLASSES]);
const logits = () => noise4([1, SIDE, SIDE, CLASSES], 'logits');

const LOSSES: [name: string, nothing: number, loss: (x: Tensor4D, target: Tensor) => Scalar][] = [
  ['cross entropy', 255, (x, labels) => crossEntropy(x, labels)],
  ['cross entropy with label smoothing', 255, (x, labels) => crossEntropy(x, labels, 0.1)],
  ['distance entropy', 0, (x, distance) => distanceEntropy(x, distance)],
];

const withGradient = (loss: (x: Tensor4D) => Scalar, x: Tensor4D) => {
  const { value, grad } = tf.valueAndGrad((input) => loss(input as Tensor4D))(x);
  return { value: value.dataSync()[0], gradient: [...grad.dataSync()] };
};

for (const [name, nothing, loss] of LOSSES) {
  test(`${name}: a batch without any pixel gives 0 and no gradient, never NaN`, () => {
    const { value, gradient } = withGradient(
      (x) =>
        loss(
          x,
          map(() => nothing),
        ),
      logits(),
    );
    assert.is(value, 0);
    assert.ok(gradient.every((slope) => slope === 0));
  });

  test(`${name}: pixels without a target have no gradient, and do not count`, () => {
    const isTarget = (pixel: number) => pixel < 5;
    const { value, gradient } = withGradient(
      (x) =>
        loss(
          x,
          map((pixel) => (isTarget(pixel) ? pixel % CLASSES || 1 : nothing)),
        ),
      logits(),
    );
    assert.ok(value > 0);
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const slopes = gradient.slice(pixel * CLASSES, (pixel + 1) * CLASSES);
      assert.is(
        slopes.some((slope) => slope !== 0),
        isTarget(pixel),
        `pixel ${pixel}`,
      );
      assert.ok(Math.abs(slopes.reduce((sum, slope) => sum + slope, 0)) < 1e-7, 'the slopes of a softmax sum to 0');
    }
  });

  test(`${name}: makes one tensor and leaves its inputs alone`, () => {
    const [x, target] = [logits(), map((pixel) => pixel % CLASSES)];
    const before = [...x.dataSync(), ...target.dataSync()];
    loss(x, target).dispose();
    assertTensorsKept(1, () => loss(x, target), name);
    assert.equal([...x.dataSync(), ...target.dataSync()], before);
  });

  test(`${name}: huge logits give a finite loss and gradient`, () => {
    const x = tf.mul<Tensor4D>(logits(), 1e4);
    const { value, gradient } = withGradient(
      (input) =>
        loss(
          input,
          map((pixel) => pixel % CLASSES),
        ),
      x,
    );
    assert.ok(Number.isFinite(value));
    assert.ok(gradient.every(Number.isFinite));
  });
}

test('cross entropy of equal logits is the logarithm of the number of classes', () => {
  const x = equal();
  for (const smoothing of [0, 0.1]) {
    assertNear(
      crossEntropy(
        x,
        map((pixel) => (pixel % 2 ? 255 : 1)),
        smoothing,
      ).dataSync(),
      [Math.log(CLASSES)],
      `smoothing ${smoothing}`,
    );
  }
});

test('distance entropy of equal logits is the mean distance of the pixels that have one, times the logarithm of K', () => {
  const x = equal();
  const distance = map((pixel) => (pixel < 4 ? 51 : 0));
  assertNear(distanceEntropy(x, distance).dataSync(), [0.2 * Math.log(CLASSES)], 'loss');
});

test('multi-label cross entropy is that of a sigmoid, mean over images and classes', () => {
  const [x, labels] = [tf.tensor2d([0.5, -1, 2, 0], [2, 2]), tf.tensor2d([1, 0, 0, 1], [2, 2])];
  const [xs, ys] = [x.dataSync(), labels.dataSync()];
  const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));
  const terms = Array.from(xs, (value, i) => -(ys[i] * Math.log(sigmoid(value)) + (1 - ys[i]) * Math.log(1 - sigmoid(value))));
  const { value, grad } = tf.valueAndGrad((input) => multiLabelCrossEntropy(input, labels))(x);
  assertNear(value.dataSync(), [terms.reduce((sum, term) => sum + term, 0) / 4], 'loss');
  assertNear(
    grad.dataSync(),
    Array.from(xs, (logit, i) => (sigmoid(logit) - ys[i]) / 4),
    'gradient',
  );
});

for (const labelled of [2, PIXELS - 1]) {
  test(`cross entropy of ${labelled} of ${PIXELS} pixels is that of the formula`, () => {
    const x = logits();
    const { value, gradient } = withGradient(
      (input) =>
        crossEntropy(
          input,
          map((pixel) => (pixel < labelled ? pixel % CLASSES : 255)),
        ),
      x,
    );
    const probability = tf.softmax(x).dataSync();
    const pixels = Array.from({ length: PIXELS }, (_, pixel) => pixel);
    const loss = pixels.slice(0, labelled).reduce((sum, pixel) => sum - Math.log(probability[pixel * CLASSES + (pixel % CLASSES)]), 0);
    assertNear([value], [loss / labelled], 'loss');
    const slopes = Array.from(probability, (share, i) => {
      const [pixel, k] = [Math.floor(i / CLASSES), i % CLASSES];
      return pixel < labelled ? (share - (k === pixel % CLASSES ? 1 : 0)) / labelled : 0;
    });
    assertNear(gradient, slopes, 'gradient');
  });
}

test('terms together have the values of each alone and the gradient of their weighted sum', () => {
  const labels = map((pixel) => (pixel < 9 ? pixel % CLASSES : 255));
  const distance = map((pixel) => (pixel < 4 ? 0 : 40 + pixel));
  const terms: PixelTerm[] = [
    { kind: 'crossEntropy', labels, labelSmoothing: 0, weight: 1 },
    { kind: 'crossEntropy', labels: map((pixel) => (pixel + 1) % CLASSES), labelSmoothing: 0.1, weight: 0.5 },
    { kind: 'distanceEntropy', distance, weight: 2 },
    { kind: 'distanceEntropy', distance: map((pixel) => 255 - pixel), weight: 0.3 },
  ];
  const x = logits();
  const together = pixelLosses(x, terms);
  const alone = terms.map((term) => withGradient((input) => pixelLosses(input, [{ ...term, weight: 1 }]).total, x));
  assertNear(
    together.values.map((value) => value.dataSync()[0]),
    alone.map(({ value }) => value),
    'values',
  );
  const { value, gradient } = withGradient((input) => pixelLosses(input, terms).total, x);
  const weighted = (of: (i: number) => number) => terms.reduce((sum, { weight }, i) => sum + weight * of(i), 0);
  assertNear([value], [weighted((i) => alone[i].value)], 'total');
  assertNear(
    gradient,
    gradient.map((_, at) => weighted((i) => alone[i].gradient[at])),
    'gradient',
  );
});

test('labels that are said to be dense are not looked through, and the loss is the same', () => {
  const labels = map((pixel) => (pixel < 2 ? pixel : 255));
  const term = { kind: 'crossEntropy', labels, labelSmoothing: 0.1, weight: 1 } as const;
  const x = logits();
  const sparse = withGradient((input) => pixelLosses(input, [term]).total, x);
  labels.dataSync = () => assert.unreachable('the labels were read back') as never;
  const dense = withGradient((input) => pixelLosses(input, [{ ...term, isDense: true }]).total, x);
  assertNear([dense.value, ...dense.gradient], [sparse.value, ...sparse.gradient], 'dense', 1e-6);
});

test('a batch of more logits than can be counted is refused with what to lower', () => {
  checkLogitCount(2 ** 31 - 1, 1);
  assert.throws(
    () => checkLogitCount(128 * 1024 * 1024, 21),
    (error: unknown) =>
      error instanceof BadInputError && error.field === 'spec.segment' && /lower batchSize or cropSize$/.test(error.message),
  );
  const huge = { shape: [128, 1024, 1024, 21] } as unknown as Tensor4D;
  assert.throws(() => pixelLosses(huge, []), /2818572288 logits/);
});

test.run();
