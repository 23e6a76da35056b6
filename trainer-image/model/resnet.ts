import type { Tensor4D } from '../tf.ts';
import { convBatchNorm, runInTurn, type Layer, type Mode } from './layers.ts';
import type { ParameterStore } from './parameters.ts';
import { maxPool } from './pooling.ts';

/**
 * torchvision's ResNet with dilated last stages (Yu & Koltun 2016), as DeepLab uses it.
 * Output stride 8: strides 1, 2, 1, 1 of the four stages, dilation 2 in layer3, multi-grid 4, 8, 16 in layer4 (one per block).
 * Output stride 16: strides 1, 2, 2, 1, multi-grid 2, 4, 8.
 */
export interface ResnetSettings {
  readonly block: 'basic' | 'bottleneck';
  /** Blocks in layer1 to layer4. */
  readonly blocks: readonly [number, number, number, number];
  /** Channels of the stem; 64 in every published ResNet. */
  readonly baseWidth: number;
  readonly outputStride: 8 | 16;
}

/** What a backbone gives: its last feature map and the one at stride 4 that DeepLabV3+ refines with. */
export interface Features {
  /** [B, H / output stride, W / output stride, C] */
  readonly last: Tensor4D;
  /** [B, H / 4, W / 4, C'] */
  readonly low: Tensor4D;
}

export interface Backbone {
  readonly channels: number;
  readonly lowChannels: number;
  forward(image: Tensor4D, mode: Mode): Features;
}

const DEPTHS = {
  resnet18: { block: 'basic', blocks: [2, 2, 2, 2] },
  resnet34: { block: 'basic', blocks: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', blocks: [3, 4, 6, 3] },
  resnet101: { block: 'bottleneck', blocks: [3, 4, 23, 3] },
  resnet152: { block: 'bottleneck', blocks: [3, 8, 36, 3] },
} as const;

/** The published ResNet of a name. */
export function resnetSettings(name: keyof typeof DEPTHS, outputStride: 8 | 16): ResnetSettings {
  return { ...DEPTHS[name], baseWidth: 64, outputStride };
}

const MULTI_GRID = [1, 2, 4];
const STAGES = {
  8: { strides: [1, 2, 1, 1], dilations: [1, 1, 2, 4] },
  16: { strides: [1, 2, 2, 1], dilations: [1, 1, 1, 2] },
} as const;

interface BlockSettings {
  readonly inputs: number;
  readonly width: number;
  readonly outputs: number;
  readonly stride: number;
  readonly dilation: number;
}

function shortcut(store: ParameterStore, { inputs, outputs, stride }: BlockSettings): Layer | undefined {
  if (inputs === outputs && stride === 1) return undefined;
  const names = { conv: 'downsample.0', norm: 'downsample.1' };
  return convBatchNorm(store, names, { size: 1, inputs, outputs, stride, activation: 'none', group: 'backbone' });
}

/** Two 3×3 convolutions (ResNet-18, -34). */
function basicBlock(store: ParameterStore, settings: BlockSettings): Layer {
  const { inputs, width, stride, dilation } = settings;
  const shared = { size: 3, dilation, activation: 'relu', group: 'backbone' } as const;
  const first = convBatchNorm(store, { conv: 'conv1', norm: 'bn1' }, { ...shared, inputs, outputs: width, stride });
  const second = convBatchNorm(store, { conv: 'conv2', norm: 'bn2' }, { ...shared, inputs: width, outputs: width });
  const identity = shortcut(store, settings);
  return (x, mode) => second(first(x, mode), mode, identity?.(x, mode) ?? x);
}

/** 1×1, 3×3 (with the stride), 1×1 to four times the width (ResNet-50 and deeper). */
function bottleneckBlock(store: ParameterStore, settings: BlockSettings): Layer {
  const { inputs, width, outputs, stride, dilation } = settings;
  const shared = { activation: 'relu', group: 'backbone' } as const;
  const first = convBatchNorm(store, { conv: 'conv1', norm: 'bn1' }, { ...shared, size: 1, inputs, outputs: width });
  const second = convBatchNorm(
    store,
    { conv: 'conv2', norm: 'bn2' },
    { ...shared, size: 3, inputs: width, outputs: width, stride, dilation },
  );
  const third = convBatchNorm(store, { conv: 'conv3', norm: 'bn3' }, { ...shared, size: 1, inputs: width, outputs });
  const identity = shortcut(store, settings);
  return (x, mode) => third(second(first(x, mode), mode), mode, identity?.(x, mode) ?? x);
}

/** Declares a ResNet's parameters (torchvision's names) in `store` and returns the network. */
export function resnet(store: ParameterStore, settings: ResnetSettings): Backbone {
  const { baseWidth, blocks, outputStride } = settings;
  const { strides, dilations } = STAGES[outputStride];
  const [makeBlock, expansion] = settings.block === 'basic' ? [basicBlock, 1] : [bottleneckBlock, 4];
  const stem = convBatchNorm(
    store,
    { conv: 'conv1', norm: 'bn1' },
    { size: 7, inputs: 3, outputs: baseWidth, stride: 2, activation: 'relu', group: 'backbone', readsImage: true },
  );
  let inputs = baseWidth;
  const stages = blocks.map((count, stage) => {
    const width = baseWidth * 2 ** stage;
    return Array.from({ length: count }, (_, index) => {
      const isFirst = index === 0;
      const grid = stage === 3 ? (MULTI_GRID[index % MULTI_GRID.length] ?? 1) : 1;
      const block = makeBlock(store.scope(`layer${stage + 1}.${index}`), {
        inputs,
        width,
        outputs: width * expansion,
        stride: isFirst ? (strides[stage] ?? 1) : 1,
        dilation: (dilations[stage] ?? 1) * grid,
      });
      inputs = width * expansion;
      return block;
    });
  });
  return {
    channels: inputs,
    lowChannels: baseWidth * expansion,
    forward: (image, mode) => {
      let x = maxPool(stem(image, mode));
      let low = x;
      stages.forEach((stage, index) => {
        x = runInTurn(stage, x, mode);
        if (index === 0) low = x;
      });
      return { last: x, low };
    },
  };
}
