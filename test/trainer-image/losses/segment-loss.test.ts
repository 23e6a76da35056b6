import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentSpec, LOSS_TERMS, type LossSettings } from '../../../operator/api/experiment.ts';
import { foregroundMask, lormLoss, type LormParameters } from '../../../trainer-image/losses/lorm.ts';
import { segmentLoss, termWeights, type SegmentLossInput } from '../../../trainer-image/losses/segment-loss.ts';
import { tf, type Tensor4D } from '../../../trainer-image/tf.ts';
import { assertNear, assertTensorsKept, noise4 } from '../tensors.ts';

const [SIDE, CLASSES, CHANNELS] = [8, 3, 4];
const labels = (at: (pixel: number) => number) =>
  tf.tensor(
    Int32Array.from({ length: SIDE * SIDE }, (_, pixel) => at(pixel)),
    [1, SIDE, SIDE],
    'int32',
  );

const lorm = (): LormParameters => ({
  queryKernel: noise4([1, 1, CHANNELS, CHANNELS], 'query'),
  queryBias: tf.zeros([CHANNELS]),
  keyKernel: noise4([1, 1, CHANNELS, CHANNELS], 'key'),
  keyBias: tf.zeros([CHANNELS]),
  delta: tf.ones([1]),
});

const input = (changes: Partial<SegmentLossInput> = {}): SegmentLossInput => ({
  logits: noise4([1, 3, 3, CLASSES], 'logits'),
  features: noise4([1, 3, 3, CHANNELS], 'features'),
  size: [SIDE, SIDE],
  supervision: {
    scribble: labels((pixel) => (pixel % 5 === 0 ? pixel % CLASSES : 255)),
    pseudoLabel: labels((pixel) => pixel % CLASSES),
    scribbleDistance: labels((pixel) => pixel),
    classDistance: labels((pixel) => 255 - pixel),
  },
  weights: { scribble: 1, pseudoLabel: 1, scribbleDistance: 1, classDistance: 1, lorm: 1 },
  labelSmoothing: 0.1,
  lorm: lorm(),
  ...changes,
});

test('the loss is the weighted sum of its terms, which are reported without their weights', () => {
  const weights = { scribble: 1, pseudoLabel: 2, scribbleDistance: 0.5, classDistance: 3, lorm: 0.25 };
  const { total, terms } = segmentLoss(input({ weights }));
  assert.equal([...terms.keys()], [...LOSS_TERMS]);
  const expected = [...terms].reduce((sum, [term, value]) => sum + weights[term] * value.dataSync()[0], 0);
  assertNear(total.dataSync(), [expected], 'sum', 1e-6);
});

test('terms with a weight of 0 are neither computed nor reported, and need no map', () => {
  const weights = { scribble: 1, pseudoLabel: 0, scribbleDistance: 0, classDistance: 0, lorm: 0 };
  const { terms } = segmentLoss(input({ weights, supervision: { scribble: labels(() => 1) }, lorm: undefined }));
  assert.equal([...terms.keys()], ['scribble']);
});

test('pseudo-labels are taken for dense: their labels are not read back at each step', () => {
  const pseudoLabel = labels((pixel) => pixel % CLASSES);
  pseudoLabel.dataSync = () => assert.unreachable('they were read back') as never;
  const weights = { scribble: 1, pseudoLabel: 1, scribbleDistance: 0, classDistance: 0, lorm: 0 };
  const { terms } = segmentLoss(input({ weights, supervision: { scribble: labels(() => 1), pseudoLabel } }));
  assert.equal([...terms.keys()], ['scribble', 'pseudoLabel']);
});

test('before any term has begun the loss is 0 and pulls at nothing', () => {
  const weights = { scribble: 0, pseudoLabel: 0, scribbleDistance: 0, classDistance: 0, lorm: 0 };
  const { value, grad } = tf.valueAndGrad((logits) => segmentLoss(input({ weights, logits: logits as Tensor4D })).total)(input().logits);
  assert.is(value.dataSync()[0], 0);
  assert.ok(grad.dataSync().every((slope) => slope === 0));
});

for (const [what, changes, message] of [
  ['a map', { supervision: {} }, /no map for the loss term scribble/],
  ['LoRM', { lorm: undefined }, /made without LoRM/],
] as const) {
  test(`a term without ${what} is a mistake of the program`, () => assert.throws(() => segmentLoss(input(changes)), message));
}

const settings = (losses: Parameters<typeof ExperimentSpec.shape.losses.parse>[0]): LossSettings =>
  ExperimentSpec.shape.losses.parse(losses);

test('a switched-off term weighs nothing; a ramp raises the others from its start to its end', () => {
  const losses = settings({
    scribble: { weight: 2 },
    pseudoLabel: { enabled: false },
    lorm: { weight: 4, ramp: { start: 0.25, end: 0.75 } },
    classDistance: { ramp: { start: 0, end: 0 } },
    scribbleDistance: { ramp: { start: 0.5, end: 0.5 } },
  });
  const at = (step: number) => Object.values(termWeights(losses, step, 100));
  assert.equal(at(0), [2, 0, 0, 1, 0]);
  assert.equal(at(25), [2, 0, 0, 1, 0]);
  assert.equal(at(50), [2, 0, 1, 1, 2]);
  assert.equal(at(75), [2, 0, 1, 1, 4]);
});

test('LoRM of a batch without foreground is the mean square of the features; without any non-zero term it is 0', () => {
  const features = noise4([2, 3, 3, CHANNELS], 'features');
  const nothing = tf.zeros([2, 3, 3]);
  const square = Array.from(features.dataSync()).reduce((sum, value) => sum + value * value, 0) / features.size;
  assertNear(lormLoss(features, lorm(), nothing).dataSync(), [square], 'loss');
  const { value, grad } = tf.valueAndGrad((x) => lormLoss(x as Tensor4D, lorm(), nothing))(tf.zerosLike(features));
  assert.is(value.dataSync()[0], 0);
  assert.ok(grad.dataSync().every((slope) => slope === 0));
});

test('LoRM of features that are all 0 has a finite gradient, although their direction is undefined', () => {
  const { value, grad } = tf.valueAndGrad((x) => lormLoss(x as Tensor4D, lorm(), tf.ones([1, 3, 3])))(tf.zeros([1, 3, 3, CHANNELS]));
  assert.is(value.dataSync()[0], 0);
  assert.ok(grad.dataSync().every(Number.isFinite));
});

test('the foreground mask takes 255 for background', () => {
  const mask = foregroundMask(
    labels((pixel) => (pixel < 32 ? 255 : 2)),
    2,
    2,
  );
  assert.equal([...mask.dataSync()], [0, 0, 1, 1]);
});

test('LoRM and the mask make one tensor each and leave their inputs alone', () => {
  const [features, parameters, pseudoLabel] = [noise4([1, 3, 3, CHANNELS], 'features'), lorm(), labels((pixel) => pixel % 2)];
  const mask = foregroundMask(pseudoLabel, 3, 3);
  const before = [...features.dataSync()];
  assertTensorsKept(1, () => foregroundMask(pseudoLabel, 3, 3), 'mask');
  assertTensorsKept(1, () => tf.tidy(() => lormLoss(features, parameters, mask)), 'loss');
  assert.equal([...features.dataSync()], before);
});

test.run();
