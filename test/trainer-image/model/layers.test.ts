import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom } from '../../../trainer-image/data/random.ts';
import {
  convBatchNorm,
  convBias,
  INFERENCE,
  resizeBilinear,
  runInTurn,
  spread,
  type Layer,
  type Mode,
} from '../../../trainer-image/model/layers.ts';
import { ParameterStore } from '../../../trainer-image/model/parameters.ts';
import { tf, type Scalar, type Tensor, type Tensor4D, type Variable } from '../../../trainer-image/tf.ts';
import { gradientsOf } from '../../../trainer-image/training/gradients.ts';
import { assertNear, noise, noise4, tensor4 } from '../tensors.ts';

const [BATCH, SIDE, INPUTS, OUTPUTS] = [2, 5, 3, 4];
const EPSILON = 1e-3;
const MOMENTUM = 0.1;

type Activation = 'relu' | 'relu6' | 'none';

interface Fixture {
  readonly store: ParameterStore;
  readonly layer: Layer;
  readonly variable: (name: string) => Variable;
}

/** A 1×1 convolution with batch norm, its parameters set to noise. */
function makeLayer(activation: Activation, group: 'backbone' | 'head' = 'backbone'): Fixture {
  const store = new ParameterStore(createRandom(1));
  const settings = { size: 1, inputs: INPUTS, outputs: OUTPUTS, activation, group, norm: { epsilon: EPSILON, momentum: MOMENTUM } };
  const layer = convBatchNorm(store.scope(group), { conv: 'conv', norm: 'bn' }, settings);
  const vector = (name: string, offset: number): [string, { shape: number[]; data: Float32Array }] => [
    `${group}.bn.${name}`,
    {
      shape: [OUTPUTS],
      data: noise(OUTPUTS, name).map((value) => offset + value / 2),
    },
  ];
  store.load(new Map([vector('weight', 3), vector('bias', 0), vector('running_mean', 0), vector('running_var', 2)]));
  const variables = store.trainable();
  return { store, layer, variable: (name) => variables.get(`${group}.${name}`)! };
}

const trainingMode = (frozenBatchNorm = false): Mode => ({ training: true, frozenBatchNorm, statistics: new Map(), dropoutSeed: [0, 0] });

const values = (store: ParameterStore, name: string) => store.export().get(name)!.data;

/** The same layer made of tfjs's own small operations. */
function reference(
  [x, weight, scale, offset, residual]: Tensor[],
  { store, activation, batchStatistics }: { store: ParameterStore; activation: Activation; batchStatistics: boolean },
): Tensor {
  const y = tf.conv2d(x as Tensor4D, weight as Tensor4D, 1, 'valid');
  const { mean, variance } = batchStatistics
    ? tf.moments(y, [0, 1, 2])
    : { mean: tf.tensor1d(values(store, 'backbone.bn.running_mean')), variance: tf.tensor1d(values(store, 'backbone.bn.running_var')) };
  const normed = tf.add(tf.mul(tf.div(tf.sub(y, mean), tf.sqrt(tf.add(variance, EPSILON))), scale), offset);
  const sum = residual === undefined ? normed : tf.add(normed, residual);
  return activation === 'relu' ? tf.relu(sum) : activation === 'relu6' ? tf.relu6(sum) : sum;
}

for (const activation of ['relu', 'relu6', 'none'] as const) {
  for (const hasResidual of [false, true]) {
    for (const frozen of [false, true]) {
      const name = `${activation}${hasResidual ? ' with residual' : ''}${frozen ? ', frozen' : ''}`;
      test(`convolution, batch norm and ${name}: output and every gradient are those of small operations`, () => {
        const { store, layer, variable } = makeLayer(activation);
        const x = noise4([BATCH, SIDE, SIDE, INPUTS], 'x');
        const residual = noise4([BATCH, SIDE, SIDE, OUTPUTS], 'residual');
        const dy = noise4([BATCH, SIDE, SIDE, OUTPUTS], 'dy');
        const mode = trainingMode(frozen);
        const inputs = [x, ...(hasResidual ? [residual] : [])];
        const forward = (input: Tensor, added?: Tensor) => layer(input as Tensor4D, mode, added as Tensor4D | undefined);
        assert.equal(forward(x, hasResidual ? residual : undefined).shape, [BATCH, SIDE, SIDE, OUTPUTS]);

        const variables = [variable('conv.weight'), variable('bn.weight'), variable('bn.bias')];
        const expected = tf.valueAndGrads((...all: Tensor[]) => {
          const [input, weight, scale, offset, added] = all;
          return tf.sum<Scalar>(
            tf.mul(reference([input, weight, scale, offset, added], { store, activation, batchStatistics: !frozen }), dy),
          );
        })([x, ...variables.map((value) => value.clone()), ...(hasResidual ? [residual] : [])]);

        const slope = (...all: Tensor[]) => tf.sum<Scalar>(tf.mul(forward(all[0], all[1]), dy));
        const actual = tf.valueAndGrads(slope)(inputs);
        const { gradients } = gradientsOf(() => slope(...inputs), store.trainable());
        assertNear(actual.value.dataSync(), expected.value.dataSync(), 'value', 1e-4);
        assertNear(actual.grads[0].dataSync(), expected.grads[0].dataSync(), 'gradient of x', 1e-4);
        if (hasResidual) assertNear(actual.grads[1].dataSync(), expected.grads[4].dataSync(), 'gradient of the residual', 1e-4);
        ['conv.weight', 'bn.weight', 'bn.bias'].forEach((key, i) => {
          assertNear(gradients.get(`backbone.${key}`)!.dataSync(), expected.grads[i + 1].dataSync(), `gradient of ${key}`, 1e-4);
        });
      });
    }
  }
}

test('running statistics move as PyTorch does it: by the momentum, towards mean and unbiased variance', () => {
  const { store, layer, variable } = makeLayer('relu');
  const x = noise4([BATCH, SIDE, SIDE, INPUTS], 'x');
  const y = tf.conv2d(x, variable('conv.weight') as unknown as Tensor4D, 1, 'valid');
  const { mean, variance } = tf.moments(y, [0, 1, 2]);
  const count = BATCH * SIDE * SIDE;
  const [oldMean, oldVariance] = [values(store, 'backbone.bn.running_mean'), values(store, 'backbone.bn.running_var')];
  const mode = trainingMode();
  layer(x, mode);
  assert.is(mode.statistics.size, 2);
  const [newMean, newVariance] = [...mode.statistics.values()].map((value) => value.dataSync());
  const blend = (old: Float32Array, now: ArrayLike<number>, factor = 1) =>
    old.map((value, c) => (1 - MOMENTUM) * value + MOMENTUM * factor * now[c]);
  assertNear(newMean, blend(oldMean, mean.dataSync()), 'running mean');
  assertNear(newVariance, blend(oldVariance, variance.dataSync(), count / (count - 1)), 'running variance');
  assert.equal(values(store, 'backbone.bn.running_mean'), oldMean, 'the variables change when the step is taken, not before');
});

test('frozen batch norm keeps its statistics in the backbone, not in the head', () => {
  for (const [group, count] of [
    ['backbone', 0],
    ['head', 2],
  ] as const) {
    const { layer } = makeLayer('relu', group);
    const mode = trainingMode(true);
    layer(noise4([BATCH, SIDE, SIDE, INPUTS], 'x'), mode);
    assert.is(mode.statistics.size, count, group);
  }
});

test('inference uses the running statistics', () => {
  const { store, layer, variable } = makeLayer('relu');
  const x = noise4([BATCH, SIDE, SIDE, INPUTS], 'x');
  const parameters = [variable('conv.weight'), variable('bn.weight'), variable('bn.bias')];
  const expected = reference([x, ...parameters], { store, activation: 'relu', batchStatistics: false });
  assertNear(layer(x, INFERENCE).dataSync(), expected.dataSync(), 'output');
});

test('a second pass in one step replaces the statistics of the first without leaking them', () => {
  const { layer } = makeLayer('relu');
  const mode = trainingMode();
  const x = noise4([BATCH, SIDE, SIDE, INPUTS], 'x');
  layer(x, mode).dispose();
  const before = tf.memory().numTensors;
  layer(x, mode).dispose();
  assert.is(tf.memory().numTensors, before);
});

test('a layer leaves no tensor behind after its gradients', () => {
  const { store, layer } = makeLayer('none');
  const x = noise4([BATCH, SIDE, SIDE, OUTPUTS], 'x');
  const input = noise4([BATCH, SIDE, SIDE, INPUTS], 'input');
  const before = tf.memory().numTensors;
  for (let i = 0; i < 3; i++) {
    const mode = trainingMode();
    const { loss, gradients } = gradientsOf(() => tf.sum<Scalar>(layer(input, mode, x)), store.trainable());
    tf.dispose([loss, ...gradients.values(), ...mode.statistics.values()]);
  }
  assert.is(tf.memory().numTensors, before);
});

test('the last layer of DeepLabV3+ adds its bias', () => {
  const store = new ParameterStore(createRandom(1));
  const layer = convBias(store, 'classifier', { inputs: 2, outputs: 3 });
  store.load(
    new Map([
      ['classifier.weight', { shape: [3, 2, 1, 1], data: Float32Array.from([1, 2, 3, 4, 5, 6]) }],
      ['classifier.bias', { shape: [3], data: Float32Array.from([10, 20, 30]) }],
    ]),
  );
  assert.equal([...layer(tensor4([1, 1, 0, 1], [1, 1, 2, 2]), INFERENCE).dataSync()], [13, 27, 41, 12, 24, 36]);
});

test('resizing with aligned corners keeps the corners and interpolates between them', () => {
  const x = tensor4([0, 2, 4, 6], [1, 2, 2, 1]);
  assert.equal([...resizeBilinear(x, 3, 3).dataSync()], [0, 1, 2, 2, 3, 4, 4, 5, 6]);
  assert.is(resizeBilinear(x, 2, 2), x);
});

test('layers in turn: one map at a time is held in inference, all of them for the gradients in training', () => {
  const layers: Layer[] = [3, 5, 7].map((factor) => (x) => tf.add(tf.mul(x, factor), 1));
  const x = noise4([1, 2, 2, 1], 'x');
  const expected = x.dataSync().map((value) => ((value * 3 + 1) * 5 + 1) * 7 + 1);
  const held = (mode: Mode) => {
    const before = tf.memory().numTensors;
    const counts: number[] = [];
    const counting: Layer[] = layers.map((layer) => (input, how) => {
      counts.push(tf.memory().numTensors - before);
      return layer(input, how);
    });
    const y = runInTurn(counting, x, mode);
    assertNear(y.dataSync(), expected, 'output');
    y.dispose();
    return { counts, kept: tf.memory().numTensors - before };
  };
  assert.equal(held(INFERENCE), { counts: [0, 1, 1], kept: 0 });
  assert.not(x.isDisposed);
  assert.is(runInTurn([], x, INFERENCE), x);
  const gradient = tf.grad((input) => tf.sum<Scalar>(runInTurn(layers, input as Tensor4D, trainingMode())))(x);
  assert.equal([...gradient.dataSync()], [105, 105, 105, 105]);
});

test('one pixel is spread over a map, and its gradient is the sum over the map', () => {
  const x = noise4([2, 1, 1, 3], 'pixel');
  const slopes = noise4([2, 4, 5, 3], 'slopes');
  const { value, grad } = tf.valueAndGrad((input) => tf.sum(tf.mul(spread(input as Tensor4D, 4, 5), slopes)))(x);
  assertNear(value.dataSync(), tf.sum(tf.mul(tf.broadcastTo(x, [2, 4, 5, 3]), slopes)).dataSync(), 'value');
  assertNear(grad.dataSync(), tf.sum(slopes, [1, 2], true).dataSync(), 'gradient');
});

test('a layer that reads the image has the same values and parameter gradients, and gives the image none', () => {
  const results = [false, true].map((readsImage) => {
    const store = new ParameterStore(createRandom(1));
    const settings = { size: 3, stride: 2, inputs: INPUTS, outputs: OUTPUTS, activation: 'relu', group: 'backbone', readsImage } as const;
    const layer = convBatchNorm(store, { conv: 'conv', norm: 'bn' }, settings);
    const image = tf.variable(noise4([BATCH, SIDE, SIDE, INPUTS], 'image'));
    const parameters = new Map([...store.trainable(), ['image', image]]);
    return gradientsOf(() => tf.sum(tf.square(layer(image as unknown as Tensor4D, trainingMode()))), parameters);
  });
  const [plain, first] = results;
  assertNear(first.loss.dataSync(), plain.loss.dataSync(), 'loss');
  assert.equal([...plain.gradients.keys()].sort(), [...first.gradients.keys(), 'image'].sort());
  for (const [name, gradient] of first.gradients) assertNear(gradient.dataSync(), plain.gradients.get(name)!.dataSync(), name);
});

test.run();
