/** Settings that suit a data set on a CPU. Lengths in pixels. */
export interface SuggestedSettings {
  readonly cropSize: number;
  readonly batchSize: number;
  readonly classifyEpochs: number;
  readonly segmentEpochs: number;
  readonly segmentWarmupEpochs: number;
  readonly validateEvery: number;
}

/** Steps that a small pretrained network needs, whatever the number of images. */
const CLASSIFY_STEPS = 900;
const SEGMENT_STEPS = 1200;
const EPOCHS = { min: 8, max: 80 };
/** EfficientNet-Lite0's features are this many pixels apart. */
const CROP_STEP = 32;
const CROP = { min: 96, max: 256 };

/** Chooses by the number of training images and the typical short side of an image. */
export function suggestSettings(trainImages: number, shortSide: number): SuggestedSettings {
  const batchSize = trainImages < 32 ? 4 : 8;
  const stepsPerEpoch = Math.max(1, Math.floor(trainImages / batchSize));
  const epochs = (steps: number) => Math.min(EPOCHS.max, Math.max(EPOCHS.min, Math.round(steps / stepsPerEpoch)));
  const segmentEpochs = epochs(SEGMENT_STEPS);
  return {
    cropSize: Math.min(CROP.max, Math.max(CROP.min, Math.round(shortSide / CROP_STEP) * CROP_STEP)),
    batchSize,
    classifyEpochs: epochs(CLASSIFY_STEPS),
    segmentEpochs,
    segmentWarmupEpochs: Math.max(1, Math.round(segmentEpochs / 10)),
    validateEvery: Math.max(1, Math.round(segmentEpochs / 10)),
  };
}
