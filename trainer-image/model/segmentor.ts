import type { BackboneName, SegmentorName } from '../../operator/api/experiment.ts';
import { EFFICIENTNET_LITE_NORMALISATION, IMAGENET_NORMALISATION, type Normalisation } from '../data/augment.ts';
import type { Random } from '../data/random.ts';
import type { LormParameters } from '../losses/lorm.ts';
import { tf, type Tensor, type Tensor4D } from '../tf.ts';
import { deeplabV2, deeplabV3Plus, type DeeplabV3PlusSettings, type Head } from './deeplab.ts';
import { efficientnetLite0 } from './efficientnet.ts';
import type { Mode } from './layers.ts';
import { ParameterStore } from './parameters.ts';
import { resnet, resnetSettings, type Backbone, type ResnetSettings } from './resnet.ts';

export interface NetworkSettings {
  readonly backbone: BackboneName | ResnetSettings;
  readonly outputStride: 8 | 16;
}

export interface SegmentorSettings extends NetworkSettings {
  readonly segmentor: SegmentorName;
  readonly classes: number;
  /** What differs from the published DeepLabV3+. */
  readonly head?: Partial<DeeplabV3PlusSettings>;
  /** Whether the parameters of LoRM are there; inference never runs it. */
  readonly lorm: boolean;
}

/** Classifier of stage 1: backbone, global average pooling, one linear layer without bias for the foreground classes. */
export interface Classifier {
  readonly parameters: ParameterStore;
  /** image [B, H, W, 3] → logits [B, K − 1] */
  forward(image: Tensor4D, mode: Mode): Tensor;
  /** image [B, H, W, 3] → activation ReLU(Σ_c W[c, k] F_c), [B, h, w, K − 1] (class activation map). */
  activation(image: Tensor4D, mode: Mode): Tensor4D;
}

export interface Segmentor {
  readonly parameters: ParameterStore;
  readonly lorm: LormParameters | undefined;
  /** image [B, H, W, 3] → logits [B, h, w, K] and the backbone's last features. */
  forward(image: Tensor4D, mode: Mode): { logits: Tensor4D; features: Tensor4D };
}

/** The normalisation that a backbone's ImageNet weights expect. */
export function normalisationOf(backbone: BackboneName): Normalisation {
  return backbone === 'efficientnet-lite0' ? EFFICIENTNET_LITE_NORMALISATION : IMAGENET_NORMALISATION;
}

function createBackbone(store: ParameterStore, { backbone, outputStride }: NetworkSettings): Backbone {
  if (typeof backbone !== 'string') return resnet(store, backbone);
  if (backbone === 'efficientnet-lite0') return efficientnetLite0(store, outputStride);
  return resnet(store, resnetSettings(backbone, outputStride));
}

/** Class activation: ReLU of the classifier's scores at every position. features [B, h, w, C], weight [C, K − 1] → [B, h, w, K − 1]. */
export function activationScores(features: Tensor4D, weight: Tensor): Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width, channels] = features.shape;
    const scores = tf.matMul(tf.reshape(features, [-1, channels]), weight);
    return tf.reshape(tf.relu(scores), [batch, height, width, weight.shape[1]!]);
  });
}

/** Declares the classifier's parameters, drawn from `random`; without it 0, to be loaded. */
export function createClassifier(settings: NetworkSettings & { classes: number }, random?: Random): Classifier {
  const parameters = new ParameterStore(random);
  const backbone = createBackbone(parameters.scope('backbone'), settings);
  const weight = parameters.linear('classifier.weight', backbone.channels, settings.classes - 1);
  return {
    parameters,
    forward: (image, mode) => tf.matMul(tf.mean(backbone.forward(image, mode).last, [1, 2]), weight),
    activation: (image, mode) => tf.tidy(() => activationScores(backbone.forward(image, mode).last, weight)),
  };
}

/** Declares the segmentor's parameters, drawn from `random`; without it 0, to be loaded. */
export function createSegmentor(settings: SegmentorSettings, random?: Random): Segmentor {
  const parameters = new ParameterStore(random);
  const backbone = createBackbone(parameters.scope('backbone'), settings);
  const head: Head =
    settings.segmentor === 'deeplabv2'
      ? deeplabV2(parameters, backbone, settings.classes)
      : deeplabV3Plus(parameters, backbone, settings.classes, settings.head);
  return {
    parameters,
    lorm: settings.lorm ? createLorm(parameters.scope('lorm'), backbone.channels) : undefined,
    forward: (image, mode) => {
      const features = backbone.forward(image, mode);
      return { logits: head(features, mode), features: features.last };
    },
  };
}

function createLorm(store: ParameterStore, channels: number): LormParameters {
  return {
    queryKernel: store.xavierConv('query.weight', channels, channels),
    queryBias: store.vector('query.bias', channels, 0),
    keyKernel: store.xavierConv('key.weight', channels, channels),
    keyBias: store.vector('key.bias', channels, 0),
    delta: store.vector('delta', 1, 1),
  };
}
