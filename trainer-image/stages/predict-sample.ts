import { readImage } from '../data/images.ts';
import { readIndexPng } from '../data/index-png.ts';
import { checkLabelMap } from '../data/labels.ts';
import type { LabelMap, Sample } from '../data/types.ts';
import type { Confusion } from '../evaluation/confusion.ts';
import { predictImage, type InferenceSettings } from '../evaluation/inference.ts';
import type { Segmentor } from '../model/segmentor.ts';

/**
 * Predicts an image of the data set and, where it has a mask, counts the prediction against it.
 * @throws BadInputError where image or mask cannot be read or do not fit each other and the classes
 */
export async function predictSample(
  { image: file, mask }: Sample,
  network: Segmentor,
  settings: InferenceSettings,
  { classes, confusion }: { classes: readonly string[]; confusion: Confusion },
): Promise<LabelMap> {
  const image = await readImage(file);
  const truth = mask === undefined ? undefined : await readIndexPng(mask);
  if (mask !== undefined && truth !== undefined) checkLabelMap(truth, image, classes, mask);
  const prediction = predictImage(network, image, settings);
  if (truth !== undefined) confusion.add(truth.data, prediction.data);
  return prediction;
}
