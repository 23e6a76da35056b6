import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import { BadInputError, BadInputs } from '../errors.ts';
import { degradeScribble } from './degrade.ts';
import type { Degradation } from './degrade.ts';
import { readImage, readImageSize } from './images.ts';
import { readIndexPng } from './index-png.ts';
import { checkLabelMap, countLabels, imageLevelLabels } from './labels.ts';
import type { Dataset, LabelMap, Sample } from './types.ts';
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

export interface SurveyOptions {
  /** Applied first: the survey is about what training will see. */
  readonly degradation?: Degradation & { readonly seed: number };
  /**
   * Decodes the images and masks of both splits, too: what is wrong with them is told before a training, not in its middle. Without
   * it only the headers of training images are read, and no masks.
   */
  readonly everyFile?: boolean;
  /** Called after each image; what it throws ends the survey. */
  readonly onImage?: (done: number, total: number) => void;
}

interface SurveyTask {
  readonly sample: Sample;
  readonly isTrained: boolean;
}

/** What a thread needs to know beside the image. */
interface SurveyContext extends Pick<SurveyOptions, 'degradation' | 'everyFile'> {
  readonly classes: readonly string[];
}

interface ScribbleFacts {
  /** Classes in the scribble before any degradation, background included. */
  readonly occurring: readonly number[];
  readonly imageLabels: Float32Array;
  readonly annotated: number;
  readonly pixels: number;
}

/** A file that a person has to mend; a plain value, as threads send it. */
type Fault = Pick<BadInputError, 'message' | 'file' | 'field'>;

interface ImageSurvey {
  /** Of a training image whose scribble is good. */
  readonly scribble?: ScribbleFacts;
  readonly faults: readonly Fault[];
}

/** Below this many images, starting threads takes about as long as reading. */
const FEW = 500;

function factsOf(original: LabelMap, id: string, { classes, degradation }: SurveyContext): ScribbleFacts {
  const counts = countLabels(original);
  const scribble = degradation === undefined ? original : degradeScribble(original, degradation, degradation.seed, id);
  return {
    occurring: classes.flatMap((_, index) => (counts[index] > 0 ? [index] : [])),
    imageLabels: imageLevelLabels(scribble, classes.length),
    annotated: scribble.data.length - countLabels(scribble)[IGNORE_INDEX],
    pixels: scribble.data.length,
  };
}

/** Reads and checks the files of one image; a job of worker threads. */
export async function surveyImage({ sample, isTrained }: SurveyTask, context: SurveyContext): Promise<ImageSurvey> {
  const { classes, everyFile = false } = context;
  const bad = new BadInputs();
  const faults = () => bad.errors.map(({ message, file, field }) => ({ message, file, field }));
  const size = await bad.attempt(() => (everyFile ? readImage(sample.image) : readImageSize(sample.image)));
  const readMap = (file: string) =>
    bad.attempt(async () => {
      const map = await readIndexPng(file);
      if (size !== undefined) checkLabelMap(map, size, classes, file);
      return map;
    });
  if (everyFile && sample.mask !== undefined) await readMap(sample.mask);
  if (!isTrained) return { faults: faults() };
  if (sample.scribble === undefined) throw new BadInputError(`image "${sample.id}" has no scribble`, { file: sample.image });
  const scribble = await readMap(sample.scribble);
  return { scribble: scribble && factsOf(scribble, sample.id, context), faults: faults() };
}

/** The surveys of all images, in their order. */
async function* surveyImages(tasks: readonly SurveyTask[], context: SurveyContext): AsyncGenerator<ImageSurvey, void, undefined> {
  if (tasks.length < FEW) for (const task of tasks) yield await surveyImage(task, context);
  else yield* mapInWorkers<SurveyTask, ImageSurvey>({ module: import.meta.url, job: surveyImage.name, context }, tasks, dataThreads());
}

/** Faults that a message lists; whoever sees them knows what the others are like. */
const SHOWN = 5;

/** One error for all faults: the first, and below it the next few. */
function refusal([first, ...others]: readonly Fault[]): BadInputError {
  if (others.length === 0) return new BadInputError(first.message, first);
  const more = others.length > SHOWN ? [`- and ${others.length - SHOWN} more`] : [];
  const lines = others.slice(0, SHOWN).map(({ file, message }) => `- ${file}: ${message}`);
  const count = others.length === 1 ? 'another file cannot be used' : `${others.length} more files cannot be used`;
  return new BadInputError([`${first.message}; ${count}:`, ...lines, ...more].join('\n'), first);
}

/**
 * Reads every scribble of the training split, once, and checks it against its image and the class list; the other files, too, if they
 * are asked for.
 * @throws BadInputError for unreadable files, sizes that differ and classes that do not exist, all of them in one; then for
 *   foreground classes that occur in no scribble (before degradation)
 */
export async function surveyScribbles(
  { train, val, classes }: Dataset,
  { degradation, everyFile = false, onImage = () => {} }: SurveyOptions = {},
): Promise<ScribbleSurvey> {
  const tasks = [
    ...train.map((sample) => ({ sample, isTrained: true })),
    ...(everyFile ? val.map((sample) => ({ sample, isTrained: false })) : []),
  ];
  const imageLabels = new Map<string, Float32Array>();
  const occurring = new Set<number>();
  const unannotated: string[] = [];
  const faults: Fault[] = [];
  let [done, scribbled, pixels] = [0, 0, 0];
  for await (const survey of surveyImages(tasks, { classes, degradation, everyFile })) {
    const { id } = tasks[done].sample;
    const { scribble } = survey;
    faults.push(...survey.faults);
    if (scribble !== undefined) {
      for (const index of scribble.occurring) occurring.add(index);
      if (scribble.annotated === 0) unannotated.push(id);
      scribbled += scribble.annotated;
      pixels += scribble.pixels;
      imageLabels.set(id, scribble.imageLabels);
    }
    onImage(++done, tasks.length);
  }
  if (faults.length > 0) throw refusal(faults);
  const absent = classes.filter((_, k) => k > 0 && !occurring.has(k));
  if (absent.length > 0) {
    const message = `no training image has a scribble of ${absent.map((name) => `"${name}"`).join(', ')}; scribble some or take the class off the list`;
    throw new BadInputError(message, { field: 'spec.dataset.classes' });
  }
  return { imageLabels, annotatedShare: scribbled / Math.max(1, pixels), unannotated };
}
