import { test } from 'uvu';
import { crossEntropy, distanceEntropy } from '../../trainer-image/losses/pixel-losses.ts';
import { tf, type Scalar, type Tensor4D } from '../../trainer-image/tf.ts';
import { tensor4 } from '../trainer-image/tensors.ts';
import { assertClose, assertCloseNumbers, eachGoldenCase, type GoldenArray } from './golden.ts';

const TERMS = ['segS', 'segC', 'dS', 'dC'] as const;
type Term = (typeof TERMS)[number];
const LABEL_SMOOTHING = 0.1;

interface LossCase {
  readonly logits: GoldenArray;
  readonly scribble: GoldenArray;
  readonly pseudoLabel: GoldenArray;
  readonly scribbleDistance: GoldenArray;
  readonly classDistance: GoldenArray;
  readonly loss: Readonly<Record<Term, number>>;
  /** Left out where a term has no pixel: 0 everywhere. */
  readonly gradient: Readonly<Partial<Record<Term, GoldenArray>>>;
}

const map = ({ data, shape }: GoldenArray) => tf.tensor(data, shape, 'int32');

eachGoldenCase<LossCase>('losses.json', (golden, index) => {
  const compute: Record<Term, (logits: Tensor4D) => Scalar> = {
    segS: (logits) => crossEntropy(logits, map(golden.scribble)),
    segC: (logits) => crossEntropy(logits, map(golden.pseudoLabel), LABEL_SMOOTHING),
    dS: (logits) => distanceEntropy(logits, map(golden.scribbleDistance)),
    dC: (logits) => distanceEntropy(logits, map(golden.classDistance)),
  };
  for (const term of TERMS) {
    test(`losses case ${index}, ${golden.logits.shape.join('×')}: ${term} and its gradient`, () => {
      const logits = tensor4(golden.logits.data, golden.logits.shape);
      const { value, grad } = tf.valueAndGrad((x) => compute[term](x as Tensor4D))(logits);
      assertCloseNumbers(value.dataSync()[0], golden.loss[term], term);
      assertClose(grad.dataSync(), golden.gradient[term]?.data ?? golden.logits.data.map(() => 0), `gradient of ${term}`);
    });
  }
});

test.run();
