import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../artifacts.ts';
import { readImage } from '../data/images.ts';
import { readIndexPng, writeIndexPng } from '../data/index-png.ts';
import { BadInputError } from '../errors.ts';
import { createConfusion } from '../evaluation/confusion.ts';
import { predictImage } from '../evaluation/inference.ts';
import { normalisationOf } from '../model/segmentor.ts';
import { checkLabelMap } from '../data/labels.ts';
import { openSegmentor } from './model-metadata.ts';
import { openStageDataset } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';
import { writeJsonAtomically } from './write-json.ts';

/** Stage 4: confusion matrix, IoU of each class and mIoU on the validation split. */
export async function evaluate(context: StageContext): Promise<StageMetrics> {
  const { evaluation } = context.spec;
  const { segment } = context.input.upstream;
  if (segment === undefined) throw new BadInputError('evaluate needs a segment stage', { field: 'upstream.segment' });
  const dataset = await openStageDataset(context);
  const { network, model } = openSegmentor(join(segment, ARTIFACTS.segment.weights));
  const predictions = join(context.output, ARTIFACTS.evaluate.predictions);
  if (evaluation.savePredictions) mkdirSync(predictions, { recursive: true });
  const confusion = createConfusion(dataset.classes.length);
  const settings = { scales: evaluation.scales, flips: evaluation.flips, normalisation: normalisationOf(model.backbone) };
  for (const [index, sample] of dataset.val.entries()) {
    if (context.isStopping()) context.stop(`stopped after ${index} of ${dataset.val.length} images`);
    const mask = sample.mask as string;
    const [image, truth] = [await readImage(sample.image), await readIndexPng(mask)];
    checkLabelMap(truth, image, dataset.classes, mask);
    const prediction = predictImage(network, image, settings);
    confusion.add(truth.data, prediction.data);
    if (evaluation.savePredictions) await writeIndexPng(join(predictions, `${sample.id}.png`), prediction);
    const meanIou = confusion.meanIou();
    context.progress({
      label: 'images',
      done: index + 1,
      total: dataset.val.length,
      unit: 'image',
      ...(meanIou === null ? {} : { meanIou }),
    });
  }
  network.parameters.dispose();
  const { classes } = dataset;
  const summary = {
    iou: confusion.iou(),
    meanIou: confusion.meanIou(),
    pixelAccuracy: confusion.pixelAccuracy(),
    images: dataset.val.length,
  };
  const rows = classes.map((_, truth) => Array.from(confusion.counts.subarray(truth * classes.length, (truth + 1) * classes.length)));
  writeJsonAtomically(join(context.output, ARTIFACTS.evaluate.evaluation), { classes, confusion: rows, ...summary });
  return { classes: [...classes], ...summary };
}
