import { test } from 'uvu';
import { activationScores } from '../../trainer-image/model/segmentor.ts';
import { tf } from '../../trainer-image/tf.ts';
import { tensor4 } from '../trainer-image/tensors.ts';
import { assertClose, eachGoldenCase, type GoldenArray } from './golden.ts';

interface CamCase {
  readonly features: GoldenArray;
  readonly classifierKernel: GoldenArray;
  readonly activation: GoldenArray;
}

eachGoldenCase<CamCase>('cam.json', ({ features, classifierKernel, activation }, index) =>
  test(`cam case ${index}: activation = ReLU(features · kernel)`, () => {
    const last = tensor4(features.data, [1, ...features.shape]);
    const kernel = tf.tensor(classifierKernel.data, classifierKernel.shape);
    assertClose(activationScores(last, kernel).dataSync(), activation.data, 'activation', 1e-5);
  }),
);

test.run();
