import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ARTIFACTS } from '../../../trainer-image/artifacts.ts';
import { degradeScribble } from '../../../trainer-image/data/degrade.ts';
import { readIndexPng } from '../../../trainer-image/data/index-png.ts';
import { pseudoLabel } from '../../../trainer-image/stages/pseudo-label.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { createTestFolder, fillFolder, type TestFolder } from '../data/folders.ts';
import { makeContext } from './contexts.ts';

// Pseudo-labels of another method, through the stage itself. All of them say background; one does not know its first row.
const [WIDTH, HEIGHT, SEED] = [24, 16, 3];
const UNKNOWN = Array.from({ length: WIDTH * HEIGHT }, (_, pixel) => (pixel < WIDTH ? 255 : 0));
const BACKGROUND = UNKNOWN.map(() => 0);

const test = suite<{ folder: TestFolder }>('external labels');
test.before.each(async (context) => {
  context.folder = await createTestFolder();
  await fillFolder(context.folder, 2, 1);
  await context.folder.writeLabels('External/t0.png', WIDTH, HEIGHT, UNKNOWN);
  await context.folder.writeLabels('External/t1.png', WIDTH, HEIGHT, BACKGROUND);
});
test.after.each(({ folder }) => folder.remove());

interface Changes {
  readonly paintScribbles?: boolean;
  readonly scribbles?: { readonly shrink: number };
}

async function adopt(root: string, folder: TestFolder, { paintScribbles, scribbles }: Changes = {}) {
  const pseudoLabels = { source: 'External' as const, external: { path: join(folder.path, 'External') }, paintScribbles };
  const spec = { seed: SEED, dataset: folder.settings, pseudoLabels, scribbles };
  const { context, output } = makeContext(root, { stage: 'pseudo-label', spec });
  const metrics = await pseudoLabel(context);
  const labels = (id: string) => readIndexPng(join(output, ARTIFACTS.pseudoLabel.labels, `${id}.png`));
  return { metrics, labels: [[...(await labels('t0')).data], [...(await labels('t1')).data]] };
}

test('they are taken over as they are, unknown pixels and all; their quality counts those as missed', ({ folder }) =>
  withFolder(async (root) => {
    const { metrics, labels } = await adopt(root, folder);
    assert.equal(labels, [UNKNOWN, BACKGROUND]);
    // The left half of each mask is background, the right half cat or dog: 12 of 24 columns, the first row of t0 missed.
    const half = 12 * HEIGHT;
    const background = (2 * half - 12) / (2 * 2 * half - 12);
    const meanIou = metrics.meanIou as number;
    assert.ok(Math.abs(meanIou - background / 3) < 1e-12, `mIoU ${meanIou}`);
  }));

test('scribbles are painted over them where asked for, as degraded as in training', ({ folder }) =>
  withFolder(async (root) => {
    const { labels } = await adopt(root, folder, { paintScribbles: true, scribbles: { shrink: 0.6 } });
    const whole = await readIndexPng(join(folder.path, 'Scribbles/t0.png'));
    const scribble = degradeScribble(whole, { shrink: 0.6, drop: 0 }, SEED, 't0');
    assert.not.equal(scribble.data, whole.data);
    assert.equal(
      labels[0],
      UNKNOWN.map((label, i) => (scribble.data[i] === 255 ? label : scribble.data[i])),
    );
  }));

test('without any mask there is no quality', ({ folder }) =>
  withFolder(async (root) => {
    const { settings } = folder;
    const masks = 'SegmentationClassOfVal';
    const mask = await readIndexPng(join(folder.path, 'SegmentationClass/v0.png'));
    await folder.writeLabels(`${masks}/v0.png`, WIDTH, HEIGHT, [...mask.data]);
    const withoutMasks = { ...folder, settings: { ...settings, folder: { ...settings.folder!, masks } } };
    assert.is((await adopt(root, withoutMasks)).metrics.meanIou, null);
  }));

test.run();
