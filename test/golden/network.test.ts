import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRandom } from '../../trainer-image/data/random.ts';
import { segmentLoss } from '../../trainer-image/losses/segment-loss.ts';
import { INFERENCE, type Mode } from '../../trainer-image/model/layers.ts';
import { createSegmentor, type Segmentor } from '../../trainer-image/model/segmentor.ts';
import type { NamedArrays } from '../../trainer-image/model/weights/elements.ts';
import { readSafetensors } from '../../trainer-image/model/weights/safetensors.ts';
import { tf, type Tensor } from '../../trainer-image/tf.ts';
import { gradientNorm, gradientsOf } from '../../trainer-image/training/gradients.ts';
import { Sgd } from '../../trainer-image/training/sgd.ts';
import { tensor4 } from '../trainer-image/tensors.ts';
import { assertClose, eachGoldenNetwork, largestDifference, type GoldenArray } from './golden.ts';

/** The setting in which the golden networks were trained. */
const TRAINING = { rate: 0.01, momentum: 0.9, weightDecay: 5e-4, labelSmoothing: 0.1, outputStride: 8 } as const;
const WEIGHTS = { scribble: 1, pseudoLabel: 1, scribbleDistance: 1, classDistance: 1, lorm: 1 };
const SEGMENTORS = { v2: 'deeplabv2', v3plus: 'deeplabv3plus' } as const;
/** Our names of the losses, and the golden files'. */
const TERMS = { scribble: 'segS', pseudoLabel: 'segC', scribbleDistance: 'dS', classDistance: 'dC', lorm: 'lorm' } as const;
type Measures = Readonly<Record<'segS' | 'segC' | 'dS' | 'dC' | 'lorm' | 'total' | 'gradientNorm', number>>;

interface GoldenNetwork extends Readonly<Record<'image' | 'scribble' | 'pseudoLabel' | 'scribbleDistance' | 'classDistance', GoldenArray>> {
  readonly classes: number;
  readonly baseWidth: number;
  readonly block: 'basic' | 'bottleneck';
  readonly blocks: [number, number, number, number];
  readonly segmentor: 'v2' | 'v3plus';
  readonly evaluation: { readonly features: GoldenArray; readonly logits: GoldenArray };
  readonly training: readonly Measures[];
  readonly afterTraining: { readonly logits: GoldenArray };
  readonly float32Deviation: {
    readonly total: readonly number[];
    readonly gradientNorm: readonly number[];
    readonly afterTrainingLogits: number;
  };
}

/** The golden network; the head's channels are those of its weights. */
function createNetwork(golden: GoldenNetwork, weights: NamedArrays): Segmentor {
  const { block, blocks, baseWidth, segmentor, classes } = golden;
  const outputs = (name: string) => weights.get(`${name}.conv.weight`)?.shape[0] ?? 0;
  const network = createSegmentor(
    {
      backbone: { block, blocks, baseWidth, outputStride: TRAINING.outputStride },
      outputStride: TRAINING.outputStride,
      segmentor: SEGMENTORS[segmentor],
      classes,
      lorm: true,
      head: { channels: outputs('project'), lowChannels: outputs('reduce'), dropout: 0 },
    },
    createRandom(0),
  );
  network.parameters.load(weights);
  return network;
}

/** The orders of the colour channels. */
const CHANNEL_ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** The same problem with the colour channels in another order: equal in mathematics, rounded differently from the first sum on. */
function reorderChannels(golden: GoldenNetwork, weights: NamedArrays, order: readonly number[]): [GoldenNetwork, NamedArrays] {
  const { shape, data } = golden.image;
  const image = { shape, data: data.map((_, i) => data[i - (i % 3) + order[i % 3]]) };
  const stem = weights.get('backbone.conv1.weight')!; // [out, in, k, k]
  const plane = stem.shape[2] * stem.shape[3];
  const moved = stem.data.map((_, i) => {
    const channel = Math.floor(i / plane) % 3;
    return stem.data[i + (order[channel] - channel) * plane];
  });
  return [{ ...golden, image }, new Map([...weights, ['backbone.conv1.weight', { shape: stem.shape, data: moved }]])];
}

/** Trains a network as the golden one was; returns what each step measured and the logits afterwards. */
function trainSteps(network: Segmentor, golden: GoldenNetwork): { steps: Measures[]; logits: Float32Array } {
  const labels = ({ data, shape }: GoldenArray) => tf.tensor(data, shape, 'int32');
  const image = tensor4(golden.image.data, golden.image.shape);
  const supervision = {
    scribble: labels(golden.scribble),
    pseudoLabel: labels(golden.pseudoLabel),
    scribbleDistance: labels(golden.scribbleDistance),
    classDistance: labels(golden.classDistance),
  };
  const trainable = network.parameters.trainable();
  const optimizer = new Sgd(trainable, TRAINING);
  const steps = golden.training.map((_, step) => {
    const mode: Mode = { training: true, frozenBatchNorm: false, statistics: new Map(), dropoutSeed: [0, step] };
    const terms: Record<string, number> = {};
    const { loss, gradients } = gradientsOf(() => {
      const { logits, features } = network.forward(image, mode);
      const size = [image.shape[1], image.shape[2]] as const;
      const { labelSmoothing } = TRAINING;
      const result = segmentLoss({ logits, features, size, supervision, weights: WEIGHTS, labelSmoothing, lorm: network.lorm });
      for (const [term, value] of result.terms) terms[TERMS[term]] = value.dataSync()[0];
      return result.total;
    }, trainable);
    const measures = { ...terms, total: loss.dataSync()[0], gradientNorm: gradientNorm(gradients) } as Measures;
    optimizer.step(gradients, TRAINING.rate);
    for (const [variable, value] of mode.statistics) variable.assign(value);
    tf.dispose([loss, ...gradients.values(), ...mode.statistics.values()] as Tensor[]);
    return measures;
  });
  return { steps, logits: network.forward(image, INFERENCE).logits.dataSync<'float32'>().slice() };
}

const relative = (actual: number, expected: number) => Math.abs(actual - expected) / Math.abs(expected);

/**
 * How far from float64 a step may be: FEW times the deviation that float32 has by then. `float32Deviation` is that of a single
 * run, which at some steps came out close by luck: batch norm over the two values of the pool branch multiplies the last bits
 * of its input by hundreds, five steps in a row, so that any change in the order of a sum gives other digits. Hence the deviation at
 * a step is taken to be the largest of three: the golden run's at this or an earlier step (errors grow); how far our own runs on the
 * same problem with reordered colour channels spread around their mean, which shows chaos but cannot excuse a wrong formula, since that
 * would move them all; and FLOOR, some roundings of float32.
 */
const FEW = 5;
const FLOOR = { loss: 1e-6, gradientNorm: 1e-5 };

function spreadOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.max(...values.map((value) => relative(value, mean)));
}

eachGoldenNetwork<GoldenNetwork>((name, golden, file) => {
  const weights = readSafetensors(file);
  const { float32Deviation: deviation } = golden;

  test(`${name}: the parameters have the golden names and shapes`, () => {
    const network = createNetwork(golden, weights);
    const shapes = (entries: Iterable<[string, readonly number[]]>) =>
      [...entries].map(([key, shape]) => `${key} ${shape.join('×')}`).sort();
    assert.equal(shapes(network.parameters.expected()), shapes([...weights].map(([key, { shape }]) => [key, shape])));
  });

  test(`${name}: features and logits of the evaluation`, () => {
    const network = createNetwork(golden, weights);
    const { features, logits } = network.forward(tensor4(golden.image.data, golden.image.shape), INFERENCE);
    assertClose(features.dataSync(), golden.evaluation.features.data, 'features', 1e-5);
    assertClose(logits.dataSync(), golden.evaluation.logits.data, 'logits', 1e-5);
  });

  test(`${name}: ${golden.training.length} training steps stay within a few times the float32 deviation`, () => {
    const runs = CHANNEL_ORDERS.map((order) => {
      const [problem, reordered] = reorderChannels(golden, weights, order);
      return trainSteps(createNetwork(problem, reordered), problem);
    });
    const [{ steps, logits }] = runs;
    let [loss, norm] = [FLOOR.loss, FLOOR.gradientNorm];
    steps.forEach((measures, step) => {
      const spread = (key: keyof Measures) => spreadOf(runs.map((run) => run.steps[step][key]));
      loss = Math.max(loss, deviation.total[step], spread('total'));
      norm = Math.max(norm, deviation.gradientNorm[step], spread('gradientNorm'));
      for (const key of ['segS', 'segC', 'dS', 'dC', 'lorm', 'total', 'gradientNorm'] as const) {
        const allowed = FEW * (key === 'gradientNorm' ? norm : Math.max(loss, spread(key)));
        const difference = relative(measures[key], golden.training[step][key]);
        assert.ok(
          difference <= allowed,
          `step ${step}, ${key}: off by ${difference.toExponential(1)}, at most ${allowed.toExponential(1)} is right`,
        );
      }
    });
    const difference = largestDifference(logits, golden.afterTraining.logits.data);
    assert.ok(difference <= FEW * deviation.afterTrainingLogits, `logits afterwards: off by ${difference.toExponential(1)}`);
  });
});

test.run();
