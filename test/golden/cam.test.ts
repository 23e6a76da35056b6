import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { labelsFromActivations, normalizeActivations, resizePlanes } from '../../trainer-image/pseudo-labels/labels.ts';

interface Tensor {
  readonly shape: number[];
  readonly data: number[];
}
interface CamCase {
  readonly imageLabels: { data: number[] };
  readonly backgroundThreshold: number;
  readonly activation: Tensor;
  readonly normalized: Tensor;
  readonly pseudoLabel: Tensor;
}
interface ResizeCase {
  readonly input: Tensor;
  readonly size: [number, number];
  readonly output: Tensor;
}

const folder = process.env.GOLDEN_DIR ?? '../shared/golden';
const read = <Case>(name: string) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { cases: Case[] }).cases;

/** The planes [C][H·W] of an array H,W,C. */
const planesOf = ({ shape, data }: Tensor): Float32Array[] => {
  const channels = shape[shape.length - 1];
  return Array.from({ length: channels }, (_, c) =>
    Float32Array.from({ length: data.length / channels }, (_, i) => data[i * channels + c]),
  );
};

function assertClose(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  assert.is(actual.length, expected.length);
  actual.forEach((value, i) => {
    const error = Math.abs(value - expected[i]);
    assert.ok(error <= tolerance * Math.max(1, Math.abs(expected[i])), `value ${i}: ${value} is not ${expected[i]}`);
  });
}

read<CamCase>('cam.json').forEach((golden, index) => {
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
    present.forEach((k, i) => assertClose(normalised[i], expected[k], 1e-6));
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

read<ResizeCase>('resize.json').forEach(({ input, size: [toHeight, toWidth], output }, index) =>
  test(`resize case ${index}: ${input.shape.slice(1, 3).join(' x ')} to ${toHeight} x ${toWidth}`, () => {
    const resized = resizePlanes(planesOf(input), input.shape[2], input.shape[1], toWidth, toHeight);
    const expected = planesOf(output);
    resized.forEach((plane, c) => assertClose(plane, expected[c], 1e-6));
  }),
);

test.run();
