import { access } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { degradeScribble } from '../../trainer-image/data/degrade.ts';
import { classDistanceMap, scribbleDistanceMap } from '../../trainer-image/data/distance-maps.ts';
import { chooseExamples } from '../../trainer-image/data/example-choice.ts';
import { readIndexPng } from '../../trainer-image/data/index-png.ts';
import type { Dataset, LabelMap, Sample } from '../../trainer-image/data/types.ts';
import { IGNORE_INDEX } from '../api/experiment.ts';
import type { ExperimentSpec } from '../api/experiment.ts';
import { distancePicture, imagePicture, labelPicture, mistakesPicture, readScaled, scribblePicture } from './pictures.ts';
import { foregroundClasses } from './pixels.ts';
import type { Example, Picture, ReportData, Strip } from './report-data.ts';
import { listFiles } from './stage-files.ts';

/** Examples of a split. */
const EXAMPLES = 6;
/** Images that are looked at to choose them. */
const LOOK_AT = 96;
/** Around the configured exponent, as in the paper's Figure 5. */
const LAMBDA_OFFSETS = [-2, -1, 0, 1, 2];

export interface GallerySource {
  readonly spec: ExperimentSpec;
  readonly dataset: Dataset;
  readonly classes: readonly string[];
  /** Folders of the stages, if they are in the plan. */
  readonly pseudoLabel: string | undefined;
  readonly evaluate: string | undefined;
}

/** Makes the pictures. An image that cannot be read becomes a note, and the others are still shown. */
export async function collectGallery(source: GallerySource, notes: string[]): Promise<ReportData['gallery']> {
  const heatMaps = await idsIn(source.pseudoLabel, ARTIFACTS.pseudoLabel.heatMaps);
  const predictions = await idsIn(source.evaluate, ARTIFACTS.evaluate.predictions);
  const { train, val } = source.dataset;
  // The pseudo-label stage keeps heat maps of a few images only.
  const shown = train.filter(({ id }) => heatMaps.has(id));
  const training = await choose(shown.length > 0 ? shown : train, ({ scribble }) => scribble, notes);
  const validation = await choose(
    val.filter(({ id }) => predictions.has(id)),
    ({ id, mask }) => mask ?? predictionFile(source, id),
    notes,
  );
  return {
    training: await examples(training, (sample) => trainingExample(sample, source), notes),
    validation: await examples(validation, (sample) => validationExample(sample, source), notes),
  };
}

const predictionFile = ({ evaluate }: GallerySource, id: string) => evaluate && join(evaluate, ARTIFACTS.evaluate.predictions, `${id}.png`);

async function idsIn(stage: string | undefined, folder: string): Promise<ReadonlySet<string>> {
  const files = stage === undefined ? [] : await listFiles(join(stage, folder));
  return new Set(files.filter((file) => file.endsWith('.png')).map((file) => parse(file).name));
}

async function choose(samples: readonly Sample[], labels: (sample: Sample) => string | undefined, notes: string[]): Promise<Sample[]> {
  const candidates: { id: string; classes: number[] }[] = [];
  for (const sample of samples.slice(0, LOOK_AT)) {
    const file = labels(sample);
    try {
      candidates.push({ id: sample.id, classes: file === undefined ? [] : foregroundClasses(await readIndexPng(file)) });
    } catch (error) {
      notes.push(noteOn(sample, error));
    }
  }
  const chosen = chooseExamples(candidates, EXAMPLES);
  return samples.filter(({ id }) => chosen.includes(id));
}

async function examples(samples: readonly Sample[], make: (sample: Sample) => Promise<Example>, notes: string[]): Promise<Example[]> {
  const made: Example[] = [];
  for (const sample of samples) {
    try {
      made.push(await make(sample));
    } catch (error) {
      notes.push(noteOn(sample, error));
    }
  }
  return made;
}

function noteOn({ id }: Sample, error: unknown): string {
  return `Image ${id} is not shown: ${error instanceof Error ? error.message : String(error)}`;
}

async function readIfThere(file: string | undefined): Promise<LabelMap | null> {
  if (file === undefined) return null;
  const there = await access(file).then(
    () => true,
    () => false,
  );
  return there ? readIndexPng(file) : null;
}

async function trainingExample(sample: Sample, { spec, classes, pseudoLabel }: GallerySource): Promise<Example> {
  const { id } = sample;
  const artifact = (...path: string[]) => (pseudoLabel === undefined ? undefined : join(pseudoLabel, ...path));
  const given = await readIfThere(sample.scribble);
  const scribble = given && degradeScribble(given, spec.scribbles, spec.seed, id);
  const label = await readIfThere(artifact(ARTIFACTS.pseudoLabel.labels, `${id}.png`));
  const truth = await readIfThere(sample.mask);
  const heatMap = artifact(ARTIFACTS.pseudoLabel.heatMaps, `${id}.png`);
  const withHeat =
    heatMap !== undefined &&
    (await access(heatMap).then(
      () => true,
      () => false,
    ));
  const says = (map: LabelMap) => listNames(map, classes);

  const pictures: Picture[] = [await imagePicture(await readScaled(sample.image), { title: 'Image', alt: `Training image ${id}` })];
  if (scribble) {
    const caption = { title: 'Scribbles', alt: `Scribbles of ${id}, thickened, over the greyed image: ${says(scribble)}` };
    pictures.push(await scribblePicture(await readScaled(sample.image, true), scribble, caption));
  }
  if (withHeat) {
    const caption = { title: 'Activation (CAM)', alt: `Heat map of the class activation of ${id}` };
    pictures.push(await imagePicture(await readScaled(heatMap), caption));
  }
  if (label) pictures.push(labelPicture(label, { title: 'Pseudo-label', alt: `Pseudo-label of ${id}: ${says(label)}` }));
  if (truth) pictures.push(labelPicture(truth, { title: 'Truth', alt: `True mask of ${id}: ${says(truth)}` }));

  const { classDistance, scribbleDistance } = spec.losses;
  const strips: Strip[] = [];
  if (label && classDistance.enabled) {
    strips.push(await distanceStrip(id, 'Class distance', 'λc', classDistance.lambda, (lambda) => classDistanceMap(label, lambda)));
  }
  if (scribble && scribbleDistance.enabled) {
    const map = (lambda: number) => scribbleDistanceMap(scribble, lambda);
    strips.push(await distanceStrip(id, 'Scribble distance', 'λs', scribbleDistance.lambda, map));
  }
  return { id, classes: scribble ? foregroundClasses(scribble).map((index) => nameOf(classes, index)) : [], pictures, strips };
}

async function distanceStrip(id: string, title: string, symbol: string, lambda: number, map: (lambda: number) => LabelMap): Promise<Strip> {
  const pictures: Picture[] = [];
  for (const offset of LAMBDA_OFFSETS) {
    const exponent = Number((lambda + offset).toFixed(3));
    const caption = { title: `${symbol} = ${exponent}`.replace('-', '−'), alt: `${title} map of ${id} for ${symbol} = ${exponent}` };
    pictures.push(await distancePicture(map(exponent), { ...caption, chosen: offset === 0 }));
  }
  return { title, pictures };
}

async function validationExample(sample: Sample, source: GallerySource): Promise<Example> {
  const { id } = sample;
  const { classes } = source;
  const prediction = await readIfThere(predictionFile(source, id));
  const truth = await readIfThere(sample.mask);
  const says = (map: LabelMap) => listNames(map, classes);
  const image = await readScaled(sample.image);

  const pictures: Picture[] = [await imagePicture(image, { title: 'Image', alt: `Validation image ${id}` })];
  if (prediction) pictures.push(labelPicture(prediction, { title: 'Prediction', alt: `Prediction for ${id}: ${says(prediction)}` }));
  if (truth) pictures.push(labelPicture(truth, { title: 'Truth', alt: `True mask of ${id}: ${says(truth)}` }));
  if (prediction && truth) {
    const share = mistakeShare(prediction, truth);
    const caption = { title: `Mistakes, ${(share * 100).toFixed(1)} %`, alt: `Wrongly labelled pixels of ${id} in red` };
    pictures.push(await mistakesPicture(image, prediction, truth, caption));
  }
  const shown = truth ?? prediction;
  return { id, classes: shown ? foregroundClasses(shown).map((index) => nameOf(classes, index)) : [], pictures, strips: [] };
}

/** Share of the pixels with a truth that are labelled wrongly. */
function mistakeShare(prediction: LabelMap, truth: LabelMap): number {
  let known = 0;
  let wrong = 0;
  for (let pixel = 0; pixel < truth.data.length; pixel++) {
    if (truth.data[pixel] === IGNORE_INDEX) continue;
    known++;
    if (truth.data[pixel] !== prediction.data[pixel]) wrong++;
  }
  return known === 0 ? 0 : wrong / known;
}

function nameOf(classes: readonly string[], index: number): string {
  return classes[index] ?? `class ${index}`;
}

function listNames(map: LabelMap, classes: readonly string[]): string {
  return (
    foregroundClasses(map)
      .map((index) => nameOf(classes, index))
      .join(', ') || 'background only'
  );
}
