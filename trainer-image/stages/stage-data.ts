import { dirname } from 'node:path';
import { FOLDER_NAMES, type ExperimentSpec } from '../../operator/api/experiment.ts';
import { datasetDigest } from '../data/dataset-digest.ts';
import { openDataset } from '../data/dataset.ts';
import type { Degradation } from '../data/degrade.ts';
import { ensureScenes } from '../data/generator/ensure-scenes.ts';
import { readingError } from '../data/file-errors.ts';
import { surveyScribbles, type ScribbleSurvey } from '../data/survey.ts';
import type { Dataset } from '../data/types.ts';
import { BadInputError } from '../errors.ts';
import { sha256OfFile } from '../stage-folder.ts';
import type { StageContext } from './stage-context.ts';

/** The storage root of a stage's folder `<root>/stages/<stage>/<key>`. */
function storageRoot(output: string): string {
  return dirname(dirname(dirname(output)));
}

/** The data set of an experiment; generated scenes are made on first use and kept under the storage root, beside the stages. */
export async function openExperimentDataset(
  dataset: ExperimentSpec['dataset'],
  root: string,
  onScene?: (done: number, total: number) => void,
): Promise<Dataset> {
  if (dataset.generator === undefined) return openDataset(dataset);
  const folder = { path: await ensureScenes(dataset.generator, root, onScene), ...FOLDER_NAMES };
  return openDataset({ folder, classes: dataset.classes });
}

/** The data set of the stage's experiment. @throws Interrupted when the stage is told to stop while scenes are made */
export function openStageDataset(context: StageContext): Promise<Dataset> {
  return openExperimentDataset(context.spec.dataset, storageRoot(context.output), (done, total) => {
    if (context.isStopping()) context.stop(`stopped after ${done} of ${total} scenes`);
    context.progress({ label: 'scenes', done, total, unit: 'image', preparing: true });
  });
}

/**
 * What the data were that an experiment read, for the result of its first stage; nothing in later stages.
 * @throws BadInputError where spec.dataset.digest says otherwise; Interrupted when the stage is told to stop meanwhile
 */
export async function digestForResult(dataset: Dataset, context: StageContext): Promise<{ datasetDigest?: string }> {
  if (Object.keys(context.input.upstream).length > 0) return {};
  const settings = context.spec.dataset;
  const actual = await datasetDigest(settings, dataset, (file) => {
    if (context.isStopping()) context.stop('stopped while the digest of the data was computed');
    return sha256OfFile(file).catch((cause: unknown) => {
      throw readingError(file, cause);
    });
  });
  if (settings.digest !== undefined && settings.digest !== actual) {
    throw new BadInputError(`the data are ${actual}, the experiment says ${settings.digest}; name the right data or correct the digest`, {
      file: settings.folder?.path,
      field: 'spec.dataset.digest',
    });
  }
  return { datasetDigest: actual };
}

/** The scribbles' degradation with the seed that decides it; undefined where there is none. */
export function degradationOf(spec: ExperimentSpec): (Degradation & { seed: number }) | undefined {
  const { shrink, drop } = spec.scribbles;
  return shrink === 0 && drop === 0 ? undefined : { shrink, drop, seed: spec.seed };
}

/** From this many images on, looking at them takes long enough to be shown. */
const MANY = 500;

/**
 * Surveys the scribbles and says what a person should know about them.
 * @param everyFile also looks into the images and masks of both splits; for the first stage that trains
 * @throws Interrupted when the stage is told to stop meanwhile; BadInputError as surveyScribbles does
 */
export async function surveyStageScribbles(dataset: Dataset, context: StageContext, everyFile = false): Promise<ScribbleSurvey> {
  const label = everyFile ? 'files' : 'scribbles';
  const onImage = (done: number, total: number) => {
    if (context.isStopping()) context.stop(`stopped after looking at the ${label} of ${done} of ${total} images`);
    if (total >= MANY) context.progress({ label, done, total, unit: 'image', preparing: true });
  };
  const survey = await surveyScribbles(dataset, { degradation: degradationOf(context.spec), everyFile, onImage });
  const share = (100 * survey.annotatedShare).toFixed(2);
  context.log(`${dataset.train.length} training images, ${share} % of their pixels scribbled, ${dataset.classes.length} classes`);
  if (survey.unannotated.length > 0) {
    const some = survey.unannotated.slice(0, 3).join(', ');
    context.log(
      `${survey.unannotated.length} training images have no scribble at all (${some}${survey.unannotated.length > 3 ? ', …' : ''})`,
      'warning',
    );
  }
  return survey;
}
