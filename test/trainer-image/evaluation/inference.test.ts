import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cropImage, EFFICIENTNET_LITE_NORMALISATION, IMAGENET_NORMALISATION } from '../../../trainer-image/data/augment.ts';
import type { RgbImage } from '../../../trainer-image/data/types.ts';
import { activationMaps, imageTensor, mergeFlips, predictImage } from '../../../trainer-image/evaluation/inference.ts';
import type { Classifier, Segmentor } from '../../../trainer-image/model/segmentor.ts';
import { tf, type Tensor4D } from '../../../trainer-image/tf.ts';
import { assertNear, assertTensorsKept, tensor4 } from '../tensors.ts';

const RAW = { mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
const [WIDTH, HEIGHT] = [7, 5];

/** An image of three classes: the strongest channel of a pixel is its class. */
const strongest = (i: number) => (i % WIDTH < 3 ? 0 : Math.floor(i / WIDTH) < 2 ? 1 : 2);
const image: RgbImage = {
  width: WIDTH,
  height: HEIGHT,
  data: Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (strongest(Math.floor(i / 3)) === i % 3 ? 9 : 0)),
};
const labels = Array.from({ length: WIDTH * HEIGHT }, (_, i) => strongest(i));

/** Networks that stand in for real ones: only `forward` and `activation` are used. */
const segmentor = (logits: (image: Tensor4D) => Tensor4D) =>
  ({ forward: (input: Tensor4D) => ({ logits: logits(input), features: input }) }) as unknown as Segmentor;
const classifier = (activation: (image: Tensor4D) => Tensor4D) => ({ activation }) as unknown as Classifier;
const identity = (input: Tensor4D) => tf.clone(input);

test('at its own size an image is the same input as a training crop that holds it whole', () => {
  const size = WIDTH;
  const square: RgbImage = { width: size, height: size, data: Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 37) % 256) };
  for (const normalisation of [IMAGENET_NORMALISATION, EFFICIENTNET_LITE_NORMALISATION]) {
    const crop = new Float32Array(size * size * 3);
    cropImage(crop, square, { size, width: size, height: size, left: 0, top: 0, flip: false }, normalisation);
    assertNear(imageTensor(square, 1, false, normalisation).dataSync(), crop, 'input', 1e-6);
  }
});

test('an image becomes the normalised input of its size times the scale, with its mirror image where asked for', () => {
  const normalisation = { mean: [1, 2, 3], deviation: [2, 4, 8] } as const;
  const plain = imageTensor(image, 1, false, normalisation);
  assert.equal(plain.shape, [1, HEIGHT, WIDTH, 3]);
  assertNear(plain.dataSync().slice(0, 3), [(9 - 1) / 2, -2 / 4, -3 / 8], 'first pixel');
  const both = imageTensor(image, 1.5, true, normalisation);
  assert.equal(both.shape, [2, 8, 11, 3]);
  const [first, second] = tf.split(both, 2, 0);
  assert.equal([...tf.reverse(second, 2).dataSync()], [...first.dataSync()]);
  assert.equal(imageTensor(image, 0.01, false, normalisation).shape, [1, 1, 1, 3], 'never less than a pixel');
});

for (const scales of [[1], [1, 2], [0.5, 1, 1.75]]) {
  for (const flips of [false, true]) {
    test(`a prediction has the image's size and its classes at scales ${scales.join(', ')}${flips ? ' and flips' : ''}`, () => {
      const prediction = predictImage(segmentor(identity), image, { scales, flips, normalisation: RAW });
      assert.equal([prediction.width, prediction.height], [WIDTH, HEIGHT]);
      if (!scales.includes(0.5)) assert.equal([...prediction.data], labels);
      else assert.ok([...prediction.data].filter((label, i) => label !== labels[i]).length <= HEIGHT + WIDTH, 'only edges may move');
    });
  }
}

test('what is averaged over the scales are probabilities, not logits', () => {
  // Three scales lean to class 0 (0.73 each); one is wholly sure of class 1, which would win among logits.
  const network = segmentor((input) => tf.fill([1, 2, 2, 2], 0).add(tf.tensor1d(input.shape[1] === 3 * HEIGHT ? [0, 100] : [1, 0])));
  const { data } = predictImage(network, image, { scales: [1, 2, 3, 0.5], flips: false, normalisation: RAW });
  assert.ok(data.every((label) => label === 0));
});

test('the mirrored map is mirrored back before the mean', () => {
  const maps = tensor4([1, 2, 3, 10, 20, 30], [2, 1, 3, 1]);
  assertNear(mergeFlips(maps).dataSync(), [15.5, 11, 6.5], 'mean');
  const single = tensor4([1, 2], [1, 1, 2, 1]);
  assert.is(mergeFlips(single), single);
  // A network that favours class 1 on the left whatever it sees: with flips it does so on either side.
  const biased = segmentor((input) => {
    const [batch, height, width] = input.shape;
    const left = tf.concat([tf.ones([batch, height, 1, 1]), tf.zeros([batch, height, width - 1, 1])], 2);
    return tf.concat([tf.fill([batch, height, width, 1], 0.4), left], 3) as Tensor4D;
  });
  const row = (flips: boolean) => [...predictImage(biased, image, { scales: [1], flips, normalisation: RAW }).data.slice(0, WIDTH)];
  assert.equal(row(false), [1, 0, 0, 0, 0, 0, 0]);
  assert.equal(row(true), [1, 0, 0, 0, 0, 0, 1]);
});

test('activation maps are the mean over scales and flips on the grid of the largest scale, one plane for each class asked for', () => {
  const sizes: number[][] = [];
  // Every other pixel of the input.
  const network = classifier((input) => {
    sizes.push(input.shape);
    return tf.stridedSlice(input, [0, 0, 0, 0], input.shape, [1, 2, 2, 1]) as Tensor4D;
  });
  const flat: RgbImage = { ...image, data: Uint8Array.from(image.data, (_, i) => [4, 6, 8][i % 3]) };
  const maps = activationMaps(network, flat, [1, 3], { scales: [1, 2, 0.5], flips: true, normalisation: RAW });
  assert.equal(sizes.map(([, height, width]) => [height, width]).sort(), [
    [10, 14],
    [3, 4],
    [5, 7],
  ]);
  assert.ok(sizes.every(([batch]) => batch === 2));
  assert.equal([maps.width, maps.height], [7, 5]);
  assert.equal(maps.classIndices, [1, 3]);
  assert.equal(maps.planes.length, 2);
  assertNear(maps.planes[0], new Array<number>(35).fill(4), 'class 1');
  assertNear(maps.planes[1], new Array<number>(35).fill(8), 'class 3');
});

test('activation maps without flips keep left and right', () => {
  const maps = activationMaps(classifier(identity), image, [1], { scales: [1], flips: false, normalisation: RAW });
  assertNear(
    maps.planes[0],
    labels.map((label) => (label === 0 ? 9 : 0)),
    'class 1',
  );
});

test('neither keeps a tensor, nor holds what a scale needed while the next is computed', () => {
  const held: number[] = [];
  const wasteful = (input: Tensor4D) => {
    held.push(tf.memory().numTensors);
    let x = tf.clone(input);
    for (let i = 0; i < 20; i++) x = tf.add(x, 1);
    return x;
  };
  const settings = { scales: [1, 1.5, 2], flips: true, normalisation: RAW };
  for (const infer of [
    () => predictImage(segmentor(wasteful), image, settings),
    () => activationMaps(classifier(wasteful), image, [1], settings),
  ]) {
    held.length = 0;
    assertTensorsKept(0, infer, 'inference');
    assert.equal(
      held.map((count) => count - held[0]),
      [0, 1, 2],
      'the map of each scale and no more',
    );
  }
});

test.run();
