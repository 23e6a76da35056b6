import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataset } from '../../../../trainer-image/data/dataset.ts';
import { GENERATOR_CLASSES } from '../../../../trainer-image/data/generator/drawings.ts';
import { ensureScenes, scenesDigest } from '../../../../trainer-image/data/generator/ensure-scenes.ts';
import { readImage } from '../../../../trainer-image/data/images.ts';
import { readIndexPng } from '../../../../trainer-image/data/index-png.ts';
import { surveyScribbles } from '../../../../trainer-image/data/survey.ts';
import { ExperimentSpec } from '../../../../operator/api/experiment.ts';

const settings = { train: 5, val: 2, size: 48, maxObjects: 2, seed: 3 };
let root = '';
test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'cdsp-scenes-'));
});
test.after(() => rm(root, { recursive: true, force: true }));

/** All files below a folder with their bytes. */
async function contents(folder: string): Promise<Record<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const pairs = files.map(async ({ parentPath, name }) => {
    const file = join(parentPath, name);
    return [file.slice(folder.length), (await readFile(file)).toString('base64')] as const;
  });
  return Object.fromEntries((await Promise.all(pairs)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('scenes form a data set that opens with default settings and has a scribble for every class', async () => {
  const path = await ensureScenes(settings, root);
  const spec = ExperimentSpec.parse({ dataset: { folder: { path } } });
  const dataset = await openDataset(spec.dataset);
  assert.equal(dataset.classes, GENERATOR_CLASSES);
  assert.equal([dataset.train.length, dataset.val.length], [5, 2]);
  const survey = await surveyScribbles(dataset);
  const labels = [...survey.imageLabels.values()];
  GENERATOR_CLASSES.slice(1).forEach((name, k) =>
    assert.ok(
      labels.some((label) => label[k] === 1),
      name,
    ),
  );
  assert.equal(survey.unannotated, []);
  const [sample] = dataset.val;
  const image = await readImage(sample.image);
  const mask = await readIndexPng(sample.mask ?? '');
  assert.equal([image.width, image.height, mask.width, mask.height], [48, 48, 48, 48]);
});

test('scenes that are there already are reused, without any work', async () => {
  const path = await ensureScenes(settings, root);
  let reports = 0;
  assert.is(await ensureScenes(settings, root, () => reports++), path);
  assert.is(reports, 0);
});

test('equal settings give equal bytes anywhere, other settings another folder', async () => {
  const elsewhere = join(root, 'elsewhere');
  const reports: string[] = [];
  const [a, b] = [
    await ensureScenes(settings, root),
    await ensureScenes(settings, elsewhere, (done, total) => reports.push(`${done}/${total}`)),
  ];
  assert.equal(await contents(a), await contents(b));
  assert.equal([reports[0], reports.at(-1)], ['1/7', '7/7']);
  for (const change of [{ train: 6 }, { val: 3 }, { size: 49 }, { maxObjects: 1 }, { seed: 4 }]) {
    assert.is.not(scenesDigest({ ...settings, ...change }), scenesDigest(settings));
  }
});

test('more scenes begin with the same ones', async () => {
  const few = await ensureScenes(settings, root);
  const more = await ensureScenes({ ...settings, train: 6 }, root);
  const [a, b] = [await contents(few), await contents(more)];
  assert.is(b['/JPEGImages/train-0004.png'], a['/JPEGImages/train-0004.png']);
  assert.is(b['/Scribbles/val-0001.png'], a['/Scribbles/val-0001.png']);
});

test('two runs that ask at once share one folder, and no temporary folder stays', async () => {
  const shared = join(root, 'shared');
  const paths = await Promise.all([ensureScenes(settings, shared), ensureScenes(settings, shared)]);
  assert.is(paths[0], paths[1]);
  assert.equal(await readdir(join(shared, 'data')), [scenesDigest(settings)]);
});

test('what a killed process left behind goes; what another one is making stays', async () => {
  const place = join(root, 'killed', 'data');
  const [left, busy] = ['left', 'busy'].map((name) => join(place, `${scenesDigest(settings)}.making-${name}`));
  for (const folder of [left, busy]) await mkdir(folder, { recursive: true });
  await utimes(left, 0, 0);
  await ensureScenes(settings, join(root, 'killed'));
  assert.equal((await readdir(place)).sort(), [scenesDigest(settings), basename(busy)]);
});

test('a folder from which files were deleted is made anew', async () => {
  const path = await ensureScenes(settings, root);
  const before = await contents(path);
  await rm(join(path, 'Scribbles', 'train-0001.png'));
  assert.is(await ensureScenes(settings, root), path);
  assert.equal(await contents(path), before);
});

test('a place that cannot be written is named', async () => {
  const file = join(root, 'a-file');
  await writeFile(file, '');
  try {
    await ensureScenes(settings, file);
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /cannot be written/);
    assert.is((error as { field?: string }).field, 'spec.storage.path');
  }
});

test.run();
