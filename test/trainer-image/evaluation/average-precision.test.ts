import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { averagePrecision, meanAveragePrecision } from '../../../trainer-image/evaluation/average-precision.ts';

const cases: [why: string, scores: number[], labels: number[], expected: number | null][] = [
  ['is 1 when all positives come first', [0.9, 0.8, 0.1], [1, 1, 0], 1],
  ['takes the precision at each positive', [0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], (1 + 2 / 3) / 2],
  ['treats equal scores as one level', [0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 1 / 4],
  ['is null without a positive', [0.3, 0.4], [0, 0], null],
];
for (const [why, scores, labels, expected] of cases) {
  test(`average precision ${why}`, () => {
    const found = averagePrecision(scores, labels);
    if (expected === null) assert.is(found, null);
    else assert.ok(found !== null && Math.abs(found - expected) < 1e-12, `${found} instead of ${expected}`);
  });
}

test('does not depend on the order of the examples', () => {
  const example = fc.record({ score: fc.integer({ min: 0, max: 4 }), label: fc.integer({ min: 0, max: 1 }) });
  fc.assert(
    fc.property(fc.array(example, { minLength: 1, maxLength: 12 }), (examples) => {
      const of = (list: typeof examples) =>
        averagePrecision(
          list.map(({ score }) => score),
          list.map(({ label }) => label),
        );
      const [forward, backward] = [of(examples), of([...examples].reverse())];
      assert.ok(forward === backward || Math.abs((forward ?? 0) - (backward ?? 0)) < 1e-12);
    }),
  );
});

test('the mean leaves out classes that never occur', () => {
  assert.is(
    meanAveragePrecision(
      [
        [0.9, 0.1],
        [0.2, 0.3],
      ],
      [
        [1, 0],
        [0, 0],
      ],
    ),
    1,
  );
  assert.is(meanAveragePrecision([], []), null);
});

test.run();
