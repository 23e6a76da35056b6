import { PUBLISHED_HEAD_CHANNELS } from '../../operator/api/experiment.ts';
import { attribute, execute, tf, type Tensor4D } from '../tf.ts';
import { aspp } from './aspp.ts';
import { convBatchNorm, convBias, resizeBilinear, type Mode } from './layers.ts';
import type { ParameterStore } from './parameters.ts';
import type { Backbone, Features } from './resnet.ts';

/** A segmentation head: features of the backbone → logits [B, h, w, K]. */
export type Head = (features: Features, mode: Mode) => Tensor4D;

/** DeepLabV2 in the paper's form: ASPP (dilations 12, 18, 24) to K channels a branch, then 1×1 convolution + batch norm to K logits. */
export function deeplabV2(store: ParameterStore, backbone: Backbone, classes: number): Head {
  const pyramid = aspp(store.scope('aspp'), { inputs: backbone.channels, outputs: classes, dilations: [12, 18, 24] });
  const names = { conv: 'project.conv', norm: 'project.bn' };
  const project = convBatchNorm(store, names, { size: 1, inputs: 5 * classes, outputs: classes, activation: 'none', group: 'head' });
  return ({ last }, mode) => project(pyramid(last, mode), mode);
}

export interface DeeplabV3PlusSettings {
  /** Channels of the pyramid's branches and of the decoder. */
  readonly channels: number;
  /** Channels that the backbone's features at stride 4 are reduced to. */
  readonly lowChannels: number;
  /** Share of the pyramid's channels that a step of the training leaves out. */
  readonly dropout: number;
}

const PUBLISHED: DeeplabV3PlusSettings = { channels: PUBLISHED_HEAD_CHANNELS, lowChannels: 48, dropout: 0.5 };

/** DeepLabV3+ (Chen et al. 2018): ASPP (dilations 6, 12, 18), then the features at stride 4 refine the upsampled result. */
export function deeplabV3Plus(
  store: ParameterStore,
  backbone: Backbone,
  classes: number,
  settings: Partial<DeeplabV3PlusSettings> = {},
): Head {
  const { channels, lowChannels, dropout } = { ...PUBLISHED, ...settings };
  const block = (name: string, size: number, inputs: number, outputs: number) =>
    convBatchNorm(store, { conv: `${name}.conv`, norm: `${name}.bn` }, { size, inputs, outputs, activation: 'relu', group: 'head' });
  const pyramid = aspp(store.scope('aspp'), { inputs: backbone.channels, outputs: channels, dilations: [6, 12, 18] });
  const project = block('project', 1, 5 * channels, channels);
  const reduce = block('reduce', 1, backbone.lowChannels, lowChannels);
  const fuse1 = block('fuse1', 3, lowChannels + channels, channels);
  const fuse2 = block('fuse2', 3, channels, channels);
  const classifier = convBias(store, 'classifier', { inputs: channels, outputs: classes });
  return ({ last, low }, mode) => {
    const context = dropOut(project(pyramid(last, mode), mode), dropout, mode);
    const [, height, width] = low.shape;
    const joined = tf.concat([reduce(low, mode), resizeBilinear(context, height, width)], 3);
    return classifier(fuse2(fuse1(joined, mode), mode), mode);
  };
}

const UNIFORM = [attribute.float32('dtype'), attribute.int32('T'), attribute.int32('Tseed')];

/** Dropout whose mask depends on the step's seed alone, so that a resumed run draws the same one. */
function dropOut(x: Tensor4D, rate: number, mode: Mode): Tensor4D {
  if (!mode.training || rate === 0) return x;
  const mask = tf.tidy(() => {
    const uniform = execute('StatelessRandomUniform', UNIFORM, [
      tf.tensor1d(x.shape, 'int32'),
      tf.tensor1d([...mode.dropoutSeed], 'int32'),
    ]);
    return tf.mul(tf.cast(tf.greaterEqual(uniform, rate), 'float32'), 1 / (1 - rate));
  });
  return tf.mul(x, mask);
}
