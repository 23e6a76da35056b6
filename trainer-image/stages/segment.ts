import { join } from 'node:path';
import { isEffective, needsPseudoLabels, type ExperimentSpec } from '../../operator/api/experiment.ts';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { effectiveHeadChannels, effectiveOutputStride } from '../../operator/plan/stage-inputs.ts';
import { ARTIFACTS } from '../artifacts.ts';
import type { LoaderFields, TrainingBatch } from '../data/loader.ts';
import { createRandom } from '../data/random.ts';
import { BadInputError } from '../errors.ts';
import { whileWriting } from '../file-system-error.ts';
import { createConfusion } from '../evaluation/confusion.ts';
import { qualityOf, type Quality } from '../evaluation/quality.ts';
import { withMasks } from '../data/types.ts';
import { checkLogitCount } from '../losses/pixel-losses.ts';
import { segmentLoss, termWeights, type Supervision } from '../losses/segment-loss.ts';
import { normalisationOf } from '../model/segmentor.ts';
import { writeSafetensors } from '../model/weights/safetensors.ts';
import { tf, type Tensor } from '../tf.ts';
import { History } from '../training/history.ts';
import { train } from '../training/train.ts';
import { loadInitialWeights } from './initial-weights.ts';
import { createModel, modelMetadata } from './model-metadata.ts';
import { predictSample } from './predict-sample.ts';
import { digestForResult, openStageDataset, surveyStageScribbles } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';
import { openStageLoader } from './training-loader.ts';

interface ValidationLine {
  readonly epoch: number;
  readonly step: number;
  readonly meanIou: number | null;
  readonly iou: readonly (number | null)[];
}

/** The maps that the enabled loss terms need. */
function loaderFields({ losses }: ExperimentSpec, pseudoLabels: string | undefined): LoaderFields {
  return {
    scribble: isEffective(losses, 'scribble'),
    ...(needsPseudoLabels(losses) ? { pseudoLabels } : {}),
    ...(isEffective(losses, 'scribbleDistance') ? { scribbleDistance: losses.scribbleDistance.lambda } : {}),
    ...(isEffective(losses, 'classDistance') ? { classDistance: losses.classDistance.lambda } : {}),
  };
}

function supervisionOf(batch: TrainingBatch, shape: [number, number, number]): Supervision {
  const toTensor = (map: Uint8Array | undefined): Tensor | undefined =>
    map === undefined ? undefined : tf.tensor(new Int32Array(map), shape, 'int32');
  return {
    scribble: toTensor(batch.scribble),
    pseudoLabel: toTensor(batch.pseudoLabel),
    scribbleDistance: toTensor(batch.scribbleDistance),
    classDistance: toTensor(batch.classDistance),
  };
}

/** Stage 3: trains the segmentor on scribbles and pseudo-labels together. */
export async function segment(context: StageContext): Promise<StageMetrics> {
  const { spec } = context;
  const { backbone, segmentor } = spec.model;
  const settings = spec.segment;
  const { pseudoLabel } = context.input.upstream;
  if (pseudoLabel === undefined && needsPseudoLabels(spec.losses))
    throw new BadInputError('segment with these losses needs a pseudo-label stage', { field: 'upstream.pseudoLabel' });
  const dataset = await openStageDataset(context);
  const shape: [number, number, number] = [settings.batchSize, settings.cropSize, settings.cropSize];
  checkLogitCount(shape[0] * shape[1] * shape[2], dataset.classes.length);
  // Before classify was trained the files were looked at; its key, on which this one's rests, stands for the same content.
  const survey = await surveyStageScribbles(dataset, context, context.input.upstream.classify === undefined);
  const digest = await digestForResult(dataset, context);
  const labels = pseudoLabel === undefined ? undefined : join(pseudoLabel, ARTIFACTS.pseudoLabel.labels);
  const lorm = isEffective(spec.losses, 'lorm');
  const model = {
    backbone,
    segmentor,
    outputStride: effectiveOutputStride(spec.model),
    headChannels: effectiveHeadChannels(spec.model),
    classes: [...dataset.classes],
  };
  const network = createModel(model, lorm, createRandom(context.seed, 'segmentor'));
  loadInitialWeights(network.parameters, context);
  const normalisation = normalisationOf(backbone);

  const masked = withMasks(dataset.val);
  if (masked.length === 0 && settings.validateEvery > 0)
    context.log('there are no masks of validation images: spec.segment.validateEvery has no effect');
  let validation: History<ValidationLine> | undefined;
  /** Of the last validation, also by an earlier attempt. */
  let lastMeanIou: number | null = null;
  const validate = async (epoch: number, step: number, report: (share: number) => void): Promise<Quality | undefined> => {
    if (masked.length === 0 || settings.validateEvery === 0 || epoch % settings.validateEvery !== 0) return undefined;
    const confusion = createConfusion(dataset.classes.length);
    for (const [index, sample] of masked.entries()) {
      if (context.isStopping()) context.stop(`stopped while validating epoch ${epoch}`);
      report(index / masked.length);
      await predictSample(sample, network, { scales: [1], flips: false, normalisation }, { classes: dataset.classes, confusion });
    }
    const meanIou = confusion.meanIou();
    validation?.add({ epoch, step, meanIou, iou: confusion.iou() });
    validation?.flush();
    lastMeanIou = meanIou;
    return qualityOf(confusion, dataset.classes);
  };

  const result = await train(
    {
      parameters: network.parameters,
      settings,
      field: 'spec.segment',
      files: ARTIFACTS.segment,
      openLoader: (startStep) => {
        // A training that goes on from an epoch's end validates that epoch once more: its line may not have been written.
        validation = new History<ValidationLine>(join(context.output, ARTIFACTS.segment.validation), startStep - 1);
        lastMeanIou = validation.last?.meanIou ?? null;
        return openStageLoader(
          { settings, samples: dataset.train, classes: dataset.classes, fields: loaderFields(spec, labels), startStep },
          context,
        );
      },
      forward: (batch, mode, totalSteps) => {
        const image = tf.tensor4d(batch.images, [...shape, 3]);
        const { logits, features } = network.forward(image, mode);
        return segmentLoss({
          logits,
          features,
          size: [settings.cropSize, settings.cropSize],
          supervision: supervisionOf(batch, shape),
          weights: termWeights(spec.losses, batch.step, totalSteps),
          labelSmoothing: spec.losses.pseudoLabel.labelSmoothing,
          lorm: network.lorm,
        });
      },
      afterEpoch: validate,
    },
    context,
  );
  const metadata = modelMetadata(model);
  const weights = join(context.output, ARTIFACTS.segment.weights);
  whileWriting(weights, () => writeSafetensors(weights, network.parameters.export(), metadata));
  network.parameters.dispose();
  return {
    loss: result.loss,
    meanIou: lastMeanIou,
    steps: result.steps,
    images: dataset.train.length,
    imagesWithoutScribble: survey.unannotated.length,
    ...digest,
    dataWaitShare: result.seconds === 0 ? 0 : result.waitedSeconds / result.seconds,
  };
}
