import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { IGNORE_INDEX } from '../../operator/api/experiment.ts';
import type { StageMetrics } from '../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../artifacts.ts';
import { chooseExamples } from '../data/example-choice.ts';
import { readImageSize } from '../data/images.ts';
import { isWholePng, writeIndexPng } from '../data/index-png.ts';
import { withMasks, type Dataset, type Sample } from '../data/types.ts';
import { dataThreads, mapInWorkers } from '../data/thread-pool.ts';
import { createConfusion } from '../evaluation/confusion.ts';
import { writeJson } from '../json-file.ts';
import { chooseThreshold, createThresholdScores, edgeHint, type ThresholdChoice } from '../pseudo-labels/threshold.ts';
import type { ActivationMaps, LabelResult, LabelTask, PseudoLabelContext, ScoreTask } from '../pseudo-labels/label-jobs.ts';
import { MAX_ACTIVATION_BYTES, openActivationStore } from './activation-store.ts';
import type { ActivationSource } from './activations.ts';
import { adoptExternalLabels } from './external-labels.ts';
import { ImageLoop } from './image-loop.ts';
import { degradationOf, digestForResult, openStageDataset, surveyStageScribbles } from './stage-data.ts';
import type { StageContext } from './stage-context.ts';
import { makeFolderInCheckpoint } from './folder-in-checkpoint.ts';

const WORKERS = dataThreads();
/** Images with a heat map, for the report's gallery. */
const EXAMPLES = 6;
/** Labels that may be under way while the network goes on. */
const AHEAD = 4 * WORKERS;
const WORKER_MODULE = new URL('../pseudo-labels/label-jobs.ts', import.meta.url).href;

/** Stage 2: class activation maps, or another method's labels, become pseudo-labels. */
export async function pseudoLabel(context: StageContext): Promise<StageMetrics> {
  const dataset = await openStageDataset(context);
  const survey = await surveyStageScribbles(dataset, context);
  const labels = join(context.output, ARTIFACTS.pseudoLabel.labels);
  const heatMaps = join(context.output, ARTIFACTS.pseudoLabel.heatMaps);
  for (const folder of [labels, heatMaps]) mkdirSync(folder, { recursive: true });
  const unfinished = makeFolderInCheckpoint(context.output, ARTIFACTS.unfinished);
  const counts = { images: dataset.train.length, imagesWithoutScribble: survey.unannotated.length };
  if (context.spec.pseudoLabels.source === 'External') {
    const digest = await digestForResult(dataset, context);
    const quality = await adoptExternalLabels(dataset, labels, context);
    writeJson(join(context.output, ARTIFACTS.pseudoLabel.quality), { quality, ...counts }, unfinished);
    return { ...counts, meanIou: quality?.external ?? null, ...digest };
  }

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
    unfinished,
  };
  await writeUnknownLabels(
    dataset.train.filter(({ id }) => unannotated.has(id)),
    settings,
    context,
  );
  const { activations, dispose } = activationReader(dataset, classesOf, context);
  const choice = await thresholdFor(annotated, activations, settings, context);
  const candidates = annotated.map(({ id }) => ({ id, classes: classesOf(id) }));
  const examples = new Set(chooseExamples(candidates, EXAMPLES));
  const { quality, meanIou, sure, seconds } = await writeLabels(
    annotated,
    activations,
    { ...settings, threshold: choice.threshold, examples },
    context,
  );
  dispose();
  const record = { threshold: choice.threshold, candidates: choice.curve, quality, sure, ...counts };
  writeJson(join(context.output, ARTIFACTS.pseudoLabel.quality), record, unfinished);
  return {
    ...counts,
    threshold: choice.threshold,
    agreement: choice.agreement,
    meanIou,
    ...(sure === undefined ? {} : { sureShare: sure.share }),
    secondsPerImage: (choice.seconds + seconds) / Math.max(1, annotated.length),
  };
}

/** Writes labels that are 255 everywhere: nothing is known about an image without a scribble. */
async function writeUnknownLabels(
  samples: readonly Sample[],
  { labels, unfinished }: PseudoLabelContext,
  context: StageContext,
): Promise<void> {
  for (const { id, image } of samples) {
    const file = join(labels, `${id}.png`);
    if (isWholePng(file)) continue;
    if (context.isStopping()) context.stop('stopped while writing the labels of images without a scribble');
    const { width, height } = await readImageSize(image);
    writeIndexPng(file, { width, height, data: new Uint8Array(width * height).fill(IGNORE_INDEX) }, unfinished);
  }
}

type ReadActivations = (sample: Sample) => Promise<ActivationMaps>;

/**
 * Activation maps as they are asked for: from disk where they are needed twice and there already, else from the classifier, which is
 * opened for the first one.
 */
function activationReader(dataset: Dataset, classesOf: (id: string) => number[], context: StageContext) {
  const isChosen = context.spec.pseudoLabels.backgroundThreshold === undefined;
  const store = isChosen
    ? openActivationStore(
        makeFolderInCheckpoint(context.output, ARTIFACTS.pseudoLabel.activations),
        MAX_ACTIVATION_BYTES / context.shard.of,
      )
    : undefined;
  let source: ActivationSource | undefined;
  const activations: ReadActivations = async (sample) => {
    const classIndices = classesOf(sample.id);
    const known = store?.read(sample.id, classIndices);
    if (known !== undefined) return known;
    source ??= (await import('./activations.ts')).openActivationSource(dataset, context);
    const maps = await source.activations(sample, classIndices);
    store?.write(sample.id, maps);
    return maps;
  };
  return { activations, dispose: () => source?.dispose() };
}

/** The background threshold: given, or the candidate that agrees best with the scribbles. */
async function thresholdFor(
  samples: readonly Sample[],
  activations: ReadActivations,
  settings: PseudoLabelContext,
  context: StageContext,
): Promise<Pick<ThresholdChoice, 'threshold' | 'agreement' | 'curve'> & { readonly seconds: number }> {
  const { backgroundThreshold, thresholdCandidates } = context.spec.pseudoLabels;
  if (backgroundThreshold !== undefined) return { threshold: backgroundThreshold, agreement: null, curve: [], seconds: 0 };
  const scores = createThresholdScores(thresholdCandidates, settings.classes.length);
  const loop = new ImageLoop({ journal: ARTIFACTS.pseudoLabel.thresholdJournal, samples, totals: scores.counts }, context);
  const stopIfAsked = () => {
    if (context.isStopping()) context.stop(`stopped while choosing the threshold, after ${loop.done} of ${samples.length} images`);
  };
  const given: Sample[] = [];
  async function* tasks(): AsyncGenerator<ScoreTask> {
    for (let sample = loop.next(); sample !== undefined; sample = loop.next()) {
      stopIfAsked(); // results may be many images behind
      given.push(sample);
      yield { sample, activations: await activations(sample) };
    }
  }
  const setup = { module: WORKER_MODULE, job: 'scoreThresholds', context: settings };
  for await (const counts of mapInWorkers<ScoreTask, readonly Float64Array[]>(setup, tasks(), WORKERS, AHEAD)) {
    loop.keep(given.shift() as Sample, counts);
    stopIfAsked();
    const { done, imagesPerSecond } = loop;
    context.progress({ label: 'threshold', done, total: 2 * samples.length, unit: 'image', imagesPerSecond });
  }
  const choice = chooseThreshold(scores);
  context.log(`background threshold ${choice.threshold}, chosen on the scribbles`);
  const hint = edgeHint(choice.threshold, choice.curve);
  if (hint !== undefined) context.log(hint);
  return { ...choice, seconds: loop.seconds };
}

interface LabelSettings extends PseudoLabelContext {
  readonly threshold: number;
  readonly examples: ReadonlySet<string>;
}

/** What the masks tell of the labels. */
interface LabelScores {
  /** mIoU before and after what was done to them, in the order of doing, over all pixels; null without any mask. */
  readonly quality: Readonly<Record<string, number | null>> | null;
  /** That of the last one. */
  readonly meanIou: number | null;
  /** Of the pixels that keep their label where unsure ones are left out: their mIoU, and their share of all. */
  readonly sure?: { readonly meanIou: number | null; readonly share: number };
}

/** Writes the labels and holds them against the training masks. */
async function writeLabels(
  samples: readonly Sample[],
  activations: ReadActivations,
  { threshold, examples, ...settings }: LabelSettings,
  context: StageContext,
): Promise<LabelScores & { readonly seconds: number }> {
  const [plain, final, written] = [1, 2, 3].map(() => createConfusion(settings.classes.length));
  const isThere = ({ id }: Sample) =>
    isWholePng(join(settings.labels, `${id}.png`)) && (!examples.has(id) || isWholePng(join(settings.heatMaps, `${id}.png`)));
  const totals = [plain, final, written].flatMap(({ counts, missed }) => [counts, missed]);
  const loop = new ImageLoop({ journal: ARTIFACTS.pseudoLabel.labelJournal, samples, totals, isThere }, context);
  if (loop.done > 0) context.log(`${loop.done} of ${samples.length} labels are there already`);
  const stopIfAsked = () => {
    if (context.isStopping()) context.stop(`stopped after ${loop.done} of ${samples.length} labels`);
  };
  const given: Sample[] = [];
  async function* tasks(): AsyncGenerator<LabelTask> {
    for (let sample = loop.next(); sample !== undefined; sample = loop.next()) {
      stopIfAsked();
      given.push(sample);
      yield { sample, activations: await activations(sample), threshold, heatMap: examples.has(sample.id) };
    }
  }
  const { backgroundThreshold, refinement, paintScribbles } = context.spec.pseudoLabels;
  const first = backgroundThreshold === undefined ? samples.length : 0;
  const setup = { module: WORKER_MODULE, job: 'makePseudoLabel', context: settings };
  for await (const { quality } of mapInWorkers<LabelTask, LabelResult>(setup, tasks(), WORKERS, AHEAD)) {
    const counts = quality && [quality.plain, quality.final, quality.written].flatMap((scored) => [scored.counts, scored.missed]);
    loop.keep(given.shift() as Sample, counts);
    stopIfAsked();
    const { done, imagesPerSecond } = loop;
    context.progress({ label: 'labels', done: first + done, total: first + samples.length, unit: 'image', imagesPerSecond });
  }
  const { seconds } = loop;
  if (withMasks(samples).length === 0) return { quality: null, meanIou: null, seconds };
  const change = refinement.method !== 'None' ? 'refined' : paintScribbles ? 'painted' : undefined;
  const quality = { plain: plain.meanIou(), ...(change === undefined ? {} : { [change]: final.meanIou() }) };
  const meanIou = final.meanIou();
  if (refinement.method === 'None' || refinement.minProbability === 0) return { quality, meanIou, seconds };
  const sum = (counts: Float64Array) => counts.reduce((total, count) => total + count, 0);
  const [kept, left] = [sum(written.counts), sum(written.missed)];
  written.missed.fill(0);
  return { quality, meanIou, sure: { meanIou: written.meanIou(), share: kept / (kept + left) }, seconds };
}
