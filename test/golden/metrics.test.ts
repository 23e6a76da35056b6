import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConfusion } from '../../trainer-image/evaluation/confusion.ts';
import { assertCloseNumbers, eachGoldenCase } from './golden.ts';

interface Case {
  readonly classes: number;
  readonly truth: { readonly data: number[] };
  readonly prediction: { readonly data: number[] };
  readonly confusion: { readonly data: number[] };
  readonly iou: (number | null)[];
  readonly meanIoU: number;
  readonly pixelAccuracy: number;
}

function assertSame(actual: number | null, expected: number | null, what: string): void {
  if (actual === null || expected === null) assert.is(actual, expected, what);
  else assertCloseNumbers(actual, expected, what, 1e-12);
}

eachGoldenCase<Case>('metrics.json', (golden, index) =>
  test(`metrics case ${index}: confusion exact, IoU, mIoU and pixel accuracy to 1e-12`, () => {
    const confusion = createConfusion(golden.classes);
    confusion.add(Uint8Array.from(golden.truth.data), Uint8Array.from(golden.prediction.data));
    assert.equal([...confusion.counts], golden.confusion.data);
    confusion.iou().forEach((value, k) => assertSame(value, golden.iou[k], `IoU of class ${k}`));
    assertSame(confusion.meanIou(), golden.meanIoU, 'mIoU');
    assertSame(confusion.pixelAccuracy(), golden.pixelAccuracy, 'pixel accuracy');
  }),
);

test.run();
