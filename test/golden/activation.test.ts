import { test } from 'uvu';
import { activationScores } from '../../trainer-image/model/segmentor.ts';
import { tf, type Tensor2D, type Tensor4D } from '../../trainer-image/tf.ts';
import { assertClose, eachGoldenCase, type GoldenArray } from './golden.ts';

interface CamCase {
  readonly features: GoldenArray;
  readonly classifierKernel: GoldenArray;
  readonly activation: GoldenArray;
}

eachGoldenCase<CamCase>('cam.json', ({ features, classifierKernel, activation }, index) =>
  test(`cam case ${index}: activation = ReLU(features · kernel)`, () => {
    const last = tf.tensor(features.data, [1, ...features.shape]) as Tensor4D;
    const kernel = tf.tensor(classifierKernel.data, classifierKernel.shape) as Tensor2D;
    assertClose(activationScores(last, kernel).dataSync(), activation.data, 'activation', 1e-5);
  }),
);

test.run();
