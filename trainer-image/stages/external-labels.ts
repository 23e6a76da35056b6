import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { degradeScribble } from '../data/degrade.ts';
import { readImageSize } from '../data/images.ts';
import { readIndexPng, writeIndexPng } from '../data/index-png.ts';
import { checkLabelMap } from '../data/labels.ts';
import type { Dataset } from '../data/types.ts';
import { BadInputError } from '../errors.ts';
import { createConfusion } from '../evaluation/confusion.ts';
import { paintScribbles } from '../pseudo-labels/labels.ts';
import { degradationOf } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';

const FIELD = 'spec.pseudoLabels.external.path';

/**
 * Checks another method's pseudo-labels and takes them over. Returns their mIoU against the training masks, null without any.
 * @throws BadInputError for a missing folder or label, sizes that differ and classes that do not exist
 */
export async function adoptExternalLabels(
  dataset: Dataset,
  labels: string,
  context: StageContext,
): Promise<Record<string, number | null> | null> {
  const { external, paintScribbles: paint } = context.spec.pseudoLabels;
  const folder = external?.path;
  if (folder === undefined || !existsSync(folder))
    throw new BadInputError('the folder of external pseudo-labels does not exist', { file: folder, field: FIELD });
  const degradation = degradationOf(context.spec);
  const confusion = createConfusion(dataset.classes.length);
  let withTruth = 0;
  for (const [index, sample] of dataset.train.entries()) {
    if (context.isStopping()) context.stop(`stopped after ${index} of ${dataset.train.length} labels`);
    const file = join(folder, `${sample.id}.png`);
    if (!existsSync(file)) throw new BadInputError(`image "${sample.id}" has no external pseudo-label`, { file, field: FIELD });
    let label = await readIndexPng(file);
    checkLabelMap(label, await readImageSize(sample.image), dataset.classes, file);
    if (paint && sample.scribble !== undefined) {
      const scribble = await readIndexPng(sample.scribble);
      label = paintScribbles(
        label,
        degradation === undefined ? scribble : degradeScribble(scribble, degradation, degradation.seed, sample.id),
      );
    }
    if (sample.mask !== undefined) {
      withTruth++;
      const truth = await readIndexPng(sample.mask);
      checkLabelMap(truth, label, dataset.classes, sample.mask);
      confusion.add(truth.data, label.data);
    }
    await writeIndexPng(join(labels, `${sample.id}.png`), label);
    context.progress({ label: 'labels', done: index + 1, total: dataset.train.length, unit: 'image' });
  }
  return withTruth === 0 ? null : { external: confusion.meanIou() };
}
