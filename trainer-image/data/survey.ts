import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';
import { degradeScribble } from './degrade.ts';
import type { Degradation } from './degrade.ts';
import { readImageSize } from './images.ts';
import { readIndexPng } from './index-png.ts';
import { checkLabelMap, countLabels, imageLevelLabels } from './labels.ts';
import type { Dataset } from './types.ts';

/** What the scribbles of the training split say. */
export interface ScribbleSurvey {
  /** Image-level labels by image name: [K-1], 1 where foreground class k+1 is scribbled. */
  readonly imageLabels: ReadonlyMap<string, Float32Array>;
  /** Share of all pixels that carry a scribble, in [0, 1]. */
  readonly annotatedShare: number;
  /** Names of images whose scribble file holds no annotation. */
  readonly unannotated: readonly string[];
}

/**
 * Reads every scribble of the training split, once, and checks it against its image and the class list.
 * @param degradation applied first: the survey is about what training will see
 * @throws BadInputError for unreadable scribbles or images, sizes that differ, classes that do not exist, and foreground
 *   classes that occur in no scribble (before degradation)
 */
export async function surveyScribbles(dataset: Dataset, degradation?: Degradation & { readonly seed: number }): Promise<ScribbleSurvey> {
  const imageLabels = new Map<string, Float32Array>();
  const occursAtAll = new Array<boolean>(dataset.classes.length).fill(false);
  const unannotated: string[] = [];
  let [scribbled, pixels] = [0, 0];
  for (const sample of dataset.train) {
    if (sample.scribble === undefined) throw new BadInputError(`image "${sample.id}" has no scribble`, { file: sample.image });
    const original = await readIndexPng(sample.scribble);
    checkLabelMap(original, await readImageSize(sample.image), dataset.classes, sample.scribble);
    countLabels(original).forEach((count, value) => {
      if (count > 0 && value < occursAtAll.length) occursAtAll[value] = true;
    });
    const scribble = degradation === undefined ? original : degradeScribble(original, degradation, degradation.seed, sample.id);
    const annotated = scribble.data.length - countLabels(scribble)[IGNORE_INDEX];
    if (annotated === 0) unannotated.push(sample.id);
    scribbled += annotated;
    pixels += scribble.data.length;
    imageLabels.set(sample.id, imageLevelLabels(scribble, dataset.classes.length));
  }
  const absent = dataset.classes.filter((_, k) => k > 0 && !occursAtAll[k]);
  if (absent.length > 0) {
    const message = `no training image has a scribble of ${absent.map((name) => `"${name}"`).join(', ')}; scribble some or take the class off the list`;
    throw new BadInputError(message, { field: 'spec.dataset.classes' });
  }
  return { imageLabels, annotatedShare: scribbled / Math.max(1, pixels), unannotated };
}
