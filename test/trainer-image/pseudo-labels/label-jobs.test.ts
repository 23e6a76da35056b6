import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readImage } from '../../../trainer-image/data/images.ts';
import { readIndexPng, writeIndexPng } from '../../../trainer-image/data/index-png.ts';
import { createWorkerPool } from '../../../trainer-image/data/thread-pool.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { createConfusion } from '../../../trainer-image/evaluation/confusion.ts';
import type { LabelResult, LabelTask, PseudoLabelContext, ScoreTask } from '../../../trainer-image/pseudo-labels/label-jobs.ts';

const [WIDTH, HEIGHT] = [48, 32];
const module = new URL('../../../trainer-image/pseudo-labels/label-jobs.ts', import.meta.url).href;
const settings: PseudoLabelContext['settings'] = {
  refinement: { method: 'PixelAdaptive', iterations: 60, dilations: [1, 2, 4, 8], fixScribbles: true, minProbability: 0 },
  paintScribbles: false,
  thresholdCandidates: [0.2, 0.5, 0.8],
};

interface Context {
  root: string;
  task: LabelTask;
  context: PseudoLabelContext;
}
const test = suite<Context>('worker');

/** A picture whose right half is class 2; the activation covers only a quarter of it. */
test.before.each(async (state) => {
  const root = await mkdtemp(join(tmpdir(), 'pseudo-labels-'));
  const right = (i: number) => i % WIDTH >= WIDTH / 2;
  const path = (name: string) => join(root, name);
  const pixels = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (right(Math.floor(i / 3)) ? 210 : 50) + (i % 7));
  await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toFile(path('a.png'));
  const mask = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => (right(i) ? 2 : 0));
  const scribble = mask.map((label, i) => (Math.floor(i / WIDTH) === 16 && i % 4 === 0 ? label : 255));
  writeIndexPng(path('scribble.png'), { width: WIDTH, height: HEIGHT, data: scribble });
  writeIndexPng(path('mask.png'), { width: WIDTH, height: HEIGHT, data: mask });
  await mkdir(path('labels'));
  await mkdir(path('heat-maps'));
  await mkdir(path('unfinished'));
  const activations = { width: 4, height: 2, planes: [Float32Array.from([0, 0, 1, 3, 0, 0, 0.5, 1])], classIndices: [2] };
  const sample = { id: 'a', image: path('a.png'), scribble: path('scribble.png'), mask: path('mask.png') };
  state.root = root;
  state.task = { sample, activations, threshold: 0.4, heatMap: true };
  const folders = { labels: path('labels'), heatMaps: path('heat-maps'), unfinished: path('unfinished') };
  state.context = { classes: ['background', 'b', 'c'], settings, ...folders };
});
test.after.each(({ root }) => rm(root, { recursive: true }));

async function inPool<Task, Result>(job: string, context: PseudoLabelContext, task: Task): Promise<Result> {
  const pool = createWorkerPool<Task, Result>({ module, job, context }, 1);
  try {
    return await pool.run(task);
  } finally {
    await pool.close();
  }
}

test('a thread refines, writes label and heat map, and counts the quality of both labels', async ({ task, context }) => {
  const result = await inPool<LabelTask, LabelResult>('makePseudoLabel', context, task);
  const labels = await readIndexPng(join(context.labels, 'a.png'));
  assert.equal([...new Set(labels.data)].sort(), [0, 2]);
  const [plain, final] = [createConfusion(3), createConfusion(3)];
  plain.merge(result.quality!.plain);
  final.merge(result.quality!.final);
  assert.ok(final.meanIou()! > 0.95 && plain.meanIou()! < 0.8, `${plain.meanIou()} → ${final.meanIou()}`);
  const heat = await readImage(join(context.heatMaps, 'a.png'));
  assert.equal([heat.width, heat.height], [WIDTH, HEIGHT]);
  assert.equal([...(await readdir(context.labels)), ...(await readdir(context.heatMaps))], ['a.png', 'a.png'], 'no temporary file is left');
});

test('pixels of which the refinement is not sure are written as 255; the quality of all stays', async ({ task, context }) => {
  const strict = { ...settings, refinement: { ...settings.refinement, iterations: 2, minProbability: 0.9 } };
  const loose = { ...strict, refinement: { ...strict.refinement, minProbability: 0 } };
  const all = await inPool<LabelTask, LabelResult>('makePseudoLabel', { ...context, settings: loose }, task);
  const every = await readIndexPng(join(context.labels, 'a.png'));
  const sure = await inPool<LabelTask, LabelResult>('makePseudoLabel', { ...context, settings: strict }, task);
  const labels = await readIndexPng(join(context.labels, 'a.png'));
  const left = labels.data.filter((label) => label === 255).length;
  assert.ok(left > 0 && left < WIDTH * HEIGHT, `${left} left out`);
  assert.ok(labels.data.every((label, i) => label === 255 || label === every.data[i]));
  const scribble = await readIndexPng(task.sample.scribble!);
  assert.ok(
    scribble.data.every((label, i) => label === 255 || labels.data[i] === label),
    'scribbled pixels are sure',
  );
  assert.equal(sure.quality!.final, all.quality!.final);
  assert.is(
    sure.quality!.written.missed.reduce((sum, count) => sum + count, 0),
    left,
  );
});

test('without refinement the plain label is written, with scribbles painted over it if asked for', async ({ task, context }) => {
  const plainSettings = { ...settings, refinement: { ...settings.refinement, method: 'None' as const } };
  const labelled = async () => (await readIndexPng(join(context.labels, 'a.png'))).data.filter((label) => label === 2).length;
  const plain = await inPool<LabelTask, LabelResult>('makePseudoLabel', { ...context, settings: plainSettings }, task);
  const before = await labelled();
  assert.equal([...plain.quality!.plain.counts], [...plain.quality!.final.counts]);
  await inPool<LabelTask, LabelResult>('makePseudoLabel', { ...context, settings: { ...plainSettings, paintScribbles: true } }, task);
  assert.ok((await labelled()) > before);
});

test('without mask there is no quality, without heat map no file', async ({ task, context }) => {
  const sample = { ...task.sample, mask: undefined };
  const result = await inPool<LabelTask, LabelResult>('makePseudoLabel', context, { ...task, sample, heatMap: false });
  assert.is(result.quality, undefined);
  assert.equal(await readdir(context.heatMaps), []);
});

test('a thread scores every threshold on the scribbles', async ({ task, context }) => {
  const { sample, activations } = task;
  const counts = await inPool<ScoreTask, Float64Array[]>('scoreThresholds', context, { sample, activations });
  const scribbled = 12;
  assert.equal(
    counts.map((table) => table.reduce((a, b) => a + b)),
    [scribbled, scribbled, scribbled],
  );
  assert.ok(counts[0][2 * 3 + 2] > counts[2][2 * 3 + 2]);
});

test('a mask of another size is bad input that names the file', async ({ task, context }) => {
  writeIndexPng(task.sample.mask!, { width: 2, height: 2, data: new Uint8Array(4) });
  try {
    await inPool<LabelTask, LabelResult>('makePseudoLabel', context, task);
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof BadInputError, String(error));
    assert.match(error.file ?? '', /mask\.png$/);
  }
});

test.run();
