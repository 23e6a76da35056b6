import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ARTIFACTS } from '../../../trainer-image/artifacts.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { createSegmentor } from '../../../trainer-image/model/segmentor.ts';
import { writeSafetensors } from '../../../trainer-image/model/weights/safetensors.ts';
import { evaluate } from '../../../trainer-image/stages/evaluate.ts';
import { modelMetadata } from '../../../trainer-image/stages/model-metadata.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { createTestFolder, fillFolder, type TestFolder } from '../data/folders.ts';
import { makeContext, refusal } from './contexts.ts';

const test = suite<{ folder: TestFolder }>('evaluate');
test.before.each(async (context) => {
  context.folder = await createTestFolder();
  await fillFolder(context.folder, 1, 3);
});
test.after.each(({ folder }) => folder.remove());

/** A segmentor that has learnt nothing. */
function writeSegmentor(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const model = { backbone: 'efficientnet-lite0', segmentor: 'deeplabv2', outputStride: 16 } as const;
  const { parameters } = createSegmentor({ ...model, classes: 3, lorm: false }, createRandom('segmentor'));
  const metadata = modelMetadata({ ...model, classes: ['background', 'cat', 'dog'] });
  writeSafetensors(join(folder, ARTIFACTS.segment.weights), parameters.export(), metadata);
  parameters.dispose();
  return folder;
}

const stage = (root: string, { settings }: TestFolder, evaluation = {}) =>
  makeContext(root, {
    stage: 'evaluate',
    spec: { dataset: settings, evaluation },
    upstream: { segment: writeSegmentor(join(root, 'segment')) },
  });

const readEvaluation = (output: string): unknown => JSON.parse(readFileSync(join(output, ARTIFACTS.evaluate.evaluation), 'utf8'));

for (const [what, damage] of [
  ['no folder of masks', (path: string) => rm(path, { recursive: true })],
  ['an empty folder of masks', async (path: string) => Promise.all(readdirSync(path).map((file) => rm(join(path, file))))],
] as const) {
  test(`with ${what}, predictions are written and what would be measured is null`, ({ folder }) =>
    withFolder(async (root) => {
      await damage(join(folder.path, 'SegmentationClass'));
      const { context, events, output } = stage(root, folder);
      const nothing = { iou: null, meanIou: null, pixelAccuracy: null, images: 3 };
      assert.equal(await evaluate(context), { classes: ['background', 'cat', 'dog'], ...nothing });
      assert.equal(readEvaluation(output), { classes: ['background', 'cat', 'dog'], confusion: null, ...nothing });
      assert.equal(readdirSync(join(output, ARTIFACTS.evaluate.predictions)).sort(), ['v0.png', 'v1.png', 'v2.png']);
      const warnings = events.flatMap((event) => (event.type === 'log' && event.level === 'warning' ? [event.message] : []));
      assert.equal(warnings, ['Nothing was scored: the masks of the validation images (3) are not there.']);
      assert.not.ok(events.some((event) => event.type === 'progress' && 'meanIou' in event));
    }));
}

test('without masks and without predictions to keep, no image is looked at', ({ folder }) =>
  withFolder(async (root) => {
    await rm(join(folder.path, 'SegmentationClass'), { recursive: true });
    const { context, events } = stage(root, folder, { savePredictions: false });
    assert.is((await evaluate(context)).meanIou, null);
    assert.not.ok(events.some(({ type }) => type === 'progress'));
  }));

test('a validation split of which some masks are missing is bad input that names the file', ({ folder }) =>
  withFolder(async (root) => {
    await rm(join(folder.path, 'SegmentationClass/v1.png'));
    const error = await refusal(evaluate(stage(root, folder).context));
    assert.instance(error, BadInputError);
    assert.match((error as BadInputError).file ?? '', /SegmentationClass\/v1\.png$/);
  }));

test.run();
