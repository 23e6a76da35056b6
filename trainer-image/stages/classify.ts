import { join } from 'node:path';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { effectiveOutputStride } from '../../operator/plan/stage-inputs.ts';
import { ARTIFACTS } from '../artifacts.ts';
import type { Normalisation } from '../data/augment.ts';
import { readImage } from '../data/images.ts';
import { readIndexPng } from '../data/index-png.ts';
import { checkLabelMap, imageLevelLabels } from '../data/labels.ts';
import { createRandom } from '../data/random.ts';
import { withMasks, type MaskedSample } from '../data/types.ts';
import { BadInputError } from '../errors.ts';
import { whileWriting } from '../file-system-error.ts';
import { meanAveragePrecision } from '../evaluation/average-precision.ts';
import { imageTensor } from '../evaluation/inference.ts';
import { multiLabelCrossEntropy } from '../losses/pixel-losses.ts';
import { INFERENCE } from '../model/layers.ts';
import { createClassifier, normalisationOf, type Classifier } from '../model/segmentor.ts';
import { writeSafetensors } from '../model/weights/safetensors.ts';
import { tf, valuesOf } from '../tf.ts';
import { History } from '../training/history.ts';
import { train } from '../training/train.ts';
import { loadInitialWeights } from './initial-weights.ts';
import { digestForResult, openStageDataset, surveyStageScribbles } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';
import { openStageLoader } from './training-loader.ts';

/** A line of validation.jsonl. */
interface PrecisionLine {
  readonly epoch: number;
  readonly step: number;
  readonly meanAveragePrecision: number | null;
}

/** Validation images whose classes the classifier is held against after each epoch. */
const CHECKED_IMAGES = 100;

/** Mean average precision on validation images, whole and at their own size; truth: the classes in their masks. */
async function checkClassifier(
  network: Classifier,
  checked: readonly MaskedSample[],
  classes: readonly string[],
  normalisation: Normalisation,
  context: StageContext,
  report: (share: number) => void,
): Promise<number | null> {
  const scores: Float32Array[] = [];
  const labels: Float32Array[] = [];
  for (const [index, { image: file, mask }] of checked.entries()) {
    if (context.isStopping()) context.stop('stopped while checking the classifier');
    report(index / checked.length);
    const [image, truth] = [await readImage(file), await readIndexPng(mask)];
    checkLabelMap(truth, image, classes, mask);
    scores.push(valuesOf(() => network.forward(imageTensor(image, 1, false, normalisation), INFERENCE)));
    labels.push(imageLevelLabels(truth, classes.length));
  }
  return meanAveragePrecision(scores, labels);
}

/** Stage 1: trains a multi-label classifier on the classes that occur in the scribbles. */
export async function classify(context: StageContext): Promise<StageMetrics> {
  const { spec } = context;
  const { backbone } = spec.model;
  const dataset = await openStageDataset(context);
  const survey = await surveyStageScribbles(dataset, context, true);
  const digest = await digestForResult(dataset, context);
  const unannotated = new Set(survey.unannotated);
  // Without any scribble nothing is known about an image: it is no example of "none of the classes".
  const samples = dataset.train.filter(({ id }) => !unannotated.has(id));
  // The survey has seen a scribble of every class, before any was dropped.
  if (samples.length === 0)
    throw new BadInputError('every scribble of every training image was dropped; lower the share', { field: 'spec.scribbles.drop' });

  const classes = dataset.classes.length;
  const network = createClassifier(
    { backbone, outputStride: effectiveOutputStride(spec.model), classes },
    createRandom(context.seed, 'classifier'),
  );
  loadInitialWeights(network.parameters, context);
  const settings = spec.classify;
  const normalisation = normalisationOf(backbone);
  const checked = withMasks(dataset.val).slice(0, CHECKED_IMAGES);
  let precision: number | null = null;
  let validation: History<PrecisionLine> | undefined;
  const result = await train(
    {
      parameters: network.parameters,
      settings,
      field: 'spec.classify',
      files: ARTIFACTS.classify,
      openLoader: (startStep) => {
        // A training that goes on from an epoch's end checks that epoch once more: its line may not have been written.
        validation = new History<PrecisionLine>(join(context.output, ARTIFACTS.classify.validation), startStep - 1);
        return openStageLoader({ settings, samples, classes: dataset.classes, fields: { imageLabels: true }, startStep }, context);
      },
      forward: ({ images, imageLabels }, mode) => {
        const { batchSize, cropSize } = settings;
        const image = tf.tensor4d(images, [batchSize, cropSize, cropSize, 3]);
        const labels = tf.tensor(imageLabels as Float32Array, [batchSize, classes - 1]);
        const total = multiLabelCrossEntropy(network.forward(image, mode), labels);
        return { total, terms: new Map() };
      },
      afterEpoch: async (epoch, step, report) => {
        if (checked.length === 0) return undefined;
        precision = await checkClassifier(network, checked, dataset.classes, normalisation, context, report);
        validation?.add({ epoch, step, meanAveragePrecision: precision });
        validation?.flush();
        return undefined;
      },
    },
    context,
  );
  const weights = join(context.output, ARTIFACTS.classify.weights);
  whileWriting(weights, () => writeSafetensors(weights, network.parameters.export(), { stage: 'classify', backbone }));
  network.parameters.dispose();
  return {
    loss: result.loss,
    meanAveragePrecision: precision,
    steps: result.steps,
    images: samples.length,
    imagesWithoutScribble: survey.unannotated.length,
    ...digest,
    dataWaitShare: result.seconds === 0 ? 0 : result.waitedSeconds / result.seconds,
  };
}
