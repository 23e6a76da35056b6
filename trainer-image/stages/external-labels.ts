import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ARTIFACTS } from '../artifacts.ts';
import { degradeScribble } from '../data/degrade.ts';
import { readImageSize } from '../data/images.ts';
import { isWholePng, readIndexPng, writeIndexPng } from '../data/index-png.ts';
import { checkLabelMap } from '../data/labels.ts';
import { withMasks, type Dataset, type Sample } from '../data/types.ts';
import { BadInputError } from '../errors.ts';
import { createConfusion } from '../evaluation/confusion.ts';
import { paintScribbles } from '../pseudo-labels/labels.ts';
import { ImageLoop } from './image-loop.ts';
import { degradationOf } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';
import { makeFolderInCheckpoint } from './folder-in-checkpoint.ts';

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
  const { train } = dataset;
  const unfinished = makeFolderInCheckpoint(context.output, ARTIFACTS.unfinished);
  const isThere = ({ id }: Sample) => isWholePng(join(labels, `${id}.png`));
  const totals = [confusion.counts, confusion.missed];
  const loop = new ImageLoop({ journal: ARTIFACTS.pseudoLabel.labelJournal, samples: train, totals, isThere }, context);
  for (let sample = loop.next(); sample !== undefined; sample = loop.next()) {
    if (context.isStopping()) context.stop(`stopped after ${loop.done} of ${train.length} labels`);
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
    const own = createConfusion(dataset.classes.length);
    if (sample.mask !== undefined) {
      const truth = await readIndexPng(sample.mask);
      checkLabelMap(truth, label, dataset.classes, sample.mask);
      own.add(truth.data, label.data);
    }
    writeIndexPng(join(labels, `${sample.id}.png`), label, unfinished);
    loop.keep(sample, [own.counts, own.missed]);
    const { done, imagesPerSecond } = loop;
    context.progress({ label: 'labels', done, total: train.length, unit: 'image', imagesPerSecond });
  }
  return withMasks(train).length === 0 ? null : { external: confusion.meanIou() };
}
