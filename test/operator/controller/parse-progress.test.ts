import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseProgress } from '../../../operator/controller/parse-progress.ts';

const KEY = '0123456789abcdef';
const parse = (fields: object, key = KEY) => parseProgress(JSON.stringify({ key: `${KEY}0000`, ...fields }), key);

test('an answer with everything in it', () => {
  const kept = {
    done: 3,
    total: 10,
    loss: 1.5,
    learningRate: 0.01,
    gradientNorm: 2,
    epoch: 1,
    imagesPerSecond: 4.5,
    meanIou: 0.6,
    iou: [0.9, null, 0.3],
    classes: ['background', 'cat', 'dog'],
  };
  const losses = [
    { name: 'scribble', value: 0.5 },
    { name: 'lorm', value: 0.25 },
  ];
  const others = { type: 'progress', label: 'epoch 2/10', unit: 'step' };
  assert.equal(parse({ ...others, ...kept, terms: { scribble: 0.5, lorm: 0.25 } }), { ...kept, losses });
});

test('a stage that has nothing to tell yet answers with its key alone', () => assert.is(parse({}), undefined));

test('what an image tells of its preparation is no progress of the stage', () => {
  assert.is(parse({ label: 'scenes', done: 299, total: 300, preparing: true }), undefined);
  for (const preparing of [false, null, 'yes']) assert.equal(parse({ done: 1, total: 3, preparing }), { done: 1, total: 3 });
});

const refused: [why: string, text: string][] = [
  ['no JSON', 'done: 3'],
  ['no object', '[]'],
  ['no key', '{"done": 3, "total": 10}'],
  ['the key of another stage', '{"key": "ff", "done": 3, "total": 10}'],
  ['a number that is none', `{"key": "${KEY}", "done": "3", "total": 10}`],
  ['a number without end', `{"key": "${KEY}", "done": 3, "total": 1e999}`],
  ['a negative number', `{"key": "${KEY}", "done": -3, "total": 10}`],
];
for (const [why, text] of refused) test(`refused: ${why}`, () => assert.throws(() => parseProgress(text, KEY)));

test('a pod without a key has no progress: every answer would fit', () => assert.throws(() => parse({ done: 1, total: 2 }, '')));

const leftOut: [why: string, fields: object][] = [
  ['a loss that is not finite, which JSON has no number for', { loss: null }],
  ['an mIoU above 1', { meanIou: 17 }],
  ['IoU without the names of the classes', { iou: [0.5] }],
  ['more names than IoU', { iou: [0.5], classes: ['cat', 'dog'] }],
  ['a name that occurs twice', { iou: [0.5, 0.6], classes: ['cat', 'cat'] }],
  ['more classes than a mask can have', { iou: Array(256).fill(0.5), classes: Array.from({ length: 256 }, (_, i) => `${i}`) }],
];
for (const [why, fields] of leftOut) {
  test(`left out, with the rest kept: ${why}`, () => assert.equal(parse({ done: 1, total: 2, ...fields }), { done: 1, total: 2 }));
}

test('names are cut and terms are counted, as a status holds no more', () => {
  const terms = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${String(i).padStart(2, '0')}${'x'.repeat(100)}`, i]));
  const losses = parse({ done: 1, total: 2, terms })?.losses ?? [];
  assert.equal([losses.length, losses[0].name.length], [16, 63]);
});

test('terms that are the same once they are cut are one', () => {
  const long = 'x'.repeat(63);
  assert.equal(parse({ done: 1, total: 2, terms: { [`${long}a`]: 1, [`${long}b`]: 2 } })?.losses, [{ name: long, value: 2 }]);
});

test.run();
