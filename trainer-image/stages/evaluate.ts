import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../artifacts.ts';
import { isWholePng, writeIndexPng } from '../data/index-png.ts';
import { withMasks, type Dataset, type Sample } from '../data/types.ts';
import { BadInputError } from '../errors.ts';
import { writeJson } from '../json-file.ts';
import { createConfusion, type Confusion } from '../evaluation/confusion.ts';
import { qualityOf } from '../evaluation/quality.ts';
import { unscoredSentence } from '../evaluation/unscored.ts';
import { normalisationOf } from '../model/segmentor.ts';
import { ImageLoop } from './image-loop.ts';
import { openSegmentor } from './model-metadata.ts';
import { predictSample } from './predict-sample.ts';
import { openStageDataset } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';
import { makeFolderInCheckpoint } from './folder-in-checkpoint.ts';

/**
 * Stage 4: confusion matrix, IoU of each class and mIoU on the validation split. In data without masks, predictions only; what would
 * be measured is null then.
 */
export async function evaluate(context: StageContext): Promise<StageMetrics> {
  const { evaluation } = context.spec;
  const { segment } = context.input.upstream;
  if (segment === undefined) throw new BadInputError('evaluate needs a segment stage', { field: 'upstream.segment' });
  const { classes, val } = await openStageDataset(context);
  const hasTruth = withMasks(val).length > 0;
  if (!hasTruth) context.log(unscoredSentence(val.length), 'warning');
  const confusion = createConfusion(classes.length);
  if (hasTruth || evaluation.savePredictions)
    await predictAll(join(segment, ARTIFACTS.segment.weights), { classes, val }, confusion, context);
  const summary = {
    iou: hasTruth ? confusion.iou() : null,
    meanIou: confusion.meanIou(),
    pixelAccuracy: confusion.pixelAccuracy(),
    images: val.length,
  };
  const rows = classes.map((_, truth) => Array.from(confusion.counts.subarray(truth * classes.length, (truth + 1) * classes.length)));
  const record = { classes, confusion: hasTruth ? rows : null, ...summary };
  const unfinished = makeFolderInCheckpoint(context.output, ARTIFACTS.unfinished);
  writeJson(join(context.output, ARTIFACTS.evaluate.evaluation), record, unfinished);
  return { classes: [...classes], ...summary };
}

/** Predicts the validation images that nobody has done yet, keeps the predictions where asked for, and counts them against the masks. */
async function predictAll(
  weights: string,
  { classes, val }: Pick<Dataset, 'classes' | 'val'>,
  confusion: Confusion,
  context: StageContext,
): Promise<void> {
  const { evaluation } = context.spec;
  const predictions = join(context.output, ARTIFACTS.evaluate.predictions);
  if (evaluation.savePredictions) mkdirSync(predictions, { recursive: true });
  const unfinished = makeFolderInCheckpoint(context.output, ARTIFACTS.unfinished);
  const isThere = ({ id }: Sample) => !evaluation.savePredictions || isWholePng(join(predictions, `${id}.png`));
  const totals = [confusion.counts, confusion.missed];
  const loop = new ImageLoop({ journal: ARTIFACTS.evaluate.journal, samples: val, totals, isThere }, context);
  if (loop.done > 0) context.log(`${loop.done} of ${val.length} images are done already`);
  if (loop.isComplete) return;
  const { network, model } = openSegmentor(weights);
  const settings = { scales: evaluation.scales, flips: evaluation.flips, normalisation: normalisationOf(model.backbone) };
  for (let sample = loop.next(); sample !== undefined; sample = loop.next()) {
    if (context.isStopping()) context.stop(`stopped after ${loop.done} of ${val.length} images`);
    const own = createConfusion(classes.length);
    const prediction = await predictSample(sample, network, settings, { classes, confusion: own });
    if (evaluation.savePredictions) writeIndexPng(join(predictions, `${sample.id}.png`), prediction, unfinished);
    loop.keep(sample, [own.counts, own.missed]);
    const { done, imagesPerSecond } = loop;
    context.progress({ label: 'images', done, total: val.length, unit: 'image', imagesPerSecond, ...qualityOf(confusion, classes) });
  }
  network.parameters.dispose();
}
