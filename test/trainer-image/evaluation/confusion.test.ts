import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConfusion } from '../../../trainer-image/evaluation/confusion.ts';

const confusionOf = (classes: number, truth: number[], prediction: number[]) => {
  const confusion = createConfusion(classes);
  confusion.add(Uint8Array.from(truth), Uint8Array.from(prediction));
  return confusion;
};

test('IoU is the overlap over the union', () => {
  assert.equal(confusionOf(2, [0, 0, 1, 1], [0, 1, 1, 1]).iou(), [1 / 2, 2 / 3]);
});

test('pixels whose truth is 255 are left out, whatever the prediction', () => {
  const confusion = confusionOf(2, [0, 255, 255, 1], [0, 0, 1, 1]);
  assert.equal([...confusion.counts], [1, 0, 0, 1]);
  assert.is(confusion.pixelAccuracy(), 1);
});

test('a class in neither truth nor prediction has no IoU and is left out of the mean', () => {
  const confusion = confusionOf(3, [0, 0, 2], [0, 0, 0]);
  assert.equal(confusion.iou(), [2 / 3, null, 0]);
  assert.is(confusion.meanIou(), 1 / 3);
});

test('a class that is predicted but never true counts as 0', () => {
  assert.equal(confusionOf(2, [0, 0], [0, 1]).iou(), [1 / 2, 0]);
});

test('without any pixel the means are null, not NaN', () => {
  const confusion = confusionOf(2, [255], [0]);
  assert.equal([confusion.meanIou(), confusion.pixelAccuracy()], [null, null]);
});

test('a pixel that a pseudo-label leaves open (255) is missed by its class and wrong for no other', () => {
  const confusion = confusionOf(2, [0, 0, 1, 1], [0, 255, 1, 1]);
  assert.equal(confusion.iou(), [1 / 2, 1]);
  assert.is(confusion.pixelAccuracy(), 3 / 4);
});

test('images accumulate, and merging threads equals counting in one', () => {
  const whole = confusionOf(2, [0, 1, 1, 0], [0, 1, 0, 0]);
  const merged = confusionOf(2, [0, 1], [0, 1]);
  merged.merge(confusionOf(2, [1, 0], [0, 0]));
  assert.equal([...merged.counts], [...whole.counts]);
});

const refusals: [string, number[], number[], RegExp][] = [
  ['a prediction beyond the classes', [0], [2], /pixel 0: truth 0, prediction 2/],
  ['a truth beyond the classes', [7], [0], /truth 7/],
  ['maps of different sizes', [0, 1], [0], /2 pixels of truth, 1 of prediction/],
];
for (const [why, truth, prediction, message] of refusals) {
  test(`${why} is refused`, () => assert.throws(() => confusionOf(2, truth, prediction), message));
}

test.run();
