import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../artifacts.ts';
import { writeIndexPng } from '../data/index-png.ts';
import { withMasks, type Dataset } from '../data/types.ts';
import { BadInputError } from '../errors.ts';
import { writeJson } from '../json-file.ts';
import { createConfusion, type Confusion } from '../evaluation/confusion.ts';
import { unscoredSentence } from '../evaluation/unscored.ts';
import { normalisationOf } from '../model/segmentor.ts';
import { openSegmentor } from './model-metadata.ts';
import { predictSample } from './predict-sample.ts';
import { openStageDataset } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';
import { isWholePng, openTally } from './tally.ts';

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
  writeJson(join(context.output, ARTIFACTS.evaluate.evaluation), record);
  return { classes: [...classes], ...summary };
}

/** Predicts the validation images that are not done yet, keeps the predictions where asked for, and counts them against the masks. */
async function predictAll(
  weights: string,
  { classes, val }: Pick<Dataset, 'classes' | 'val'>,
  confusion: Confusion,
  context: StageContext,
): Promise<void> {
  const { evaluation } = context.spec;
  const predictions = join(context.output, ARTIFACTS.evaluate.predictions);
  if (evaluation.savePredictions) mkdirSync(predictions, { recursive: true });
  const isThere = (index: number) => !evaluation.savePredictions || isWholePng(join(predictions, `${val[index].id}.png`));
  const tally = openTally(join(context.output, ARTIFACTS.evaluate.tally), [confusion.counts, confusion.missed], val.length, isThere);
  if (tally.done > 0) context.log(`${tally.done} of ${val.length} images are done already`);
  if (tally.done === val.length) return;
  const { network, model } = openSegmentor(weights);
  const settings = { scales: evaluation.scales, flips: evaluation.flips, normalisation: normalisationOf(model.backbone) };
  for (const sample of val.slice(tally.done)) {
    if (context.isStopping()) context.stop(`stopped after ${tally.done} of ${val.length} images`);
    const prediction = await predictSample(sample, network, settings, { classes, confusion });
    if (evaluation.savePredictions) await writeIndexPng(join(predictions, `${sample.id}.png`), prediction);
    tally.keep();
    const meanIou = confusion.meanIou();
    context.progress({ label: 'images', done: tally.done, total: val.length, unit: 'image', ...(meanIou === null ? {} : { meanIou }) });
  }
  network.parameters.dispose();
}
