import { GENERATOR_CLASSES } from '../../trainer-image/data/generator/drawings.ts';
import type { Experiment, StageName } from '../api/experiment.ts';
import type { ExperimentStatus } from '../api/status.ts';
import { defined } from './defined.ts';
import type { StageViews } from './observe.ts';
import type { StageResult } from './parse-termination.ts';
import { toldNames } from './told-values.ts';

/** Stages whose own words the results are. */
export const RESULT_STAGES: ReadonlySet<StageName> = new Set(['pseudo-label', 'evaluate']);

type Results = NonNullable<ExperimentStatus['results']>;
/** Names of the classes: the stage's own, those of the experiment, or numbers where neither says. */
function classNames({ classes }: StageResult, { dataset }: Experiment['spec'], count: number): readonly string[] {
  const known = dataset.classes ?? (dataset.generator === undefined ? undefined : GENERATOR_CLASSES);
  return toldNames(classes, count) ?? toldNames(known, count) ?? Array.from({ length: count }, (_, index) => `class ${index}`);
}

function classResults(result: StageResult, spec: Experiment['spec']): Results['classes'] {
  const { iou } = result;
  if (iou === undefined) return undefined;
  const names = classNames(result, spec, iou.length);
  return iou.map((value, index) => ({ name: names[index], ...(value === null ? {} : { iou: value }) }));
}

/** What came out of the stages that are complete. What an earlier run of the same stage has told stays. */
export function buildResults(views: StageViews, spec: Experiment['spec'], previous: Results | undefined): Results | undefined {
  const resultOf = (stage: StageName) => views.get(stage)?.result;
  const isRecorded = (stage: StageName) => views.get(stage)?.isRecorded === true;
  const evaluated = resultOf('evaluate');
  const scores: Results = isRecorded('evaluate')
    ? defined({ meanIou: previous?.meanIou, pixelAccuracy: previous?.pixelAccuracy, classes: previous?.classes })
    : evaluated === undefined
      ? {}
      : defined({
          meanIou: evaluated.meanIou,
          pixelAccuracy: evaluated.pixelAccuracy,
          classes: classResults(evaluated, spec),
        });
  const pseudoLabelMeanIou = isRecorded('pseudo-label') ? previous?.pseudoLabelMeanIou : resultOf('pseudo-label')?.meanIou;
  const results = defined({ ...scores, pseudoLabelMeanIou });
  return Object.keys(results).length > 0 ? results : undefined;
}

type Provenance = NonNullable<ExperimentStatus['provenance']>;

/**
 * What the run came from. The image is known by digest once a pod has run, the data once a stage has read them.
 * @param isSameData whether what was known before is of the data that the stages read now
 */
export function buildProvenance(
  views: StageViews,
  { seed, dataset, image: named }: Experiment['spec'],
  trainerImage: string,
  previous: Provenance | undefined,
  isSameData: boolean,
): Provenance {
  const all = [...views.values()];
  const datasetDigest = all.map(({ result }) => result?.datasetDigest).find((digest) => digest !== undefined);
  // What another image was by digest says nothing of this one.
  const isSame = [undefined, trainerImage].includes(previous?.trainerImage);
  return defined({
    seed,
    trainerImage,
    trainerImageFrom: named === undefined ? ('Operator' as const) : ('Experiment' as const),
    image: all.findLast(({ imageId }) => imageId !== undefined)?.imageId ?? (isSame ? previous?.image : undefined),
    datasetDigest: datasetDigest ?? dataset.digest ?? (isSameData ? previous?.datasetDigest : undefined),
  });
}
