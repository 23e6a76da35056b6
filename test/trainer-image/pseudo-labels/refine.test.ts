import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { generateKernel } from '../../../trainer-image/pseudo-labels/generate-kernel.ts';
import { REFINEMENT_KERNEL } from '../../../trainer-image/pseudo-labels/refinement-kernel.ts';
import { createRefiner } from '../../../trainer-image/pseudo-labels/refine.ts';
import type { RefinementInput, RefinementSettings } from '../../../trainer-image/pseudo-labels/refine.ts';
import { layOut } from '../../../trainer-image/pseudo-labels/refinement-layout.ts';

const settings = (changes: Partial<RefinementSettings> = {}): RefinementSettings => ({
  iterations: 10,
  dilations: [1, 2, 4],
  fixScribbles: true,
  ...changes,
});

/** A picture of noisy stripes with activations that hold in part, and a few scribbles. */
function scene(
  width: number,
  height: number,
  classes: number,
  seed: number,
): RefinementInput & { scribble: NonNullable<RefinementInput['scribble']> } {
  const random = createRandom('scene', seed);
  const stripe = (i: number) => Math.floor(((i % width) / width) * (classes + 1));
  const pixels = width * height;
  const image = Uint8Array.from({ length: pixels * 3 }, (_, i) => 60 * stripe(Math.floor(i / 3)) + 15 * (i % 3) + 20 * random());
  const activations = Array.from({ length: classes }, (_, k) =>
    Float32Array.from({ length: pixels }, (_, i) => (stripe(i) === k + 1 ? 0.7 : 0.1) * random()),
  );
  const scribble = Uint8Array.from({ length: pixels }, (_, i) => (random() < 0.05 ? stripe(i) : 255));
  return {
    image: { width, height, data: image },
    activations,
    classIndices: activations.map((_, k) => k + 1),
    backgroundThreshold: 0.3,
    scribble: { width, height, data: scribble },
  };
}

/** The definition, pixel by pixel in float64, every class with a plane of its own. */
function refineNaively(input: RefinementInput, { iterations, dilations, fixScribbles }: RefinementSettings): number[][] {
  const { width, height, data } = input.image;
  const pixels = width * height;
  const clamp = (value: number, size: number) => Math.min(Math.max(value, 0), size - 1);
  const steps = dilations.flatMap((d) =>
    [-1, 0, 1].flatMap((dy) => [-1, 0, 1].flatMap((dx) => (dx === 0 && dy === 0 ? [] : [[dx * d, dy * d]]))),
  );
  const neighbours = Array.from({ length: pixels }, (_, i) =>
    steps.map(([dx, dy]) => clamp(Math.floor(i / width) + dy, height) * width + clamp((i % width) + dx, width)),
  );
  const softmax = (values: number[]) => {
    const max = Math.max(...values);
    const terms = values.map((value) => Math.exp(value - max));
    const sum = terms.reduce((a, b) => a + b);
    return terms.map((term) => term / sum);
  };
  const deviation = (values: number[]) => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  };
  const distances = steps.map(([dx, dy]) => Math.hypot(dx, dy));
  const prior = softmax(distances.map((distance) => -((distance / (0.3 * deviation(distances) + 1e-8)) ** 2)));
  const affinities = neighbours.map((js, i) => {
    const channels = [0, 1, 2].map((c) => {
      const sigma = deviation(js.map((j) => data[j * 3 + c]));
      // Without variation every neighbour has the same difference, which softmax cancels.
      return js.map((j) => (sigma === 0 ? 0 : ((data[j * 3 + c] - data[i * 3 + c]) / (0.3 * sigma + 1e-8)) ** 2));
    });
    return softmax(js.map((_, t) => -(channels[0][t] + channels[1][t] + channels[2][t]) / 3)).map((a, t) => (a + 0.01 * prior[t]) / 1.01);
  });
  const start = [new Float32Array(pixels).fill(input.backgroundThreshold), ...input.activations];
  let planes = start.map((plane) => Array.from(plane, (value, i) => value / start.reduce((sum, other) => sum + other[i], 0)));
  for (let iteration = 0; iteration < iterations; iteration++) {
    if (fixScribbles) {
      input.scribble?.data.forEach((classIndex, i) => {
        if (classIndex !== 255) planes.forEach((plane, k) => (plane[i] = classIndex === [0, ...input.classIndices][k] ? 1 : 0));
      });
    }
    planes = planes.map((plane) => neighbours.map((js, i) => js.reduce((sum, j, t) => sum + affinities[i][t] * plane[j], 0)));
  }
  return planes;
}

const cases: [string, number, number, number, Partial<RefinementSettings>][] = [
  ['one class, a row that is no multiple of 16', 21, 13, 1, {}],
  ['three classes', 33, 18, 3, {}],
  ['a row that is a multiple of 16', 32, 9, 2, {}],
  ['the default dilations on an image smaller than the largest', 20, 17, 1, { dilations: [1, 2, 4, 8, 12, 24] }],
  ['free scribbles', 18, 18, 2, { fixScribbles: false }],
  ['a single pixel', 1, 1, 1, {}],
  ['60 rounds', 16, 16, 2, { iterations: 60 }],
];
for (const [why, width, height, classes, changes] of cases) {
  test(`equals the definition in float64: ${why}`, () => {
    const input = scene(width, height, classes, 1);
    const expected = refineNaively(input, settings(changes));
    createRefiner(settings(changes))
      .probabilities(input)
      .forEach((plane, k) =>
        plane.forEach((value, i) => {
          assert.ok(Math.abs(value - expected[k][i]) < 2e-5, `plane ${k}, pixel ${i}: ${value} is not ${expected[k][i]}`);
        }),
      );
  });
}

test('a refiner gives the same bytes whatever it refined before, larger or smaller', () => {
  const refiner = createRefiner(settings());
  const [small, large] = [scene(10, 7, 1, 2), scene(40, 31, 3, 3)];
  const first = refiner.probabilities(large);
  refiner.probabilities(small);
  assert.equal(refiner.probabilities(large), first);
  assert.equal(refiner.probabilities(small), createRefiner(settings()).probabilities(small));
});

const sizes = fc.record({
  width: fc.integer({ min: 1, max: 40 }),
  height: fc.integer({ min: 1, max: 30 }),
  classes: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat(1000),
});

test('property: probabilities stay in [0, 1] and sum to 1', () => {
  fc.assert(
    fc.property(sizes, ({ width, height, classes, seed }) => {
      const planes = createRefiner(settings()).probabilities(scene(width, height, classes, seed));
      for (let i = 0; i < width * height; i++) {
        const values = planes.map((plane) => plane[i]);
        assert.ok(Math.abs(values.reduce((a, b) => a + b) - 1) < 1e-5);
        assert.ok(values.every((value) => value > -1e-5 && value < 1 + 1e-5));
      }
    }),
    { numRuns: 40, seed: 1 },
  );
});

test('property: every scribbled pixel keeps its class', () => {
  fc.assert(
    fc.property(sizes, ({ width, height, classes, seed }) => {
      const input = scene(width, height, classes, seed);
      const labels = createRefiner(settings()).labels(input);
      input.scribble.data.forEach((classIndex, i) => assert.ok(classIndex === 255 || labels.data[i] === classIndex));
    }),
    { numRuns: 40, seed: 1 },
  );
});

test('property: the order of the classes does not matter', () => {
  fc.assert(
    fc.property(sizes, ({ width, height, classes, seed }) => {
      const input = scene(width, height, classes, seed);
      const turned = { ...input, activations: input.activations.toReversed(), classIndices: input.classIndices.toReversed() };
      const refiner = createRefiner(settings());
      const [background, ...planes] = refiner.probabilities(input);
      const [otherBackground, ...otherPlanes] = refiner.probabilities(turned);
      assert.equal(otherPlanes.toReversed(), planes);
      otherBackground.forEach((value, i) => assert.ok(Math.abs(value - background[i]) < 1e-6));
    }),
    { numRuns: 20, seed: 1 },
  );
});

test('on an image of one colour, equal activations stay equal', () => {
  const input = scene(20, 20, 1, 4);
  const flat = { ...input, image: { ...input.image, data: new Uint8Array(1200).fill(90) }, activations: [new Float32Array(400).fill(0.3)] };
  const [background, plane] = createRefiner(settings({ fixScribbles: false })).probabilities(flat);
  for (const value of [...background, ...plane]) assert.ok(Math.abs(value - 0.5) < 1e-5);
});

test('a scribble fills its side of an edge and leaves the other to the background', () => {
  const [width, height] = [24, 24];
  const right = (i: number) => i % width >= 12;
  const image = { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (right(Math.floor(i / 3)) ? 200 : 40)) };
  const data = new Uint8Array(width * height).fill(255);
  data[10 * width + 18] = 3;
  data[10 * width + 5] = 0;
  const activations = [new Float32Array(width * height).fill(0.3)];
  const input = { image, activations, classIndices: [3], backgroundThreshold: 0.3, scribble: { width, height, data } };
  const labels = createRefiner(settings({ iterations: 40 })).labels(input);
  labels.data.forEach((label, i) => assert.is(label, right(i) ? 3 : 0, `pixel ${i}`));
});

test('an image without any class is background', () => {
  const { image } = scene(9, 5, 1, 5);
  const labels = createRefiner(settings()).labels({ image, activations: [], classIndices: [], backgroundThreshold: 0.3 });
  assert.equal(labels, { width: 9, height: 5, data: new Uint8Array(45), probability: new Float32Array(45).fill(1) });
});

test('a scribble of a class without activation is refused', () => {
  const input = scene(9, 5, 2, 6);
  input.scribble.data[0] = 7;
  assert.throws(() => createRefiner(settings()).labels(input), /the scribble holds class 7/);
});

test('an image that needs more than 4 GiB is refused with what to do', () => {
  assert.throws(
    () => layOut(6000, 4000, 48, 24, 1),
    (error: unknown) => error instanceof BadInputError && /use smaller images or fewer dilations/.test(error.message),
  );
});

test('refinement-kernel.ts is what refinement-kernel.wat gives', async () => {
  const base64 = [...(await generateKernel()).matchAll(/^ {2}'(.*)',$/gm)].map(([, line]) => line).join('');
  assert.is(base64, REFINEMENT_KERNEL, 'npm run generate');
});

test.run();
