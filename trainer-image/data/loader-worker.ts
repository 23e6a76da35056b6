import { join } from 'node:path';
import { cropImage, cropMap, DISTANCE_PADDING, drawGeometry, LABEL_PADDING } from './augment.ts';
import type { AugmentationSettings, CropGeometry, Normalisation } from './augment.ts';
import { degradeScribble } from './degrade.ts';
import type { Degradation } from './degrade.ts';
import { classDistanceMap, scribbleDistanceMap } from './distance-maps.ts';
import { readImage } from './images.ts';
import { readIndexPng } from './index-png.ts';
import { checkLabelMap, imageLevelLabels } from './labels.ts';
import { createRandom } from './random.ts';
import type { LabelMap, RgbImage, Sample } from './types.ts';
import { WithTransfer } from './thread-pool.ts';

/** Which maps go into a batch; each is left out unless asked for. */
export interface LoaderFields {
  /** The (degraded) scribble. */
  readonly scribble?: boolean;
  /** Folder of pseudo-labels, <id>.png. */
  readonly pseudoLabels?: string;
  /** Exponent λs of the scribble distance map. */
  readonly scribbleDistance?: number;
  /** Exponent λc of the class distance map; needs pseudoLabels. */
  readonly classDistance?: number;
  /** Image-level labels, from the degraded scribble of the whole image. */
  readonly imageLabels?: boolean;
}

/** What every batch of a loader has in common. */
export interface BatchContext {
  readonly classes: readonly string[];
  readonly fields: LoaderFields;
  readonly cropSize: number;
  readonly augmentation: AugmentationSettings;
  readonly normalisation: Normalisation;
  readonly seed: number;
  readonly degradation?: Degradation & { readonly seed: number };
}

/** A decoded image with its maps, in memory that threads share. */
export interface LoadedSample {
  readonly image: RgbImage;
  readonly scribble?: LabelMap;
  readonly pseudoLabel?: LabelMap;
  readonly scribbleDistance?: LabelMap;
  readonly classDistance?: LabelMap;
  /** [K-1], 1 where foreground class k+1 is scribbled. */
  readonly imageLabels?: Float32Array;
}

export interface BatchTask {
  readonly step: number;
  readonly epoch: number;
  readonly items: readonly { readonly sample: Sample; readonly loaded?: LoadedSample }[];
  /** Whether the loader still has room for what is decoded. */
  readonly keep: boolean;
}

/** One training step's input; B images, side S, K classes. */
export interface TrainingBatch {
  readonly step: number;
  readonly epoch: number;
  readonly ids: readonly string[];
  /** [B, S, S, 3], normalised. */
  readonly images: Float32Array;
  /** [B, S, S], 255 = unlabelled or padding. */
  readonly scribble?: Uint8Array;
  /** [B, S, S], 255 = ignore or padding. */
  readonly pseudoLabel?: Uint8Array;
  /** [B, S, S], d_s; padding 0. */
  readonly scribbleDistance?: Uint8Array;
  /** [B, S, S], d_c; padding 0. */
  readonly classDistance?: Uint8Array;
  /** [B, K-1], 0 or 1. */
  readonly imageLabels?: Float32Array;
}

export interface BatchResult {
  readonly batch: TrainingBatch;
  /** What was decoded for it, by image name, if it was to be kept. */
  readonly decoded: ReadonlyMap<string, LoadedSample>;
}

function share<Picture extends { readonly data: Uint8Array }>(picture: Picture): Picture {
  const data = new Uint8Array(new SharedArrayBuffer(picture.data.length));
  data.set(picture.data);
  return { ...picture, data };
}

/**
 * Reads an image and the maps asked for.
 * @throws BadInputError for files that are missing, damaged, of another size than the image, or name unknown classes
 */
export async function loadSample(sample: Sample, context: BatchContext): Promise<LoadedSample> {
  const { fields, classes, degradation } = context;
  const image = await readImage(sample.image);
  const loaded: { -readonly [Key in keyof LoadedSample]: LoadedSample[Key] } = { image };
  if (fields.scribble === true || fields.scribbleDistance !== undefined || fields.imageLabels === true) {
    if (sample.scribble === undefined) throw new Error(`image "${sample.id}" has no scribble`);
    const original = await readIndexPng(sample.scribble);
    checkLabelMap(original, image, classes, sample.scribble);
    const scribble = degradation === undefined ? original : degradeScribble(original, degradation, degradation.seed, sample.id);
    if (fields.scribble === true) loaded.scribble = scribble;
    if (fields.scribbleDistance !== undefined) loaded.scribbleDistance = scribbleDistanceMap(scribble, fields.scribbleDistance);
    if (fields.imageLabels === true) loaded.imageLabels = imageLevelLabels(scribble, classes.length);
  }
  if (fields.pseudoLabels !== undefined) {
    const file = join(fields.pseudoLabels, `${sample.id}.png`);
    const pseudoLabel = await readIndexPng(file);
    checkLabelMap(pseudoLabel, image, classes, file);
    loaded.pseudoLabel = pseudoLabel;
    if (fields.classDistance !== undefined) loaded.classDistance = classDistanceMap(pseudoLabel, fields.classDistance);
  }
  return loaded;
}

function shareSample(loaded: LoadedSample): LoadedSample {
  const { image, scribble, pseudoLabel, scribbleDistance, classDistance, imageLabels } = loaded;
  return {
    image: share(image),
    ...(scribble ? { scribble: share(scribble) } : {}),
    ...(pseudoLabel ? { pseudoLabel: share(pseudoLabel) } : {}),
    ...(scribbleDistance ? { scribbleDistance: share(scribbleDistance) } : {}),
    ...(classDistance ? { classDistance: share(classDistance) } : {}),
    ...(imageLabels ? { imageLabels } : {}),
  };
}

/** Crops one map of every sample: [B, S, S]. */
function cropAll(maps: readonly (LabelMap | undefined)[], geometries: readonly CropGeometry[], size: number, padding: number): Uint8Array {
  const result = new Uint8Array(maps.length * size * size);
  maps.forEach((map, i) => {
    if (map === undefined) throw new Error('a map of the batch is missing');
    cropMap(result.subarray(i * size * size, (i + 1) * size * size), map, geometries[i], padding);
  });
  return result;
}

/** Assembles a batch from decoded samples: a pure function of its arguments. */
function assembleBatch(task: BatchTask, samples: readonly LoadedSample[], context: BatchContext): TrainingBatch {
  const { step, epoch } = task;
  const { fields, cropSize: size, normalisation } = context;
  const geometries = samples.map(({ image }, position) =>
    drawGeometry(image, size, context.augmentation, createRandom(context.seed, 'augment', step, position)),
  );
  const images = new Float32Array(samples.length * size * size * 3);
  samples.forEach(({ image }, i) => {
    cropImage(images.subarray(i * size * size * 3, (i + 1) * size * size * 3), image, geometries[i], normalisation);
  });
  const crop = (name: 'scribble' | 'pseudoLabel' | 'scribbleDistance' | 'classDistance', padding: number) => ({
    [name]: cropAll(
      samples.map((sample) => sample[name]),
      geometries,
      size,
      padding,
    ),
  });
  const labels = context.classes.length - 1;
  return {
    step,
    epoch,
    ids: task.items.map((item) => item.sample.id),
    images,
    ...(fields.scribble === true ? crop('scribble', LABEL_PADDING) : {}),
    ...(fields.pseudoLabels !== undefined ? crop('pseudoLabel', LABEL_PADDING) : {}),
    ...(fields.scribbleDistance !== undefined ? crop('scribbleDistance', DISTANCE_PADDING) : {}),
    ...(fields.classDistance !== undefined ? crop('classDistance', DISTANCE_PADDING) : {}),
    ...(fields.imageLabels === true
      ? {
          imageLabels: Float32Array.from(
            { length: samples.length * labels },
            (_, i) => samples[Math.floor(i / labels)].imageLabels?.[i % labels] ?? 0,
          ),
        }
      : {}),
  };
}

/** The loader's job in a worker thread: decodes what is not at hand yet and assembles the batch. */
export async function makeBatch(task: BatchTask, context: BatchContext): Promise<WithTransfer> {
  const decoded = new Map<string, LoadedSample>();
  const samples: LoadedSample[] = [];
  for (const { sample, loaded } of task.items) {
    let entry = loaded ?? decoded.get(sample.id);
    if (entry === undefined) {
      entry = await loadSample(sample, context);
      if (task.keep) entry = shareSample(entry);
      decoded.set(sample.id, entry);
    }
    samples.push(entry);
  }
  const batch = assembleBatch(task, samples, context);
  const result: BatchResult = { batch, decoded: task.keep ? decoded : new Map() };
  const arrays = [batch.images, batch.scribble, batch.pseudoLabel, batch.scribbleDistance, batch.classDistance, batch.imageLabels];
  return new WithTransfer(
    result,
    arrays.flatMap((array) => (array === undefined ? [] : [array.buffer as ArrayBuffer])),
  );
}
