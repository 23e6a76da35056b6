// The jobs of the pseudo-label stage's worker threads: see data/thread-pool.ts.
import { join } from 'node:path';
import type { PseudoLabelSettings } from '../../operator/api/experiment.ts';
import { degradeScribble } from '../data/degrade.ts';
import type { Degradation } from '../data/degrade.ts';
import { readImage } from '../data/images.ts';
import { readIndexPng, writeIndexPng } from '../data/index-png.ts';
import { checkLabelMap } from '../data/labels.ts';
import { writeRgbPng } from '../data/rgb-png.ts';
import type { LabelMap, Sample } from '../data/types.ts';
import { createConfusion } from '../evaluation/confusion.ts';
import { heatMap } from './heat-map.ts';
import { labelsFromActivations, leaveOutUnsure, normalizeActivations, paintScribbles, resizePlanes } from './labels.ts';
import { createRefiner } from './refine.ts';
import type { Refiner } from './refine.ts';
import { createThresholdScores } from './threshold.ts';

/** Activations of one image at any resolution, averaged over scales and flips, not yet normalised. */
export interface ActivationMaps {
  readonly width: number;
  readonly height: number;
  /** A plane of height·width for each class. */
  readonly planes: readonly Float32Array[];
  /** The foreground classes in the (degraded) scribble, 1..K-1, rising. */
  readonly classIndices: readonly number[];
}

export interface PseudoLabelContext {
  readonly classes: readonly string[];
  readonly settings: Pick<PseudoLabelSettings, 'refinement' | 'paintScribbles' | 'thresholdCandidates'>;
  readonly degradation?: Degradation & { readonly seed: number };
  /** Folders that exist; files lie in the last one until they are whole. */
  readonly labels: string;
  readonly heatMaps: string;
  readonly unfinished: string;
}

export interface ScoreTask {
  readonly sample: Sample;
  readonly activations: ActivationMaps;
}

export interface LabelTask extends ScoreTask {
  readonly threshold: number;
  readonly heatMap: boolean;
}

/** What `Confusion.merge` takes. */
export interface ConfusionCounts {
  readonly counts: Float64Array;
  readonly missed: Float64Array;
}

export interface LabelResult {
  /** Against the true mask, where there is one: the plain label, the one with all done to it, and what of that is written. */
  readonly quality?: { readonly plain: ConfusionCounts; readonly final: ConfusionCounts; readonly written: ConfusionCounts };
}

/** The counts of one image, as of ThresholdScores. The activations are compared at the image's size. */
export async function scoreThresholds({ sample, activations }: ScoreTask, context: PseudoLabelContext): Promise<readonly Float64Array[]> {
  const scribble = await readScribble(sample, context);
  const scores = createThresholdScores(context.settings.thresholdCandidates, context.classes.length);
  if (scribble) scores.add(fitActivations(activations, scribble), activations.classIndices, scribble);
  return scores.counts;
}

/**
 * Makes and writes the pseudo-label of one image, `<labels>/<id>.png`, and if asked for its heat map.
 * @throws BadInputError where image, scribble or mask cannot be read or do not fit one another
 */
export async function makePseudoLabel(task: LabelTask, context: PseudoLabelContext): Promise<LabelResult> {
  const { sample, threshold, activations } = task;
  const { classIndices } = activations;
  const { settings, classes } = context;
  const image = await readImage(sample.image);
  const scribble = await readScribble(sample, context);
  if (scribble && sample.scribble) checkLabelMap(scribble, image, classes, sample.scribble);
  const planes = fitActivations(activations, image);
  const plain = labelsFromActivations(planes, classIndices, threshold, image.width, image.height);
  const input = { image, activations: planes, classIndices, backgroundThreshold: threshold, scribble };
  const { method, minProbability } = settings.refinement;
  const refined = method === 'None' ? undefined : refinerFor(context).labels(input);
  const painted = (labels: LabelMap) => (settings.paintScribbles && scribble ? paintScribbles(labels, scribble) : labels);
  const final = painted(refined ?? plain);
  const written = refined === undefined || minProbability === 0 ? final : painted(leaveOutUnsure(refined, minProbability));
  writeIndexPng(join(context.labels, `${sample.id}.png`), written, context.unfinished);
  if (task.heatMap) await writeRgbPng(join(context.heatMaps, `${sample.id}.png`), heatMap(image, planes), context.unfinished);
  if (sample.mask === undefined) return {};
  const mask = await readIndexPng(sample.mask);
  checkLabelMap(mask, image, classes, sample.mask);
  const against = (labels: LabelMap) => {
    const confusion = createConfusion(classes.length);
    confusion.add(mask.data, labels.data);
    return { counts: confusion.counts, missed: confusion.missed };
  };
  const quality = { plain: against(plain), final: against(final) };
  return { quality: { ...quality, written: written === final ? quality.final : against(written) } };
}

async function readScribble(sample: Sample, { degradation }: PseudoLabelContext): Promise<LabelMap | undefined> {
  if (sample.scribble === undefined) return undefined;
  const scribble = await readIndexPng(sample.scribble);
  return degradation ? degradeScribble(scribble, degradation, degradation.seed, sample.id) : scribble;
}

function fitActivations(
  { width, height, planes }: ActivationMaps,
  to: { readonly width: number; readonly height: number },
): Float32Array[] {
  return normalizeActivations(resizePlanes(planes, width, height, to.width, to.height));
}

/** One refiner a thread: a context is made once in each. */
const refiners = new WeakMap<PseudoLabelContext, Refiner>();

function refinerFor(context: PseudoLabelContext): Refiner {
  const refiner = refiners.get(context) ?? createRefiner(context.settings.refinement);
  refiners.set(context, refiner);
  return refiner;
}
