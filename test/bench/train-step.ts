// Times a training step against PyTorch: the same network from the same values on the same batch, the two taking turns in one run.
//   node test/bench/train-step.ts [--only NAME] [--threads 2] [--steps 5] [--rounds 4] [--channels-last]
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { NamedArray, NamedArrays } from '../../trainer-image/model/weights/elements.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '4' },
    'channels-last': { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const steps = Number(options.steps);
const rounds = Number(options.rounds);
// TensorFlow reads these when it loads, so it is imported after them.
process.env.TF_NUM_INTRAOP_THREADS = options.threads;
process.env.OMP_NUM_THREADS = options.threads;

const { ExperimentSpec } = await import('../../operator/api/experiment.ts');
const { createRandom } = await import('../../trainer-image/data/random.ts');
const { lormLoss } = await import('../../trainer-image/losses/lorm.ts');
const { crossEntropy, multiLabelCrossEntropy } = await import('../../trainer-image/losses/pixel-losses.ts');
const { efficientnetLite0 } = await import('../../trainer-image/model/efficientnet.ts');
const { resizeBilinear } = await import('../../trainer-image/model/layers.ts');
const { ParameterStore } = await import('../../trainer-image/model/parameters.ts');
const { resnetSettings } = await import('../../trainer-image/model/resnet.ts');
const { createSegmentor } = await import('../../trainer-image/model/segmentor.ts');
const { writeSafetensors } = await import('../../trainer-image/model/weights/safetensors.ts');
const { tf } = await import('../../trainer-image/tf.ts');
const { Sgd } = await import('../../trainer-image/training/sgd.ts');
const { trainStep } = await import('../../trainer-image/training/train.ts');
const { startPytorch } = await import('./pytorch.ts');
type Forward = Parameters<typeof trainStep>[0]['forward'];
type Store = InstanceType<typeof ParameterStore>;

const CLASSES = 21;
const RATE = 1e-3;
/** Share of the pixels under a scribble, as in ScribbleSup. */
const SCRIBBLED = 0.03;

interface Case {
  /** Initial values and batch, in PyTorch's layout. */
  readonly state: NamedArrays;
  /** One step; returns its loss. */
  readonly step: () => number;
}

const random = createRandom('train-step');

function floats(count: number): Float32Array {
  return Float32Array.from({ length: count }, () => 2 * random() - 1);
}

/** [B, H, W, C] → [B, C, H, W] */
function toTorch(data: Float32Array, [batch, height, width, channels]: readonly [number, number, number, number]): NamedArray {
  const result = new Float32Array(data.length);
  const area = height * width;
  for (let b = 0; b < batch; b++) {
    for (let p = 0; p < area; p++) {
      for (let c = 0; c < channels; c++) result[(b * channels + c) * area + p] = data[(b * area + p) * channels + c];
    }
  }
  return { shape: [batch, channels, height, width], data: result };
}

/** A step of the trainer itself: the same function that trains the stages. */
function trainerStep(parameters: Store, forward: Forward): () => number {
  const settings = { ...ExperimentSpec.shape.segment.parse(undefined), momentum: 0.9, weightDecay: 5e-4, freezeBatchNorm: false };
  const trainable = parameters.trainable();
  const optimizer = new Sgd(trainable, settings);
  const task = { parameters, settings, field: 'bench', forward };
  const batch = { step: 0, epoch: 0, ids: [], images: new Float32Array() };
  return () => trainStep(task, optimizer, trainable, batch, { totalSteps: 1, rate: RATE, dropoutSeed: [0, 0] }).loss;
}

function segmentation(backbone: ReturnType<typeof resnetSettings>, batch: number, size: number): Case {
  const net = createSegmentor({ backbone, outputStride: 8, segmentor: 'deeplabv2', classes: CLASSES, lorm: false }, random);
  const shape = [batch, size, size, 3] as const;
  const image = floats(batch * size * size * 3);
  const labels = Float32Array.from({ length: batch * size * size }, () => (random() < SCRIBBLED ? Math.floor(random() * CLASSES) : 255));
  return {
    state: new Map([
      ...net.parameters.export(),
      ['batch.image', toTorch(image, shape)],
      ['batch.labels', { shape: [batch, size, size], data: labels }],
    ]),
    step: trainerStep(net.parameters, (_batch, mode) => {
      const { logits } = net.forward(tf.tensor4d(image, [...shape]), mode);
      const scribble = tf.tensor(new Int32Array(labels), [batch, size, size], 'int32');
      return { total: crossEntropy(resizeBilinear(logits, size, size), scribble), terms: new Map() };
    }),
  };
}

function classification(outputStride: 16 | 32, batch: number, size: number): Case {
  const parameters = new ParameterStore(random);
  const backbone = efficientnetLite0(parameters.scope('backbone'), outputStride);
  const weight = parameters.linear('classifier.weight', backbone.channels, CLASSES - 1);
  const shape = [batch, size, size, 3] as const;
  const image = floats(batch * size * size * 3);
  const labels = Float32Array.from({ length: batch * (CLASSES - 1) }, () => (random() < 0.1 ? 1 : 0));
  return {
    state: new Map([
      ...parameters.export(),
      ['batch.image', toTorch(image, shape)],
      ['batch.labels', { shape: [batch, CLASSES - 1], data: labels }],
    ]),
    step: trainerStep(parameters, (_batch, mode) => {
      const { last } = backbone.forward(tf.tensor4d(image, [...shape]), mode);
      const logits = tf.matMul(tf.mean(last, [1, 2]), weight);
      return { total: multiLabelCrossEntropy(logits, tf.tensor2d(labels, [batch, CLASSES - 1])), terms: new Map() };
    }),
  };
}

/** LoRM alone, as a loss: forward and backward to the features and its parameters, no optimiser. */
function lorm(batch: number, side: number, channels: number): Case {
  const parameters = new ParameterStore(random);
  const module = {
    queryKernel: parameters.xavierConv('query.weight', channels, channels),
    queryBias: parameters.vector('query.bias', channels, 0),
    keyKernel: parameters.xavierConv('key.weight', channels, channels),
    keyBias: parameters.vector('key.bias', channels, 0),
    delta: parameters.vector('delta', 1, 1),
  };
  const shape = [batch, side, side, channels] as const;
  const data = floats(batch * side * side * channels).map((value) => Math.max(value, 0));
  const foreground = Float32Array.from({ length: batch * side * side }, () => (random() < 0.4 ? 1 : 0));
  const features = tf.variable(tf.tensor4d(data, [...shape]));
  const mask = tf.tensor3d(foreground, [batch, side, side]);
  return {
    state: new Map([
      ...parameters.export(),
      ['batch.features', toTorch(data, shape)],
      ['batch.mask', { shape: [batch, side, side], data: foreground }],
    ]),
    step() {
      const { value, grads } = tf.variableGrads(() => lormLoss(features, module, mask));
      const loss = value.dataSync()[0];
      tf.dispose([value, ...Object.values(grads)]);
      return loss;
    },
  };
}

interface Row {
  readonly name: string;
  readonly mode: string;
  /** The ratio that is to be reached. */
  readonly target: number;
  readonly make: () => Case;
}

const ROWS: readonly Row[] = [
  {
    name: 'ResNet-50 + DeepLabV2, 2×256²',
    mode: 'resnet50-deeplabv2',
    target: 1,
    make: () => segmentation(resnetSettings('resnet50', 8), 2, 256),
  },
  {
    name: 'small ResNet (18, width 32), 8×96²',
    mode: 'small-deeplabv2',
    target: 1.2,
    make: () => segmentation({ ...resnetSettings('resnet18', 8), baseWidth: 32 }, 8, 96),
  },
  { name: 'LoRM 41×41×512, batch 4', mode: 'lorm', target: 0.7, make: () => lorm(4, 41, 512) },
  { name: 'EfficientNet-Lite0 8×128², stride 32', mode: 'efficientnet-lite0-32', target: 1.2, make: () => classification(32, 8, 128) },
  { name: 'EfficientNet-Lite0 8×128², stride 16', mode: 'efficientnet-lite0-16', target: 1.2, make: () => classification(16, 8, 128) },
];
const WARM_UP = 3;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

async function compare(row: Row): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-bench-'));
  try {
    const { state, step } = row.make();
    const file = join(folder, 'state.safetensors');
    writeSafetensors(file, state);
    const pytorch = await startPytorch(row.mode, file, { threads, channelsLast: options['channels-last'] });
    const ours = () => {
      const start = performance.now();
      const loss = step();
      return { ms: performance.now() - start, loss };
    };
    const [here, there]: [{ ms: number; loss: number }[], { ms: number; loss: number }[]] = [[], []];
    for (let i = 0; i < WARM_UP; i++) here.push(ours());
    for (let i = 0; i < WARM_UP; i++) there.push(await pytorch.step());
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < steps; i++) here.push(ours());
      for (let i = 0; i < steps; i++) there.push(await pytorch.step());
    }
    pytorch.close();
    const [cdsp, torch] = [here, there].map((times) => times.slice(WARM_UP).map(({ ms }) => ms));
    const ratio = median(cdsp) / median(torch);
    const bestRatio = Math.min(...cdsp) / Math.min(...torch);
    // The first steps are compared: later ones drift apart with float32's order of summation.
    const difference = Math.max(...here.slice(0, WARM_UP).map(({ loss }, i) => Math.abs(loss / there[i].loss - 1)));
    const cells = [median(cdsp).toFixed(0), median(torch).toFixed(0), ratio.toFixed(2), bestRatio.toFixed(2), row.target.toFixed(1)];
    printRow(row.name, [...cells, difference.toExponential(0)]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function printRow(name: string, cells: readonly string[]): void {
  console.log(name.padEnd(38) + cells.map((cell) => cell.padStart(9)).join(''));
}

const [load] = loadavg();
if (load > 0.5)
  console.log(
    `the machine is busy (load ${load.toFixed(1)}), which slows PyTorch's threads more than TensorFlow's: do not trust the ratios`,
  );
console.log(`ms a step, ${threads} threads, medians of ${rounds} × ${steps} steps in turn; best: ratio of the fastest steps`);
console.log(`loss: largest relative difference in the first ${WARM_UP} steps`);
printRow('', ['cdsp', 'PyTorch', 'ratio', 'best', 'target', 'loss']);
for (const row of ROWS.filter(({ name, mode }) => `${name} ${mode}`.includes(options.only))) await compare(row);
