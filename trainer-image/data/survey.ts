import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { BadInputError } from '../errors.ts';
import { degradeScribble } from './degrade.ts';
import type { Degradation } from './degrade.ts';
import { readImageSize } from './images.ts';
import { readIndexPng } from './index-png.ts';
import { checkLabelMap, countLabels, imageLevelLabels } from './labels.ts';
import type { Dataset, Sample } from './types.ts';
import { dataThreads, mapInWorkers } from './thread-pool.ts';

/** What the scribbles of the training split say. */
export interface ScribbleSurvey {
  /** Image-level labels by image name: [K-1], 1 where foreground class k+1 is scribbled. */
  readonly imageLabels: ReadonlyMap<string, Float32Array>;
  /** Share of all pixels that carry a scribble, in [0, 1]. */
  readonly annotatedShare: number;
  /** Names of images whose scribble file holds no annotation. */
  readonly unannotated: readonly string[];
}

/** What a thread needs to know beside the image. */
interface SurveyContext {
  readonly classes: readonly string[];
  readonly degradation?: Degradation & { readonly seed: number };
}

interface ImageSurvey {
  /** Classes in the scribble before any degradation, background included. */
  readonly occurring: readonly number[];
  readonly imageLabels: Float32Array;
  readonly annotated: number;
  readonly pixels: number;
}

/** Below this many images, starting threads takes about as long as reading. */
const FEW = 500;

/** Reads and checks the scribble of one image; a job of worker threads. @throws BadInputError as surveyScribbles does */
export async function surveyImage(sample: Sample, { classes, degradation }: SurveyContext): Promise<ImageSurvey> {
  if (sample.scribble === undefined) throw new BadInputError(`image "${sample.id}" has no scribble`, { file: sample.image });
  const original = await readIndexPng(sample.scribble);
  checkLabelMap(original, await readImageSize(sample.image), classes, sample.scribble);
  const counts = countLabels(original);
  const scribble = degradation === undefined ? original : degradeScribble(original, degradation, degradation.seed, sample.id);
  return {
    occurring: classes.flatMap((_, index) => (counts[index] > 0 ? [index] : [])),
    imageLabels: imageLevelLabels(scribble, classes.length),
    annotated: scribble.data.length - countLabels(scribble)[IGNORE_INDEX],
    pixels: scribble.data.length,
  };
}

/** The surveys of all images, in their order. */
async function* surveyImages(samples: readonly Sample[], context: SurveyContext): AsyncGenerator<ImageSurvey, void, undefined> {
  if (samples.length < FEW) for (const sample of samples) yield await surveyImage(sample, context);
  else yield* mapInWorkers<Sample, ImageSurvey>({ module: import.meta.url, job: surveyImage.name, context }, samples, dataThreads());
}

/**
 * Reads every scribble of the training split, once, and checks it against its image and the class list.
 * @param degradation applied first: the survey is about what training will see
 * @param onImage called after each image; what it throws ends the survey
 * @throws BadInputError for unreadable scribbles or images, sizes that differ, classes that do not exist, and foreground
 *   classes that occur in no scribble (before degradation)
 */
export async function surveyScribbles(
  { train, classes }: Dataset,
  degradation?: SurveyContext['degradation'],
  onImage: (done: number, total: number) => void = () => {},
): Promise<ScribbleSurvey> {
  const imageLabels = new Map<string, Float32Array>();
  const occurring = new Set<number>();
  const unannotated: string[] = [];
  let [scribbled, pixels] = [0, 0];
  for await (const survey of surveyImages(train, { classes, degradation })) {
    const { id } = train[imageLabels.size];
    for (const index of survey.occurring) occurring.add(index);
    if (survey.annotated === 0) unannotated.push(id);
    scribbled += survey.annotated;
    pixels += survey.pixels;
    imageLabels.set(id, survey.imageLabels);
    onImage(imageLabels.size, train.length);
  }
  const absent = classes.filter((_, k) => k > 0 && !occurring.has(k));
  if (absent.length > 0) {
    const message = `no training image has a scribble of ${absent.map((name) => `"${name}"`).join(', ')}; scribble some or take the class off the list`;
    throw new BadInputError(message, { field: 'spec.dataset.classes' });
  }
  return { imageLabels, annotatedShare: scribbled / Math.max(1, pixels), unannotated };
}
