import type { Normalisation } from '../data/augment.ts';
import type { LabelMap, RgbImage } from '../data/types.ts';
import { INFERENCE, resizeBilinear } from '../model/layers.ts';
import type { Classifier, Segmentor } from '../model/segmentor.ts';
import type { ActivationMaps } from '../pseudo-labels/label-jobs.ts';
import { tf, valuesOf, type Tensor4D } from '../tf.ts';

export interface InferenceSettings {
  readonly scales: readonly number[];
  readonly flips: boolean;
  readonly normalisation: Normalisation;
}

/** An image as the network's input at a scale, with its mirror image as a second one where asked for: [1 or 2, H·s, W·s, 3]. */
export function imageTensor(
  { width, height, data }: RgbImage,
  scale: number,
  flips: boolean,
  { mean, deviation }: Normalisation,
): Tensor4D {
  return tf.tidy(() => {
    const pixels = tf.tensor4d(new Float32Array(data), [1, height, width, 3]);
    const normalised = tf.div<Tensor4D>(tf.sub(pixels, tf.tensor1d([...mean])), tf.tensor1d([...deviation]));
    const sized = resizeBilinear(normalised, Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale)));
    return flips ? tf.concat([sized, tf.reverse(sized, 2)], 0) : tf.clone(sized);
  });
}

/** Mean of a map and the mirrored map of the mirrored image. [2, H, W, C] → [1, H, W, C]; [1, …] stays. */
export function mergeFlips(maps: Tensor4D): Tensor4D {
  if (maps.shape[0] === 1) return maps;
  return tf.tidy(() => {
    const [plain, mirrored] = tf.split(maps, 2, 0) as [Tensor4D, Tensor4D];
    return tf.div(tf.add(plain, tf.reverse(mirrored, 2)), 2);
  });
}

/** Predicts the class of each pixel: argmax of the class probabilities, averaged over scales and flips. */
export function predictImage(network: Segmentor, image: RgbImage, { scales, flips, normalisation }: InferenceSettings): LabelMap {
  const { width, height } = image;
  const labels = valuesOf(() => {
    // A scope a scale: what the network made for one is given back before the next.
    const maps = scales.map((scale) =>
      tf.tidy(() => {
        const { logits } = network.forward(imageTensor(image, scale, flips, normalisation), INFERENCE);
        return mergeFlips(tf.softmax<Tensor4D>(resizeBilinear(logits, height, width)));
      }),
    );
    return tf.argMax(maps.length === 1 ? maps[0] : tf.addN(maps), 3);
  });
  return { width, height, data: Uint8Array.from(labels) };
}

/**
 * Class activation maps of the given foreground classes, averaged over scales and flips on the feature grid of the largest
 * scale. (Resizing to the image and normalising come later: see pseudo-labels/labels.ts.)
 */
export function activationMaps(
  network: Classifier,
  image: RgbImage,
  classIndices: readonly number[],
  { scales, flips, normalisation }: InferenceSettings,
): ActivationMaps {
  const mean = tf.tidy(() => {
    const maps = [...scales]
      .sort((a, b) => b - a)
      .map((scale) => tf.tidy(() => mergeFlips(network.activation(imageTensor(image, scale, flips, normalisation), INFERENCE))));
    const [, rows, columns] = maps[0].shape;
    const resized = maps.map((map) => resizeBilinear(map, rows, columns));
    return tf.transpose<Tensor4D>(tf.div(tf.addN(resized), maps.length), [0, 3, 1, 2]);
  });
  const [, , height, width] = mean.shape;
  const data = mean.dataSync<'float32'>();
  mean.dispose();
  const size = height * width;
  return { width, height, planes: classIndices.map((index) => data.slice((index - 1) * size, index * size)), classIndices };
}
