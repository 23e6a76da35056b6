import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { createConfusion } from '../../../trainer-image/evaluation/confusion.ts';
import { labelsFromActivations } from '../../../trainer-image/pseudo-labels/labels.ts';
import { chooseThreshold, createThresholdScores, edgeHint } from '../../../trainer-image/pseudo-labels/threshold.ts';

const map = (data: number[]) => ({ width: data.length, height: 1, data: Uint8Array.from(data) });

test('the candidate that separates the scribbles is chosen', () => {
  const scores = createThresholdScores([0.2, 0.4, 0.6], 2);
  scores.add([Float32Array.from([0.3, 0.35, 0.5, 0.9, 0.1])], [1], map([0, 0, 1, 1, 255]));
  const choice = chooseThreshold(scores);
  assert.is(choice.threshold, 0.4);
  assert.is(choice.agreement, 1);
  assert.equal(
    choice.curve.map(({ threshold }) => threshold),
    [0.2, 0.4, 0.6],
  );
});

test('agreement is the mIoU of the plain label over the scribbled pixels', () => {
  const random = createRandom('threshold');
  const pixels = 500;
  const candidates = [0.1, 0.5, 0.9];
  const scores = createThresholdScores(candidates, 5);
  const confusions = candidates.map(() => createConfusion(5));
  for (let image = 0; image < 4; image++) {
    const classIndices = image % 2 ? [1, 3] : [2, 3, 4];
    const planes = classIndices.map(() => Float32Array.from({ length: pixels }, random));
    const scribble = map(Array.from({ length: pixels }, () => (random() < 0.3 ? [0, ...classIndices][Math.floor(random() * 3)] : 255)));
    scores.add(planes, classIndices, scribble);
    candidates.forEach((candidate, c) =>
      confusions[c].add(scribble.data, labelsFromActivations(planes, classIndices, candidate, pixels, 1).data),
    );
  }
  assert.equal(
    chooseThreshold(scores).curve.map(({ agreement }) => agreement),
    confusions.map((confusion) => confusion.meanIou()),
  );
});

test('counts of several images add up', () => {
  const scores = createThresholdScores([0.3, 0.6], 2);
  for (const scribble of [map([0, 1, 1]), map([0, 0, 1])]) scores.add([Float32Array.from([0.2, 0.5, 0.8])], [1], scribble);
  assert.equal([...scores.counts[0]], [2, 1, 0, 3]);
  assert.equal([...scores.counts[1]], [3, 0, 1, 2]);
});

test('of equals the first is chosen', () => {
  const scores = createThresholdScores([0.5, 0.4, 0.3], 2);
  scores.add([Float32Array.from([0.1, 0.9])], [1], map([0, 1]));
  assert.is(chooseThreshold(scores).threshold, 0.5);
});

test('without any scribble the first candidate is taken and the agreement is null', () => {
  const { threshold, agreement } = chooseThreshold(createThresholdScores([0.3, 0.4], 3));
  assert.equal([threshold, agreement], [0.3, null]);
});

const candidatesOf = (agreements: readonly (number | null)[]) =>
  agreements.map((agreement, index) => ({ threshold: (index + 2) / 10, agreement }));
const hints: [why: string, threshold: number, agreements: (number | null)[], hint: RegExp | undefined][] = [
  [
    'at the upper edge',
    0.4,
    [0.5, 0.6, 0.7],
    /^0\.4 is the highest candidate, and a higher one may agree better: widen spec\.pseudoLabels\.thresholdCandidates$/,
  ],
  ['at the lower edge', 0.2, [0.7, 0.6, 0.5], /^0\.2 is the lowest candidate, and a lower one/],
  ['in the middle', 0.3, [0.6, 0.7, 0.5], undefined],
  ['where all agree alike', 0.2, [0.6, 0.6, 0.6], undefined],
  ['where nothing is scribbled', 0.2, [null, null], undefined],
  ['of one candidate', 0.2, [0.6], undefined],
];
for (const [why, threshold, agreements, hint] of hints) {
  test(`${hint === undefined ? 'nothing is said of' : 'a hint is given for'} a choice ${why}`, () => {
    const said = edgeHint(threshold, candidatesOf(agreements));
    if (hint === undefined) assert.is(said, undefined);
    else assert.match(said ?? '', hint);
  });
}

test.run();
