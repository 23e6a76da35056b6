import { attribute, execute, executeMany, tf, type Tensor, type Tensor4D, type Variable } from '../tf.ts';
import { convKernel, type ConvGeometry, type ConvKernel } from './convolution.ts';
import type { ParameterStore } from './parameters.ts';

/** Two numbers, so that neighbouring seeds of experiments share no step's mask. */
export type DropoutSeed = readonly [seed: number, step: number];

/** How a network is run: with or without batch statistics, and where their new running values go. */
export interface Mode {
  readonly training: boolean;
  /** Batch norm of the backbone stays as it is, even while training. */
  readonly frozenBatchNorm: boolean;
  /** New running statistics, kept; the optimiser's step assigns and disposes them. */
  readonly statistics: Map<Variable, Tensor>;
  /** Seed of this step's dropout: the run's own and the step. */
  readonly dropoutSeed: DropoutSeed;
}

/** Inference: running statistics, no dropout. */
export const INFERENCE: Mode = { training: false, frozenBatchNorm: true, statistics: new Map(), dropoutSeed: [0, 0] };

/** A layer: x [B, H, W, C] → [B, H', W', D]; a residual of the output's shape may be added before the activation. */
export type Layer = (x: Tensor4D, mode: Mode, residual?: Tensor4D) => Tensor4D;

export type Activation = 'relu' | 'relu6' | 'none';

const T = attribute.float32('T');
const ACTIVATIONS = {
  relu: { forward: 'Relu', gradient: 'ReluGrad' },
  relu6: { forward: 'Relu6', gradient: 'Relu6Grad' },
} as const;

export interface ConvSettings extends Partial<ConvGeometry> {
  /** Taps on a side. */
  readonly size: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly depthwise?: boolean;
  /** The layer's input is the image: nothing asks for its gradient. */
  readonly readsImage?: boolean;
}

export interface BatchNormSettings {
  readonly epsilon: number;
  /** PyTorch's momentum: the share of the new value. */
  readonly momentum: number;
}

/** torchvision's batch norm. */
const TORCH_BATCH_NORM: BatchNormSettings = { epsilon: 1e-5, momentum: 0.1 };

function geometryOf(settings: ConvSettings): ConvGeometry {
  const { size, stride = 1, dilation = 1 } = settings;
  return { stride, dilation, padding: settings.padding ?? Math.floor(size / 2) * dilation };
}

function normAttributes({ epsilon, momentum }: BatchNormSettings, training: boolean) {
  const shared = [
    T,
    attribute.float32('U'),
    attribute.float('epsilon', epsilon),
    attribute.text('data_format', 'NHWC'),
    attribute.bool('is_training', training),
  ];
  return { forward: [...shared, attribute.float('exponential_avg_factor', training ? momentum : 1)], gradient: shared };
}

/**
 * Convolution (no bias) → batch norm → (+ residual) → activation as one node of the gradient tape. tfjs would compose batch
 * norm and ReLU's gradient from many small kernels; here each is one of TensorFlow's own.
 * `group` decides whether `mode.frozenBatchNorm` applies: it freezes the backbone, not the head.
 */
export function convBatchNorm(
  store: ParameterStore,
  names: { conv: string; norm: string },
  settings: ConvSettings & { activation: Activation; norm?: BatchNormSettings; group: 'backbone' | 'head' },
): Layer {
  const kernel = convKernel(settings.size, geometryOf(settings), settings.depthwise);
  const weight =
    settings.group === 'head' ? store.headConv(`${names.conv}.weight`, settings) : store.conv(`${names.conv}.weight`, settings);
  const norm = store.batchNorm(names.norm, settings.outputs);
  const batchNorm = settings.norm ?? TORCH_BATCH_NORM;
  const attributes = { training: normAttributes(batchNorm, true), inference: normAttributes(batchNorm, false) };
  const activation = settings.activation === 'none' ? undefined : ACTIVATIONS[settings.activation];

  return (x, mode, residual) => {
    const training = mode.training && !(mode.frozenBatchNorm && settings.group === 'backbone');
    const { forward, gradient } = training ? attributes.training : attributes.inference;
    const operation = tf.customGrad((...args: unknown[]) => {
      const save = args.pop() as (tensors: Tensor[]) => void;
      const [w, scale, offset, input = x, added] = args as Tensor[];
      const convolved = kernel.forward(input, w);
      const [normed, mean, variance, ...reserved] = executeMany(
        'FusedBatchNormV3',
        forward,
        [convolved, scale, offset, norm.mean, norm.variance],
        6,
      );
      if (training) {
        replace(mode.statistics, norm.mean, mean);
        replace(mode.statistics, norm.variance, variance);
      }
      const sum = added === undefined ? normed : execute('AddV2', [T], [normed, added]);
      const value = activation === undefined ? sum : execute(activation.forward, [T], [sum]);
      const reserve = training ? reserved : [norm.mean, norm.variance, reserved[2]];
      save([input, w, scale, convolved, ...reserve, ...(activation === undefined ? [] : [value])]);
      const gradFunc = (dy: Tensor, saved: Tensor[]) => {
        const [xSaved, wSaved, scaleSaved, convolvedSaved, r1, r2, r3, output] = saved as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
          Tensor,
        ];
        const dSum = activation === undefined ? dy : execute(activation.gradient, [T], [dy, output]);
        const [dConvolved, dScale, dOffset] = executeMany(
          'FusedBatchNormGradV3',
          gradient,
          [dSum, convolvedSaved, scaleSaved, r1, r2, r3],
          5,
        );
        const gradients = [kernel.kernelGradient(xSaved, wSaved, dConvolved), dScale, dOffset];
        if (settings.readsImage !== true) gradients.push(kernel.inputGradient(xSaved, wSaved, dConvolved));
        // With no activation dSum is dy itself, which tfjs may dispose: the residual's gradient is then a tensor of its own.
        return added === undefined ? gradients : [...gradients, activation === undefined ? tf.clone(dSum) : dSum];
      };
      return { value, gradFunc };
    });
    const inputs = [weight, norm.scale, norm.offset, ...(settings.readsImage ? [] : [x]), ...(residual === undefined ? [] : [residual])];
    return operation(...inputs) as Tensor4D;
  };
}

function replace(statistics: Map<Variable, Tensor>, variable: Variable, next: Tensor): void {
  statistics.get(variable)?.dispose();
  statistics.set(variable, tf.keep(next));
}

/** A convolution alone, with its gradients. x [B, H, W, C], weight [k, k, C, D] → [B, H', W', D]. */
export function conv2d(x: Tensor4D, weight: Tensor, kernel: ConvKernel): Tensor4D {
  const operation = tf.customGrad((...args: unknown[]) => {
    const [input, w, save] = args as [Tensor, Tensor, (tensors: Tensor[]) => void];
    save([input, w]);
    return {
      value: kernel.forward(input, w),
      gradFunc: (dy: Tensor, saved: Tensor[]) => [
        kernel.inputGradient(saved[0], saved[1], dy),
        kernel.kernelGradient(saved[0], saved[1], dy),
      ],
    };
  });
  return operation(x, weight);
}

/** 1×1 convolution with bias: the last layer of DeepLabV3+. */
export function convBias(store: ParameterStore, name: string, settings: { inputs: number; outputs: number }): Layer {
  const kernel = convKernel(1, { stride: 1, dilation: 1, padding: 0 });
  const weight = store.headConv(`${name}.weight`, { size: 1, ...settings });
  const bias = store.vector(`${name}.bias`, settings.outputs, 0);
  return (x) => tf.add(conv2d(x, weight, kernel), bias);
}

const RESIZE = [T, attribute.bool('align_corners', true), attribute.bool('half_pixel_centers', false)];

/** Bilinear resize with aligned corners. [B, H, W, C] → [B, height, width, C]. */
export function resizeBilinear(x: Tensor4D, height: number, width: number): Tensor4D {
  if (x.shape[1] === height && x.shape[2] === width) return x;
  const operation = tf.customGrad((...args: unknown[]) => {
    const [input, save] = args as [Tensor, (tensors: Tensor[]) => void];
    save([input]);
    const value = tf.tidy(() => execute('ResizeBilinear', RESIZE, [input, tf.tensor1d([height, width], 'int32')]));
    return { value, gradFunc: (dy: Tensor, saved: Tensor[]) => execute('ResizeBilinearGrad', RESIZE, [dy, saved[0]]) };
  });
  return operation(x) as Tensor4D;
}

/** One pixel for every position: [B, 1, 1, C] → [B, height, width, C]. tfjs would add up its gradient position by position. */
export function spread(x: Tensor4D, height: number, width: number): Tensor4D {
  const operation = tf.customGrad((...args: unknown[]) => {
    const [input] = args as [Tensor4D];
    const value = tf.broadcastTo(input, [input.shape[0], height, width, input.shape[3]]);
    return { value, gradFunc: (dy: Tensor) => tf.sum(dy, [1, 2], true) };
  });
  return operation(x) as Tensor4D;
}

/**
 * Runs layers one after the other. Outside training each map between them is given back as soon as the next one is there: a deep
 * network would else hold every feature map of an image until its end, gigabytes at several scales. `x` stays the caller's.
 */
export function runInTurn(layers: readonly Layer[], x: Tensor4D, mode: Mode): Tensor4D {
  if (mode.training) return layers.reduce((input, layer) => layer(input, mode), x);
  let current = x;
  for (const layer of layers) {
    const next = tf.tidy(() => layer(current, mode));
    if (current !== x) current.dispose();
    current = next;
  }
  return current;
}
