import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { API_VERSION, Experiment, KIND } from '../../../operator/api/experiment.ts';
import type { ExperimentInput, StageName } from '../../../operator/api/experiment.ts';
import { collectReport } from '../../../operator/report/collect.ts';
import type { ReportSource } from '../../../operator/report/collect.ts';
import type { Picture } from '../../../operator/report/report-data.ts';
import { writeIndexPng } from '../../../trainer-image/data/index-png.ts';
import type { Dataset, LabelMap } from '../../../trainer-image/data/types.ts';
import { historyOf } from './fixture.ts';

const test = suite('the collected report');
const root = mkdtempSync(join(tmpdir(), 'cdsp-collect-'));
test.before.each(() => {
  mkdirSync(root, { recursive: true });
});
test.after.each(() => rmSync(root, { recursive: true }));

const [WIDTH, HEIGHT] = [48, 32];

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
const writeJson = (path: string, value: unknown) => write(path, JSON.stringify(value));
const writeLines = (path: string, lines: readonly unknown[]) => write(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));

function writeManifest(stage: StageName, seconds: number, metrics = {}): void {
  writeJson(`${stage}/manifest.json`, {
    version: 'v1',
    stage,
    key: `key-${stage}`,
    experiment: 'e',
    trainer: '0.1.0',
    seconds,
    metrics,
    files: [],
  });
}

function source(spec: Partial<ExperimentInput['spec']> = {}, more: Partial<ReportSource> = {}): ReportSource {
  const dataset = { folder: { path: root }, classes: ['background', 'cat', 'dog'] };
  const experiment = Experiment.parse({ apiVersion: API_VERSION, kind: KIND, metadata: { name: 'pets' }, spec: { dataset, ...spec } });
  const stages = (['classify', 'pseudo-label', 'segment', 'evaluate'] as const).map((stage) => ({
    stage,
    key: `key-${stage}`,
    folder: join(root, stage),
  }));
  return { experiment, stages, ...more };
}

/** A map that is `inside` in a box and `outside` around it. */
function box(inside: number, outside: number): LabelMap {
  const isInside = (pixel: number) => Math.abs((pixel % WIDTH) - 20) < 8 && Math.abs(Math.floor(pixel / WIDTH) - 16) < 8;
  return {
    width: WIDTH,
    height: HEIGHT,
    data: Uint8Array.from({ length: WIDTH * HEIGHT }, (_, pixel) => (isInside(pixel) ? inside : outside)),
  };
}

async function writePhoto(path: string): Promise<string> {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#b08040' } }).toFile(join(root, path));
  return join(root, path);
}

function writeMap(path: string, map: LabelMap): string {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeIndexPng(join(root, path), map);
  return join(root, path);
}

async function makeDataset(): Promise<Dataset> {
  const sample = async (id: string, inside: number) => ({
    id,
    image: await writePhoto(`images/${id}.jpg`),
    scribble: writeMap(`scribbles/${id}.png`, box(inside, 255)),
    mask: writeMap(`masks/${id}.png`, box(inside, 0)),
  });
  return { classes: ['background', 'cat', 'dog'], train: [await sample('t1', 1), await sample('t2', 2)], val: [await sample('v1', 1)] };
}

const titles = (pictures: readonly Picture[]) => pictures.map(({ title }) => title);

test('an experiment of which nothing has run gives a report without content', async () => {
  const report = await collectReport(source());
  assert.equal(
    report.stages.map(({ state }) => state),
    ['NotRun', 'NotRun', 'NotRun', 'NotRun'],
  );
  assert.equal([report.classify, report.segment, report.evaluation, report.pseudoLabel], [null, null, null, null]);
  assert.equal([report.counts, report.notes, report.validation], [[], [], []]);
  assert.equal(report.classes, [
    { name: 'background', color: '#000000' },
    { name: 'cat', color: '#800000' },
    { name: 'dog', color: '#008000' },
  ]);
});

test('stages are complete, unfinished, not run or not needed', async () => {
  writeManifest('segment', 12.5);
  write('evaluate/half.png', 'half');
  const { stages } = source();
  const report = await collectReport(source({}, { stages: stages.filter(({ stage }) => stage !== 'classify') }));
  assert.equal(
    report.stages.map(({ state }) => state),
    ['NotNeeded', 'NotRun', 'Complete', 'Unfinished'],
  );
  assert.equal(
    report.stages.map(({ seconds }) => seconds),
    [null, null, 12.5, null],
  );
});

test('a classifier whose folder is gone is needed only as long as its pseudo-labels are not there', async () => {
  const classifyOf = async () => (await collectReport(source())).stages[0].state;
  writeManifest('segment', 1);
  assert.is(await classifyOf(), 'NotRun');
  writeManifest('pseudo-label', 1);
  assert.is(await classifyOf(), 'NotNeeded');
});

test('the stage that failed says so, and not that it is unfinished', async () => {
  writeManifest('classify', 1);
  write('pseudo-label/labels/half.png', 'half');
  const failure = { stage: 'pseudo-label', message: 'is damaged', file: '/data/a.png' } as const;
  const report = await collectReport(source({}, { failure }));
  assert.equal(
    report.stages.map(({ state }) => state),
    ['Complete', 'Failed', 'NotRun', 'NotRun'],
  );
  assert.equal(report.failure, failure);
});

test('curves, quality and evaluation are read and the counts come from them', async () => {
  writeLines('segment/history.jsonl', historyOf(30, ['scribble', 'lorm']));
  writeLines('segment/validation.jsonl', [
    { epoch: 1, step: 9, meanIou: 0.4, iou: [0.4, null, 0.4] },
    { epoch: 2, step: 19, meanIou: null, iou: [] },
  ]);
  writeJson('pseudo-label/quality.json', {
    threshold: 0.3,
    candidates: [
      { threshold: 0.3, agreement: 0.6 },
      { threshold: 0.2, agreement: 0.5 },
    ],
    quality: { plain: 0.41, refined: 0.72 },
    sure: { meanIou: 0.85, share: 0.77 },
    images: 5,
    imagesWithoutScribble: 1,
  });
  const confusion = [
    [90, 10, 0],
    [5, 5, 0],
    [0, 0, 0],
  ];
  writeJson('evaluate/evaluation.json', {
    classes: ['background', 'cat', 'dog'],
    confusion,
    iou: [0.8, 0.25, null],
    meanIou: 0.53,
    pixelAccuracy: 0.86,
    images: 2,
  });
  const report = await collectReport(source());
  assert.equal(
    report.segment?.terms.map(({ name }) => name),
    ['scribble', 'lorm'],
  );
  assert.equal(report.validation, [{ epoch: 1, step: 9, meanIou: 0.4 }]);
  assert.equal(
    report.pseudoLabel?.candidates.map(({ threshold }) => threshold),
    [0.2, 0.3],
  );
  assert.equal(report.pseudoLabel?.quality, [
    { name: 'plain', meanIou: 0.41 },
    { name: 'refined', meanIou: 0.72 },
  ]);
  assert.equal(report.pseudoLabel?.sure, { meanIou: 0.85, share: 0.77 });
  assert.equal(report.evaluation?.iou, [0.8, 0.25, null]);
  assert.equal(report.counts, [
    { label: 'Training images', value: 5 },
    { label: 'Images without a scribble', value: 1 },
    { label: 'Validation images', value: 2 },
    { label: 'Pixels evaluated', value: 110 },
  ]);
  assert.equal(report.notes, []);
});

test('without pseudo-labels the count of images without a scribble comes from a manifest', async () => {
  writeManifest('segment', 1, { imagesWithoutScribble: 4 });
  const { counts } = await collectReport(source());
  assert.equal(counts, [{ label: 'Images without a scribble', value: 4 }]);
});

test('a line that a killed stage has not finished is passed over', async () => {
  write('segment/history.jsonl', '{"step":0,"epoch":0,"loss":2}\n{"step":1,"epo');
  const report = await collectReport(source());
  assert.equal(report.segment?.total.mean, [2]);
  assert.equal(report.notes, []);
});

test('damaged files are noted and the rest is reported', async () => {
  write('segment/history.jsonl', 'rubbish\n{"step":0,"epoch":0,"loss":2}\n');
  write('evaluate/evaluation.json', '{"classes":["a"],"confusion":[[1,2]],"iou":[1],"meanIou":1,"pixelAccuracy":1,"images":1}');
  const report = await collectReport(source());
  assert.equal(report.segment?.total.mean, [2]);
  assert.is(report.evaluation, null);
  assert.is(report.notes.length, 2);
  assert.ok(report.notes.some((note) => note.includes('evaluation.json')));
  assert.ok(report.notes.some((note) => note.includes('history.jsonl: 1 damaged line')));
});

test('the gallery shows every picture that there is, and both distance maps around the configured λ', async () => {
  const dataset = await makeDataset();
  writeMap('pseudo-label/labels/t2.png', box(2, 0));
  await writePhoto('pseudo-label/heat-maps/t2.png');
  writeMap('evaluate/predictions/v1.png', box(1, 2));
  const { gallery, notes } = await collectReport(source({ losses: { classDistance: { lambda: 7 } } }, { dataset }));
  assert.equal(notes, []);
  // Heat maps are kept of the chosen images only.
  assert.equal(
    gallery.training.map(({ id }) => id),
    ['t2'],
  );
  const [training] = gallery.training;
  assert.equal(training.classes, ['dog']);
  assert.equal(titles(training.pictures), ['Image', 'Scribbles', 'Activation (CAM)', 'Pseudo-label', 'Truth']);
  assert.equal(titles(training.strips[0].pictures), ['λc = 5', 'λc = 6', 'λc = 7', 'λc = 8', 'λc = 9']);
  assert.equal(titles(training.strips[1].pictures), ['λs = −1', 'λs = 0', 'λs = 1', 'λs = 2', 'λs = 3']);
  assert.equal(
    training.strips.map(({ pictures }) => pictures.findIndex(({ chosen }) => chosen)),
    [2, 2],
  );
  const [validation] = gallery.validation;
  assert.equal(titles(validation.pictures), ['Image', 'Prediction', 'Truth', 'Mistakes, 85.4 %']);
  assert.ok([...training.pictures, ...validation.pictures].every(({ src }) => /^data:image\/(png|webp);base64,/.test(src)));
});

test('a run on scribbles alone shows images, scribbles and truth', async () => {
  const dataset = await makeDataset();
  const off = { enabled: false };
  const { gallery } = await collectReport(source({ losses: { classDistance: off, scribbleDistance: off } }, { dataset }));
  assert.equal(
    gallery.training.map(({ id }) => id),
    ['t1', 't2'],
  );
  assert.equal(titles(gallery.training[0].pictures), ['Image', 'Scribbles', 'Truth']);
  assert.equal(gallery.training[0].strips, []);
  assert.equal(gallery.validation, []);
});

test('scribbles are shown as they were trained on, degraded', async () => {
  const dataset = await makeDataset();
  const { gallery } = await collectReport(source({ scribbles: { drop: 1 } }, { dataset }));
  assert.equal(
    gallery.training.map(({ classes }) => classes),
    [[], []],
  );
});

test('an image that cannot be read is noted and the others are shown', async () => {
  const dataset = await makeDataset();
  write('images/t1.jpg', 'no picture');
  const { gallery, notes } = await collectReport(source({}, { dataset }));
  assert.equal(
    gallery.training.map(({ id }) => id),
    ['t2'],
  );
  assert.is(notes.length, 1);
  assert.match(notes[0], /^Image t1 is not shown: /);
});

test('a small palette picture of a label map is exact', async () => {
  const dataset = await makeDataset();
  writeMap('evaluate/predictions/v1.png', box(1, 2));
  const { gallery } = await collectReport(source({}, { dataset }));
  const prediction = gallery.validation[0].pictures[1];
  const { data, info } = await sharp(Buffer.from(prediction.src.split(',')[1], 'base64'))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert.equal([info.width, info.height, prediction.crisp], [WIDTH, HEIGHT, true]);
  assert.equal([...data.subarray(0, 3)], [0, 128, 0]);
  const center = (16 * WIDTH + 20) * 3;
  assert.equal([...data.subarray(center, center + 3)], [128, 0, 0]);
});

test.run();
