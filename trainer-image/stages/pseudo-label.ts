import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../artifacts.ts';
import { chooseExamples } from '../data/example-choice.ts';
import type { Sample } from '../data/types.ts';
import { dataThreads, mapInWorkers } from '../data/worker-pool.ts';
import { createConfusion } from '../evaluation/confusion.ts';
import { writeJson } from '../json-file.ts';
import { chooseThreshold, createThresholdScores, type ThresholdChoice } from '../pseudo-labels/threshold.ts';
import type { ActivationMaps, LabelResult, LabelTask, PseudoLabelContext, ScoreTask } from '../pseudo-labels/worker.ts';
import { adoptExternalLabels } from './external-labels.ts';
import { degradationOf, openStageDataset, surveyStageScribbles } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';

const WORKERS = dataThreads();
/** Images with a heat map, for the report's gallery. */
const EXAMPLES = 6;
/** Labels that may be under way while the network goes on. */
const AHEAD = 4 * WORKERS;
const WORKER_MODULE = new URL('../pseudo-labels/worker.ts', import.meta.url).href;

/** Stage 2: class activation maps, or another method's labels, become pseudo-labels. */
export async function pseudoLabel(context: StageContext): Promise<StageMetrics> {
  const dataset = await openStageDataset(context);
  const survey = await surveyStageScribbles(dataset, context);
  const labels = join(context.output, ARTIFACTS.pseudoLabel.labels);
  const heatMaps = join(context.output, ARTIFACTS.pseudoLabel.heatMaps);
  for (const folder of [labels, heatMaps]) mkdirSync(folder, { recursive: true });
  const counts = { images: dataset.train.length, imagesWithoutScribble: survey.unannotated.length };
  if (context.spec.pseudoLabels.source === 'External') {
    const quality = await adoptExternalLabels(dataset, labels, context);
    writeJson(join(context.output, ARTIFACTS.pseudoLabel.quality), { quality, ...counts });
    return { ...counts, meanIou: quality?.external ?? null };
  }

  const started = performance.now();
  const { openActivationSource } = await import('./activations.ts');
  const source = openActivationSource(dataset, context);
  const unannotated = new Set(survey.unannotated);
  const annotated = dataset.train.filter(({ id }) => !unannotated.has(id));
  const classesOf = (id: string) =>
    [...(survey.imageLabels.get(id) as Float32Array)].flatMap((value, index) => (value > 0 ? [index + 1] : []));
  const settings: PseudoLabelContext = {
    classes: dataset.classes,
    settings: context.spec.pseudoLabels,
    degradation: degradationOf(context.spec),
    labels,
    heatMaps,
  };
  const activations = cachedActivations((sample) => source.activations(sample, classesOf(sample.id)));
  const choice = await thresholdFor(annotated, activations, settings, context);
  const examples = new Set(
    chooseExamples(
      annotated.map(({ id }) => ({ id, classes: classesOf(id) })),
      EXAMPLES,
    ),
  );
  for (const sample of dataset.train.filter(({ id }) => unannotated.has(id))) await source.writeUnknown(sample, labels);
  const quality = await writeLabels(annotated, activations, { ...settings, threshold: choice.threshold, examples }, context);
  source.dispose();
  writeJson(join(context.output, ARTIFACTS.pseudoLabel.quality), {
    threshold: choice.threshold,
    candidates: choice.curve,
    quality,
    ...counts,
  });
  return {
    ...counts,
    threshold: choice.threshold,
    agreement: choice.agreement,
    meanIou: Object.values(quality ?? {}).at(-1) ?? null,
    secondsPerImage: (performance.now() - started) / 1000 / Math.max(1, annotated.length),
  };
}

/** Bytes of activation maps that are kept between choosing the threshold and labelling; the rest is computed again. */
const CACHE_BYTES = 2 ** 30;

function cachedActivations(compute: (sample: Sample) => Promise<ActivationMaps>): (sample: Sample) => Promise<ActivationMaps> {
  const cache = new Map<string, ActivationMaps>();
  let bytes = 0;
  return async (sample) => {
    const known = cache.get(sample.id);
    if (known !== undefined) return known;
    const maps = await compute(sample);
    bytes += maps.planes.reduce((sum, plane) => sum + plane.byteLength, 0);
    if (bytes <= CACHE_BYTES) cache.set(sample.id, maps);
    return maps;
  };
}

/** The background threshold: given, or the candidate that agrees best with the scribbles. */
async function thresholdFor(
  samples: readonly Sample[],
  activations: (sample: Sample) => Promise<ActivationMaps>,
  settings: PseudoLabelContext,
  context: StageContext,
): Promise<Pick<ThresholdChoice, 'threshold' | 'agreement' | 'curve'>> {
  const { backgroundThreshold, thresholdCandidates } = context.spec.pseudoLabels;
  if (backgroundThreshold !== undefined) return { threshold: backgroundThreshold, agreement: null, curve: [] };
  const scores = createThresholdScores(thresholdCandidates, settings.classes.length);
  let done = 0;
  const stopIfAsked = () => {
    if (context.isStopping()) context.stop(`stopped while choosing the threshold, after ${done} of ${samples.length} images`);
  };
  async function* tasks(): AsyncGenerator<ScoreTask> {
    for (const sample of samples) {
      stopIfAsked(); // results may be many images behind
      yield { sample, activations: await activations(sample) };
    }
  }
  const setup = { module: WORKER_MODULE, job: 'scoreThresholds', context: settings };
  for await (const counts of mapInWorkers<ScoreTask, readonly Float64Array[]>(setup, tasks(), WORKERS, AHEAD)) {
    scores.merge(counts);
    stopIfAsked();
    context.progress({ label: 'threshold', done: ++done, total: 2 * samples.length, unit: 'image' });
  }
  const choice = chooseThreshold(scores);
  context.log(`background threshold ${choice.threshold}, chosen on the scribbles`);
  return choice;
}

interface LabelSettings extends PseudoLabelContext {
  readonly threshold: number;
  readonly examples: ReadonlySet<string>;
}

/** mIoU of the labels before and after what was done to them, in the order of doing. */
type LabelQuality = Readonly<Record<string, number | null>>;

/** Writes the labels; returns their mIoU against the training masks, null without any mask. The last entry is that of the written ones. */
async function writeLabels(
  samples: readonly Sample[],
  activations: (sample: Sample) => Promise<ActivationMaps>,
  { threshold, examples, ...settings }: LabelSettings,
  context: StageContext,
): Promise<LabelQuality | null> {
  let [done, withTruth] = [0, 0];
  const stopIfAsked = () => {
    if (context.isStopping()) context.stop(`stopped after ${done} of ${samples.length} labels`);
  };
  async function* tasks(): AsyncGenerator<LabelTask> {
    for (const sample of samples) {
      stopIfAsked();
      yield { sample, activations: await activations(sample), threshold, heatMap: examples.has(sample.id) };
    }
  }
  const [plain, final] = [createConfusion(settings.classes.length), createConfusion(settings.classes.length)];
  const { backgroundThreshold, refinement, paintScribbles } = context.spec.pseudoLabels;
  const first = backgroundThreshold === undefined ? samples.length : 0;
  const setup = { module: WORKER_MODULE, job: 'makePseudoLabel', context: settings };
  for await (const { quality } of mapInWorkers<LabelTask, LabelResult>(setup, tasks(), WORKERS, AHEAD)) {
    done++;
    if (quality !== undefined) {
      withTruth++;
      plain.merge(quality.plain);
      final.merge(quality.final);
    }
    stopIfAsked();
    context.progress({ label: 'labels', done: first + done, total: first + samples.length, unit: 'image' });
  }
  if (withTruth === 0) return null;
  const change = refinement.method !== 'None' ? 'refined' : paintScribbles ? 'painted' : undefined;
  return { plain: plain.meanIou(), ...(change === undefined ? {} : { [change]: final.meanIou() }) };
}
