import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderBar, renderLine, type StageProgress } from '../../../../operator/cli/progress/bar.ts';
import { printable } from '../../../../operator/cli/progress/format.ts';
import { coloured, plain } from '../../../../operator/cli/style.ts';

const progress: StageProgress = {
  stage: 'segment',
  label: 'epoch 3/10',
  done: 312,
  total: 1000,
  unit: 'step',
  loss: 1.23456,
  terms: { scribble: 0.41, pseudoLabel: 0.62 },
  meanIou: 0.4523,
  rate: 3.42,
  secondsLeft: 201,
};

const widths: readonly (readonly [why: string, columns: number, expected: string])[] = [
  [
    'a wide terminal shows everything',
    150,
    'segment      ███████░░░░░░░░░░░░░░░░░  epoch 3/10   312/1000  loss 1.235  scribble 0.41 pseudoLabel 0.62  mIoU 45.2 %  3.4 steps/s  3:21 left',
  ],
  [
    'at 110 columns the terms give way first',
    110,
    'segment      ███████░░░░░░░░░░░░░░░░░  epoch 3/10   312/1000  loss 1.235  mIoU 45.2 %  3.4 steps/s  3:21 left',
  ],
  ['at 80 columns counts and rate do, too', 80, 'segment      ████░░░░░░░░  epoch 3/10  loss 1.235  mIoU 45.2 %  3:21 left'],
  ['at 40 columns loss and time left stay', 40, 'segment ██░░░░░░  loss 1.235  3:21 left'],
  ['at 30 columns the time left stays', 30, 'segment ██░░░░░░  3:21 left'],
  ['at 10 columns there is the name', 10, 'segment'],
];
for (const [why, columns, expected] of widths) test(why, () => assert.is(renderBar(progress, columns, plain), expected));

test('no bar is as wide as the terminal, whatever there is to show', () => {
  const numbers = fc.double({ noDefaultInfinity: true });
  const states = fc.record({
    stage: fc.constantFrom('classify', 'pseudo-label', 'segment', 'evaluate'),
    label: fc.string({ maxLength: 60 }),
    done: fc.nat(100000),
    total: fc.nat(100000),
    unit: fc.constantFrom('step', 'image'),
    loss: fc.option(numbers, { nil: undefined }),
    meanIou: fc.option(fc.double({ min: 0, max: 1 }), { nil: undefined }),
    rate: fc.double({ min: 0, max: 1e6 }),
    secondsLeft: fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }), { nil: undefined }),
  });
  fc.assert(
    fc.property(states, fc.integer({ min: 2, max: 250 }), (state, columns) => {
      const line = printable(renderBar(state, columns, coloured));
      assert.ok(line.length < columns, `${line.length} of ${columns}: ${line}`);
      assert.not.match(line, /\n/);
    }),
  );
});

test('colours add codes only', () => {
  assert.is(printable(renderBar(progress, 100, coloured)), renderBar(progress, 100, plain));
  assert.is.not(renderBar(progress, 100, coloured), renderBar(progress, 100, plain));
});

test('more done than expected is a full bar', () => {
  assert.match(renderBar({ ...progress, done: 1200 }, 40, plain), /█{8} {2}/);
});

test('a log line is a sentence', () => {
  assert.is(
    renderLine(progress),
    'segment: 31 %, epoch 3/10, 312/1000, loss 1.235, scribble 0.41 pseudoLabel 0.62, mIoU 45.2 %, 3.4 steps/s, 3:21 left',
  );
});

test('a log line about preparation tells no share of the stage', () => {
  const preparing = { ...progress, label: 'scenes', done: 288, total: 300, unit: 'image', preparing: true };
  assert.match(renderLine(preparing), /^segment: preparing, scenes, 288\/300, /);
  assert.not.match(renderLine(preparing), '96 %');
});

test.run();
