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

/** Channels of DeepLabV3+; the published ones are the default, tests use fewer. */
export interface DeeplabV3PlusWidths {
  readonly aspp: number;
  readonly low: number;
  readonly dropout: number;
}

export const PUBLISHED_WIDTHS: DeeplabV3PlusWidths = { aspp: 256, low: 48, dropout: 0.5 };

/** DeepLabV3+ (Chen et al. 2018): ASPP (dilations 6, 12, 18), then the features at stride 4 refine the upsampled result. */
export function deeplabV3Plus(store: ParameterStore, backbone: Backbone, classes: number, widths = PUBLISHED_WIDTHS): Head {
  const block = (name: string, size: number, inputs: number, outputs: number) =>
    convBatchNorm(store, { conv: `${name}.conv`, norm: `${name}.bn` }, { size, inputs, outputs, activation: 'relu', group: 'head' });
  const pyramid = aspp(store.scope('aspp'), { inputs: backbone.channels, outputs: widths.aspp, dilations: [6, 12, 18] });
  const project = block('project', 1, 5 * widths.aspp, widths.aspp);
  const reduce = block('reduce', 1, backbone.lowChannels, widths.low);
  const fuse1 = block('fuse1', 3, widths.low + widths.aspp, widths.aspp);
  const fuse2 = block('fuse2', 3, widths.aspp, widths.aspp);
  const classifier = convBias(store, 'classifier', { inputs: widths.aspp, outputs: classes });
  return ({ last, low }, mode) => {
    const context = dropout(project(pyramid(last, mode), mode), widths.dropout, mode);
    const [, height, width] = low.shape;
    const joined = tf.concat([reduce(low, mode), resizeBilinear(context, height, width)], 3);
    return classifier(fuse2(fuse1(joined, mode), mode), mode);
  };
}

const UNIFORM = [attribute.float32('dtype'), attribute.int32('T'), attribute.int32('Tseed')];

/** Dropout whose mask depends on the step's seed alone, so that a resumed run draws the same one. */
function dropout(x: Tensor4D, rate: number, mode: Mode): Tensor4D {
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
