import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BACKBONES, SEGMENTORS } from '../../../operator/api/experiment.ts';
import { segmentLoss } from '../../../trainer-image/losses/segment-loss.ts';
import { multiLabelCrossEntropy } from '../../../trainer-image/losses/pixel-losses.ts';
import { INFERENCE, type DropoutSeed, type Mode } from '../../../trainer-image/model/layers.ts';
import { createClassifier, createSegmentor, type NetworkSettings, type Segmentor } from '../../../trainer-image/model/segmentor.ts';
import { tf, type Tensor } from '../../../trainer-image/tf.ts';
import { gradientsOf } from '../../../trainer-image/training/gradients.ts';
import { Sgd } from '../../../trainer-image/training/sgd.ts';
import { assertNear, noise4 } from '../tensors.ts';

const CLASSES = 3;

/** Quicker than the trainer's own stream, and good enough to start a network from. */
function quickRandom(): () => number {
  let state = 1;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

const mode = (dropoutSeed: DropoutSeed = [0, 0]): Mode => ({ training: true, frozenBatchNorm: false, statistics: new Map(), dropoutSeed });

function takeStep(network: Segmentor, side: number): { loss: number; missing: string[]; infinite: string[] } {
  const shape = [2, side, side];
  const labels = (at: (pixel: number) => number) =>
    tf.tensor(
      Int32Array.from({ length: 2 * side * side }, (_, pixel) => at(pixel)),
      shape,
      'int32',
    );
  const supervision = {
    scribble: labels((pixel) => (pixel % 7 === 0 ? pixel % CLASSES : 255)),
    pseudoLabel: labels((pixel) => Math.floor(pixel / 200) % CLASSES),
    scribbleDistance: labels((pixel) => pixel % 256),
    classDistance: labels((pixel) => 255 - (pixel % 256)),
  };
  const image = noise4([2, side, side, 3], 'image');
  const trainable = network.parameters.trainable();
  const optimizer = new Sgd(trainable, { momentum: 0.9, weightDecay: 5e-4 });
  const step = mode();
  const weights = { scribble: 1, pseudoLabel: 1, scribbleDistance: 1, classDistance: 1, lorm: 1 };
  const { loss, gradients } = gradientsOf(() => {
    const { logits, features } = network.forward(image, step);
    return segmentLoss({ logits, features, size: [side, side], supervision, weights, labelSmoothing: 0.1, lorm: network.lorm }).total;
  }, trainable);
  optimizer.step(gradients, 0.01);
  const result = {
    loss: loss.dataSync()[0],
    missing: [...trainable.keys()].filter((name) => !gradients.has(name)),
    infinite: [...gradients].flatMap(([name, gradient]) => (Number.isFinite(tf.tidy(() => tf.sum(gradient).dataSync()[0])) ? [] : [name])),
  };
  optimizer.dispose();
  const used: Tensor[] = [loss, ...gradients.values(), ...step.statistics.values(), image, ...Object.values(supervision)];
  tf.dispose(used);
  return result;
}

for (const backbone of BACKBONES) {
  for (const segmentor of SEGMENTORS) {
    const outputStride = backbone === 'efficientnet-lite0' ? 16 : 8;
    const side = /resnet(50|101|152)/.test(backbone) ? 33 : 65;
    test(`${backbone} with ${segmentor} takes a training step at ${side} px and leaks nothing`, () => {
      const network = createSegmentor({ backbone, segmentor, outputStride, classes: CLASSES, lorm: true }, quickRandom());
      // The first step makes tensors that live as long as the process, such as shapes.
      takeStep(network, side);
      const before = tf.memory().numTensors;
      const { loss, missing, infinite } = takeStep(network, side);
      assert.ok(Number.isFinite(loss) && loss > 0, `loss ${loss}`);
      assert.equal(missing, [], 'every parameter has a gradient');
      assert.equal(infinite, [], 'and it is finite');
      assert.is(tf.memory().numTensors, before);
      network.parameters.dispose();
    });
  }
}

const SMALL: NetworkSettings = { backbone: { block: 'basic', blocks: [1, 1, 1, 1], baseWidth: 4, outputStride: 8 }, outputStride: 8 };

for (const [backbone, outputStride, last, low] of [
  ['resnet18', 8, 9, 17],
  ['resnet18', 16, 5, 17],
  ['efficientnet-lite0', 8, 9, 17],
  ['efficientnet-lite0', 16, 5, 17],
] as const) {
  test(`${backbone} at output stride ${outputStride}: features of ${last}×${last} and logits for 65×65 px`, () => {
    const image = noise4([1, 65, 65, 3], 'image');
    const shapes = SEGMENTORS.map((segmentor) => {
      const network = createSegmentor({ backbone, segmentor, outputStride, classes: CLASSES, lorm: false }, quickRandom());
      const { logits, features } = network.forward(image, INFERENCE);
      assert.equal(features.shape.slice(0, 3), [1, last, last]);
      network.parameters.dispose();
      return logits.shape;
    });
    assert.equal(shapes, [
      [1, last, last, CLASSES],
      [1, low, low, CLASSES],
    ]);
  });
}

test('dropout is drawn from the seed and the step alone, and inference has none', () => {
  const head = { channels: 8, lowChannels: 4, dropout: 0.5 };
  const network = createSegmentor({ ...SMALL, segmentor: 'deeplabv3plus', classes: CLASSES, lorm: false, head }, quickRandom());
  const image = noise4([2, 33, 33, 3], 'image');
  const logits = (how: Mode) => [...network.forward(image, how).logits.dataSync()];
  assert.equal(logits(mode([0, 5])), logits(mode([0, 5])));
  assert.not.equal(logits(mode([0, 5])), logits(mode([0, 6])));
  assert.not.equal(logits(mode([1, 5])), logits(mode([0, 6])));
  assert.equal(logits({ ...INFERENCE, dropoutSeed: [0, 1] }), logits({ ...INFERENCE, dropoutSeed: [0, 2] }));
});

test('LoRM adds parameters and changes nothing in the forward pass', () => {
  const [plain, withLorm] = [false, true].map((lorm) =>
    createSegmentor({ ...SMALL, segmentor: 'deeplabv2', classes: CLASSES, lorm }, quickRandom()),
  );
  const image = noise4([1, 33, 33, 3], 'image');
  assert.equal([...plain.forward(image, INFERENCE).logits.dataSync()], [...withLorm.forward(image, INFERENCE).logits.dataSync()]);
  const added = [...withLorm.parameters.expected().keys()].filter((name) => !plain.parameters.expected().has(name));
  assert.equal(added, ['lorm.query.weight', 'lorm.query.bias', 'lorm.key.weight', 'lorm.key.bias', 'lorm.delta']);
});

test('the classifier scores the foreground classes; its activation averages to the score where nothing is below 0', () => {
  const network = createClassifier({ ...SMALL, classes: CLASSES }, quickRandom());
  const image = noise4([2, 33, 33, 3], 'image');
  const [logits, activation] = [network.forward(image, INFERENCE), network.activation(image, INFERENCE)];
  assert.equal(logits.shape, [2, CLASSES - 1]);
  assert.equal(activation.shape, [2, 5, 5, CLASSES - 1]);
  assert.ok(activation.dataSync().every((value) => value >= 0));
  // With weights above 0 the ReLU does nothing: the features themselves come after one.
  const weights = network.parameters.export();
  network.parameters.load(
    new Map([['classifier.weight', { ...weights.get('classifier.weight')!, data: weights.get('classifier.weight')!.data.map(Math.abs) }]]),
  );
  assertNear(
    tf.mean(network.activation(image, INFERENCE), [1, 2]).dataSync(),
    network.forward(image, INFERENCE).dataSync(),
    'scores',
    1e-4,
  );
});

test('every parameter of the classifier has a gradient, and a step leaks nothing', () => {
  const network = createClassifier({ ...SMALL, classes: CLASSES }, quickRandom());
  const image = noise4([2, 33, 33, 3], 'image');
  const labels = tf.tensor2d([1, 0, 0, 1], [2, CLASSES - 1]);
  const trainable = network.parameters.trainable();
  const step = () => {
    const how = mode();
    const { loss, gradients } = gradientsOf(() => multiLabelCrossEntropy(network.forward(image, how), labels), trainable);
    assert.equal([...gradients.keys()], [...trainable.keys()]);
    tf.dispose([loss, ...gradients.values(), ...how.statistics.values()]);
  };
  step();
  const before = tf.memory().numTensors;
  step();
  assert.is(tf.memory().numTensors, before);
});

test.run();
