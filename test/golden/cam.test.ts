import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { labelsFromActivations, normalizeActivations, resizePlanes } from '../../trainer-image/pseudo-labels/labels.ts';
import { assertClose, eachGoldenCase, type GoldenArray } from './golden.ts';

interface CamCase {
  readonly features: GoldenArray;
  readonly classifierKernel: GoldenArray;
  readonly imageLabels: { readonly data: number[] };
  readonly backgroundThreshold: number;
  readonly activation: GoldenArray;
  readonly normalized: GoldenArray;
  readonly pseudoLabel: GoldenArray;
}

/** The planes [C][H·W] of an array H,W,C. */
const planesOf = ({ shape, data }: GoldenArray): Float32Array[] => {
  const channels = shape[shape.length - 1];
  return Array.from({ length: channels }, (_, c) =>
    Float32Array.from({ length: data.length / channels }, (_, i) => data[i * channels + c]),
  );
};

eachGoldenCase<CamCase>('cam.json', (golden, index) => {
  const [height, width] = golden.activation.shape;
  const [toHeight, toWidth] = golden.pseudoLabel.shape;
  const present = golden.imageLabels.data.flatMap((label, k) => (label ? [k] : []));
  const activations = planesOf(golden.activation);
  const normalised = normalizeActivations(
    resizePlanes(
      present.map((k) => activations[k]),
      width,
      height,
      toWidth,
      toHeight,
    ),
  );

  test(`cam case ${index}: activations of the classes present are resized and normalised`, () => {
    const expected = planesOf(golden.normalized);
    present.forEach((k, i) => assertClose(normalised[i], expected[k], `class ${k + 1}`, 2e-6));
    expected.forEach((plane, k) => assert.ok(present.includes(k) || plane.every((value) => value === 0), `class ${k + 1} is absent`));
  });

  test(`cam case ${index}: the pseudo-label is the same in every pixel`, () => {
    const labels = labelsFromActivations(
      normalised,
      present.map((k) => k + 1),
      golden.backgroundThreshold,
      toWidth,
      toHeight,
    );
    assert.equal([...labels.data], golden.pseudoLabel.data);
  });
});

test.run();
