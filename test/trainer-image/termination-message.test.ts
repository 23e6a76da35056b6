import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageEvent, StageMetrics } from '../../operator/api/stage-contract.ts';
import { writeTerminationMessage } from '../../trainer-image/termination-message.ts';

const folder = mkdtempSync(join(tmpdir(), 'cdsp-termination-'));
test.after(() => rmSync(folder, { recursive: true }));

let count = 0;
/** What is in the file after these events; undefined where it was never written. */
function written(...events: StageEvent[]): unknown {
  const file = join(folder, String(count++));
  for (const event of events) writeTerminationMessage(file, event);
  try {
    const text = readFileSync(file, 'utf8');
    assert.ok(Buffer.byteLength(text) <= 4096, 'Kubernetes keeps no more');
    return JSON.parse(text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

test('the result is the last word of a stage that succeeds', () => {
  const progress: StageEvent = { type: 'progress', label: 'epoch 1/1', done: 1, total: 1, unit: 'step' };
  assert.is(written(progress), undefined);
  assert.equal(written(progress, { type: 'result', metrics: { meanIou: 0.5 } }), { result: { meanIou: 0.5 } });
});

test('an error keeps file and field, whatever the length of its message', () => {
  const error = { file: 'a.jpg', field: 'spec.dataset', message: 'ä'.repeat(9000) };
  const { error: kept } = written({ type: 'error', exitCode: 65, ...error }) as { error: typeof error };
  assert.equal([kept.file, kept.field], ['a.jpg', 'spec.dataset']);
  assert.match(kept.message, /^ä{1000,}…$/);
});

const CLASSES = 255;
const iou = Array.from({ length: CLASSES }, (_, k) => (k === 7 ? null : (k + 1) / 260));
const classes = Array.from({ length: CLASSES }, (_, k) => `class number ${k}`);
const fourDigits = iou.map((value) => (value === null ? null : Number(value.toPrecision(4))));
const datasetDigest = `sha256:${'a'.repeat(64)}`;
const important = { meanIou: 0.123456789, pixelAccuracy: 0.987654321, datasetDigest };

const sacrifices: [why: string, metrics: StageMetrics, kept: readonly string[]][] = [
  ['a few classes go with their names', { ...important, iou: [0.5, null], classes: ['a', 'b'] }, ['iou', 'classes']],
  ['of 255 classes every IoU is there, their names are not', { ...important, iou, classes, images: 3 }, ['iou', 'images']],
  ['what is long and less important goes next', { ...important, iou, classes, notes: 'x'.repeat(3000), images: 3 }, ['iou', 'images']],
  [
    'IoU that has no room at all leaves it to the others',
    { ...important, iou: Array.from({ length: 2000 }, () => 0.1234), images: 3 },
    ['images'],
  ],
  ['IoU comes before what is short', { ...important, iou, a: 'x'.repeat(1500), b: 'x'.repeat(1400) }, ['iou', 'b']],
];
for (const [why, metrics, kept] of sacrifices) {
  test(`of metrics that are too long, ${why}`, () => {
    const { result } = written({ type: 'result', metrics }) as { result: StageMetrics };
    assert.equal(new Set(Object.keys(result)), new Set([...Object.keys(important), ...kept]));
    const { meanIou, pixelAccuracy } = result;
    assert.equal({ meanIou, pixelAccuracy, datasetDigest: result.datasetDigest }, important, 'as they are');
    if (metrics.iou === iou) assert.equal(result.iou, fourDigits);
  });
}

test('even the names of file and field are bounded; of a path its end is told', () => {
  const error = { file: `/${'deep/'.repeat(2000)}a.jpg`, field: 'f'.repeat(5000), message: 'bad' };
  const { error: kept } = written({ type: 'error', exitCode: 65, ...error }) as { error: typeof error };
  assert.match(kept.file, /^….*deep\/a\.jpg$/);
  assert.is(kept.message, 'bad');
});

const longTexts: [why: string, letter: string][] = [
  ['letters of three bytes', '類'],
  ['letters of four bytes, which are two characters', '🐈'],
  ['signs that JSON writes as six', '\u0001'],
  ['halves of letters', '\ud83d'],
];
for (const [why, letter] of longTexts) {
  const long = letter.repeat(3000);
  test(`what is too long is cut by its bytes, between letters: ${why}`, () => {
    const { error } = written({ type: 'error', exitCode: 65, file: long, field: long, message: long }) as {
      error: Record<'file' | 'field' | 'message', string>;
    };
    for (const text of Object.values(error)) {
      assert.ok(text.length > 100, 'as much as there is room for is told');
      assert.ok(text.isWellFormed());
    }
    assert.match(error.message, /…$/);
    assert.match(error.file, /^…/);
  });

  test(`class names that are too long are left out, and the rest stays JSON: ${why}`, () => {
    const { result } = written({ type: 'result', metrics: { meanIou: 0.5, iou: [0.5], classes: [long] } }) as { result: StageMetrics };
    assert.equal(result, { meanIou: 0.5, iou: [0.5] });
  });
}

test('where the message cannot be written the stage goes on', () => {
  writeTerminationMessage(join(folder, 'no', 'such', 'folder'), { type: 'result', metrics: {} });
  assert.not(existsSync(join(folder, 'no')));
});

test.run();
