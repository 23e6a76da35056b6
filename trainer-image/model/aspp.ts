import { tf, type Tensor4D } from '../tf.ts';
import { convBatchNorm, spread, type Mode } from './layers.ts';
import type { ParameterStore } from './parameters.ts';

/**
 * Atrous spatial pyramid pooling (Chen et al. 2017): a 1×1 and three dilated 3×3 convolutions and a global-pooling branch, each
 * with batch norm and ReLU to `outputs` channels. [B, h, w, C] → [B, h, w, 5 · outputs].
 */
export function aspp(store: ParameterStore, settings: { inputs: number; outputs: number; dilations: readonly number[] }) {
  const { inputs, outputs } = settings;
  const branch = (name: string, size: number, dilation: number) =>
    convBatchNorm(
      store,
      { conv: `${name}.conv`, norm: `${name}.bn` },
      { size, dilation, inputs, outputs, activation: 'relu', group: 'head' },
    );
  const branches = [
    branch('branches.0', 1, 1),
    ...settings.dilations.map((dilation, index) => branch(`branches.${index + 1}`, 3, dilation)),
  ];
  const pool = branch('pool', 1, 1);
  return (features: Tensor4D, mode: Mode): Tensor4D => {
    const [, height, width] = features.shape;
    const pooled = pool(tf.mean(features, [1, 2], true), mode);
    return tf.concat([...branches.map((layer) => layer(features, mode)), spread(pooled, height, width)], 3);
  };
}
