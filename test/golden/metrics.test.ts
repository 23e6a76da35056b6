import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createConfusion } from '../../trainer-image/evaluation/confusion.ts';

interface Case {
  readonly classes: number;
  readonly truth: { data: number[] };
  readonly prediction: { data: number[] };
  readonly confusion: { data: number[] };
  readonly iou: (number | null)[];
  readonly meanIoU: number;
  readonly pixelAccuracy: number;
}

const folder = process.env.GOLDEN_DIR ?? '../shared/golden';
const { cases } = JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8')) as { cases: Case[] };

cases.forEach((golden, i) =>
  test(`metrics case ${i}: confusion exact, IoU, mIoU and pixel accuracy to 1e-12`, () => {
    const confusion = createConfusion(golden.classes);
    confusion.add(Uint8Array.from(golden.truth.data), Uint8Array.from(golden.prediction.data));
    assert.equal([...confusion.counts], golden.confusion.data);
    const close = (actual: number | null, expected: number | null) =>
      assert.ok(
        actual === expected || (actual !== null && expected !== null && Math.abs(actual - expected) < 1e-12),
        `${actual} is not ${expected}`,
      );
    confusion.iou().forEach((value, k) => close(value, golden.iou[k]));
    close(confusion.meanIou(), golden.meanIoU);
    close(confusion.pixelAccuracy(), golden.pixelAccuracy);
  }),
);

test.run();
