import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { foregroundMask, lormLoss, lormPrototype } from '../../trainer-image/losses/lorm.ts';
import { tf, type Tensor, type Tensor4D } from '../../trainer-image/tf.ts';
import { assertClose, assertCloseNumbers, eachGoldenCase, type GoldenArray } from './golden.ts';

const PARAMETERS = ['features', 'queryKernel', 'queryBias', 'keyKernel', 'keyBias', 'delta'] as const;
type Parameter = (typeof PARAMETERS)[number];

interface LormCase extends Readonly<Record<Exclude<Parameter, 'delta'>, GoldenArray>> {
  readonly delta: number;
  readonly pseudoLabel: GoldenArray;
  readonly foregroundMask: GoldenArray;
  readonly prototype: GoldenArray;
  readonly loss: number;
  readonly gradient: Readonly<Record<Parameter, GoldenArray>>;
}

const tensor = ({ data, shape }: GoldenArray): Tensor => tf.tensor(data, shape);

eachGoldenCase<LormCase>('lorm.json', (golden, index) => {
  const [, height, width] = golden.features.shape;
  const name = `lorm case ${index}, ${golden.features.shape.join('×')}`;
  const mask = () => foregroundMask(tf.tensor(golden.pseudoLabel.data, golden.pseudoLabel.shape, 'int32'), height, width);
  const inputs = () => PARAMETERS.map((key) => (key === 'delta' ? tf.tensor([golden.delta], [1]) : tensor(golden[key])));
  const split = ([features, queryKernel, queryBias, keyKernel, keyBias, delta]: Tensor[]) =>
    [features as Tensor4D, { queryKernel, queryBias, keyKernel, keyBias, delta }] as const;

  test(`${name}: the foreground mask is exact`, () => {
    assert.equal([...mask().dataSync()], golden.foregroundMask.data);
  });

  test(`${name}: the prototype`, () => {
    const [features, parameters] = split(inputs());
    assertClose(lormPrototype(features, parameters, mask()).dataSync(), golden.prototype.data, 'prototype');
  });

  test(`${name}: the loss and all gradients`, () => {
    const { value, grads } = tf.valueAndGrads((...all: Tensor[]) => lormLoss(...split(all), mask()))(inputs());
    assertCloseNumbers(value.dataSync()[0], golden.loss, 'loss');
    PARAMETERS.forEach((key, i) => assertClose(grads[i].dataSync(), golden.gradient[key].data, `gradient of ${key}`));
  });
});

test.run();
