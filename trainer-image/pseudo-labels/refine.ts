import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import type { PseudoLabelSettings } from '../../operator/api/experiment.ts';
import type { LabelMap, RgbImage } from '../data/types.ts';
import { paintScribbles } from './labels.ts';
import { layOut, replicateBorder, reserve } from './refinement-layout.ts';
import type { RefinementLayout } from './refinement-layout.ts';
import { createRefinementKernel } from './wasm.ts';
import type { RefinementKernel } from './wasm.ts';

/**
 * Pixel-adaptive refinement: class probabilities flow between pixels of alike colour until they follow the image's edges,
 * held fixed where a person has scribbled.
 *
 *   P ← A P,  A_ij = (softmax_j(−mean_c ((I_ic − I_jc) / (0.3 σ_ic))²) + 0.01 softmax_j(−(|i − j| / (0.3 σ))²)) / 1.01
 *
 * over the 8 neighbours j of pixel i at each dilation; σ_ic: standard deviation (unbiased) of channel c over these
 * neighbours, σ: that of their distances. The image continues beyond its border as its border pixels. A's rows sum to 1,
 * hence so do the probabilities, and the background's plane need not be computed: it is 1 − the others.
 */

export type RefinementSettings = Pick<PseudoLabelSettings['refinement'], 'iterations' | 'dilations' | 'fixScribbles'>;

export interface RefinementInput {
  readonly image: RgbImage;
  /** Normalised activations of the foreground classes in the image, a plane of height·width each. */
  readonly activations: readonly Float32Array[];
  /** The class of each plane, 1..K-1, rising. */
  readonly classIndices: readonly number[];
  readonly backgroundThreshold: number;
  /** Classes, 255 where nothing is annotated; foreground classes must be among classIndices. */
  readonly scribble?: LabelMap;
}

/** A class for every pixel, and how sure the refinement is of it. */
export interface RefinedLabels extends LabelMap {
  /** Probability of each pixel's class; 1 where a fixed scribble gave it. */
  readonly probability: Float32Array;
}

export interface Refiner {
  /** Refined probabilities [C + 1][H·W]: background, then the classes of the input. */
  probabilities(input: RefinementInput): Float32Array[];
  /** Pseudo-label: the most probable class, of equals the first; fixed scribbles are painted over it. */
  labels(input: RefinementInput): RefinedLabels;
}

const COLOUR_WIDTH = 0.3;
const DISTANCE_WIDTH = 0.3;
const DISTANCE_WEIGHT = 0.01;

/** A refiner keeps its memory from image to image: make one a thread. */
export function createRefiner(settings: RefinementSettings): Refiner {
  const kernel = createRefinementKernel();
  const probabilities = (input: RefinementInput) => refineProbabilities(kernel, input, settings);
  return {
    probabilities,
    labels: (input) => {
      const { width, height } = input.image;
      const labels = { width, height, ...mostProbable(probabilities(input), input.classIndices) };
      const { scribble } = input;
      if (!settings.fixScribbles || !scribble) return labels;
      const probability = labels.probability.map((value, i) => (scribble.data[i] === IGNORE_INDEX ? value : 1));
      return { ...paintScribbles(labels, scribble), probability };
    },
  };
}

function refineProbabilities(kernel: RefinementKernel, input: RefinementInput, settings: RefinementSettings): Float32Array[] {
  const { image, activations } = input;
  const pixels = image.width * image.height;
  if (activations.length === 0) return [new Float32Array(pixels).fill(1)];

  const neighbours = settings.dilations.flatMap((dilation) => NEIGHBOURS.map(([dx, dy]) => [dx * dilation, dy * dilation]));
  const taps = neighbours.length;
  const layout = layOut(image.width, image.height, taps, Math.max(...settings.dilations), activations.length);
  reserve(kernel.memory, layout);
  const floats = new Float32Array(kernel.memory.buffer);
  new Int32Array(kernel.memory.buffer, layout.offsets, taps).set(neighbours.map(([dx, dy]) => (dy * layout.stride + dx) * 4));
  floats.set(distancePrior(neighbours), layout.prior / 4);
  writeImage(floats, image, layout);
  const { blocks, height, offsets, prior } = layout;
  const [origin, stride, plane] = [layout.origin * 4, layout.stride * 4, layout.plane * 4];
  // The kernel divides by n (n − 1) times the variance.
  const weight = (-taps * (taps - 1)) / (3 * COLOUR_WIDTH ** 2);
  const share = 1 / (1 + DISTANCE_WEIGHT);
  kernel.affinities(layout.colours + origin, plane, stride, blocks, height, offsets, prior, taps, weight, share, layout.affinities);

  writeInitialProbabilities(floats, input, layout);
  const seeds = settings.fixScribbles && input.scribble ? findSeeds(input.scribble, input.classIndices, layout) : [];
  let [current, next] = [layout.current, layout.next];
  for (let iteration = 0; iteration < settings.iterations; iteration++) {
    activations.forEach((_, k) => {
      const start = current / 4 + k * layout.plane;
      const values = floats.subarray(start, start + layout.plane);
      for (const { plane: seeded, elements } of seeds) {
        const value = seeded === k ? 1 : 0;
        for (const element of elements) values[element] = value;
      }
      replicateBorder(values, layout);
    });
    kernel.diffuse(current + origin, next + origin, plane, activations.length, stride, blocks, height, offsets, taps, layout.affinities);
    [current, next] = [next, current];
  }
  return readProbabilities(floats, current / 4, activations.length, layout);
}

const NEIGHBOURS = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [dx, dy])).filter(([dx, dy]) => dx !== 0 || dy !== 0);

/** The distance term of the affinities, the same for every pixel; sums to 0.01 / 1.01. */
function distancePrior(neighbours: readonly number[][]): number[] {
  const distances = neighbours.map(([dx, dy]) => Math.hypot(dx, dy));
  const mean = distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
  const variance = distances.reduce((sum, distance) => sum + (distance - mean) ** 2, 0) / (distances.length - 1);
  const exponents = distances.map((distance) => -(distance ** 2) / (DISTANCE_WIDTH ** 2 * variance));
  const max = Math.max(...exponents);
  const terms = exponents.map((exponent) => Math.exp(exponent - max));
  const sum = terms.reduce((total, term) => total + term, 0);
  return terms.map((term) => ((term / sum) * DISTANCE_WEIGHT) / (1 + DISTANCE_WEIGHT));
}

function writeImage(floats: Float32Array, image: RgbImage, layout: RefinementLayout): void {
  for (let channel = 0; channel < 3; channel++) {
    const start = layout.colours / 4 + channel * layout.plane;
    const values = floats.subarray(start, start + layout.plane);
    for (let y = 0, from = channel; y < layout.height; y++) {
      const row = layout.origin + y * layout.stride;
      for (let x = 0; x < layout.width; x++, from += 3) values[row + x] = image.data[from];
    }
    replicateBorder(values, layout);
  }
}

/** [threshold, activations] divided by their sum. */
function writeInitialProbabilities(floats: Float32Array, input: RefinementInput, layout: RefinementLayout): void {
  const { width, height, stride, plane } = layout;
  for (let y = 0, i = 0; y < height; y++) {
    let element = layout.current / 4 + layout.origin + y * stride;
    for (let x = 0; x < width; x++, i++, element++) {
      let sum = input.backgroundThreshold;
      for (const activation of input.activations) sum += activation[i];
      input.activations.forEach((activation, k) => (floats[element + k * plane] = activation[i] / sum));
    }
  }
}

/** The scribbled pixels of each class as elements of a plane; plane -1 is the background. */
function findSeeds(scribble: LabelMap, classIndices: readonly number[], layout: RefinementLayout): { plane: number; elements: number[] }[] {
  const seeds = [0, ...classIndices].map((_, k) => ({ plane: k - 1, elements: [] as number[] }));
  const seedsOfClass = new Map([0, ...classIndices].map((classIndex, k) => [classIndex, seeds[k].elements]));
  scribble.data.forEach((classIndex, i) => {
    if (classIndex === IGNORE_INDEX) return;
    const elements = seedsOfClass.get(classIndex);
    if (!elements) throw new RangeError(`the scribble holds class ${classIndex}, of which there is no activation`);
    elements.push(layout.origin + Math.floor(i / layout.width) * layout.stride + (i % layout.width));
  });
  return seeds;
}

function readProbabilities(floats: Float32Array, start: number, classes: number, layout: RefinementLayout): Float32Array[] {
  const { width, height, stride } = layout;
  const background = new Float32Array(width * height).fill(1);
  const planes = Array.from({ length: classes }, (_, k) => {
    const plane = new Float32Array(width * height);
    for (let y = 0; y < height; y++) {
      const row = start + k * layout.plane + layout.origin + y * stride;
      plane.set(floats.subarray(row, row + width), y * width);
    }
    for (let i = 0; i < plane.length; i++) background[i] -= plane[i];
    return plane;
  });
  return [background, ...planes];
}

function mostProbable(
  probabilities: readonly Float32Array[],
  classIndices: readonly number[],
): Pick<RefinedLabels, 'data' | 'probability'> {
  const labels = new Uint8Array(probabilities[0].length);
  const best = probabilities[0].slice();
  classIndices.forEach((classIndex, k) => {
    const plane = probabilities[k + 1];
    for (let i = 0; i < labels.length; i++) {
      if (plane[i] > best[i]) {
        best[i] = plane[i];
        labels[i] = classIndex;
      }
    }
  });
  return { data: labels, probability: best };
}
