import { join } from 'node:path';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../artifacts.ts';
import { createTrainingLoader } from '../data/loader.ts';
import { createRandom } from '../data/random.ts';
import { BadInputError } from '../errors.ts';
import { multiLabelCrossEntropy } from '../losses/pixel-losses.ts';
import { createClassifier, defaultOutputStride, normalisationOf } from '../model/segmentor.ts';
import { writeSafetensors } from '../model/weights/safetensors.ts';
import { tf, type Tensor4D } from '../tf.ts';
import { train } from '../training/train.ts';
import { loadInitialWeights } from './initial-weights.ts';
import { degradationOf, openStageDataset, surveyStageScribbles } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';

/** Stage 1: trains a multi-label classifier on the classes that occur in the scribbles. */
export async function classify(context: StageContext): Promise<StageMetrics> {
  const { spec } = context;
  const { backbone, outputStride = defaultOutputStride(backbone) } = spec.model;
  const dataset = await openStageDataset(context);
  const survey = await surveyStageScribbles(dataset, context);
  const unannotated = new Set(survey.unannotated);
  // Without any scribble nothing is known about an image: it is no example of "none of the classes".
  const samples = dataset.train.filter(({ id }) => !unannotated.has(id));
  if (samples.length === 0) throw new BadInputError('no training image has a scribble', { field: 'spec.dataset' });

  const classes = dataset.classes.length;
  const network = createClassifier({ backbone, outputStride: outputStride as 8 | 16, classes }, createRandom(context.seed, 'classifier'));
  loadInitialWeights(network.parameters, context);
  const settings = spec.classify;
  const result = await train(
    {
      parameters: network.parameters,
      settings,
      field: 'spec.classify',
      files: ARTIFACTS.classify,
      openLoader: (startStep) =>
        createTrainingLoader({
          samples,
          classes: dataset.classes,
          fields: { imageLabels: true },
          batchSize: settings.batchSize,
          cropSize: settings.cropSize,
          augmentation: settings.augmentation,
          normalisation: normalisationOf(backbone),
          epochs: settings.epochs,
          seed: context.seed,
          degradation: degradationOf(spec),
          startStep,
        }),
      forward: ({ images, imageLabels }, mode) => {
        const { batchSize, cropSize } = settings;
        const image = tf.tensor(images, [batchSize, cropSize, cropSize, 3]) as Tensor4D;
        const labels = tf.tensor(imageLabels as Float32Array, [batchSize, classes - 1]);
        const total = multiLabelCrossEntropy(network.forward(image, mode), labels);
        return { total, terms: new Map() };
      },
    },
    context,
  );
  writeSafetensors(join(context.output, ARTIFACTS.classify.weights), network.parameters.export(), { stage: 'classify', backbone });
  network.parameters.dispose();
  return {
    loss: result.loss,
    steps: result.steps,
    images: samples.length,
    imagesWithoutScribble: survey.unannotated.length,
    dataWaitShare: result.seconds === 0 ? 0 : result.waitedSeconds / result.seconds,
  };
}
