import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageEvent } from '../../../operator/api/stage-contract.ts';
import { ARTIFACTS } from '../../../trainer-image/artifacts.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { createSegmentor } from '../../../trainer-image/model/segmentor.ts';
import { writeSafetensors } from '../../../trainer-image/model/weights/safetensors.ts';
import { evaluate } from '../../../trainer-image/stages/evaluate.ts';
import { modelMetadata } from '../../../trainer-image/stages/model-metadata.ts';
import { Interrupted } from '../../../trainer-image/stages/stage-context.ts';
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

const stage = (root: string, { settings }: TestFolder, evaluation = {}, isStopping?: () => boolean) =>
  makeContext(root, {
    stage: 'evaluate',
    spec: { dataset: settings, evaluation },
    upstream: { segment: writeSegmentor(join(root, 'segment')) },
    isStopping,
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

test('told to stop, it goes on with the next image and measures the same; a prediction that was lost is made again', ({ folder }) =>
  withFolder(async (root) => {
    const images = (events: readonly StageEvent[]) => events.flatMap((event) => (event.type === 'progress' ? [event.done] : []));
    const whole = stage(join(root, 'whole'), folder);
    const metrics = await evaluate(whole.context);
    assert.equal(images(whole.events), [1, 2, 3]);

    const parts = join(root, 'parts');
    let asked = 0;
    const first = stage(parts, folder, {}, () => ++asked === 3);
    const error = await refusal(evaluate(first.context));
    assert.instance(error, Interrupted);
    assert.is(error.message, 'stopped after 2 of 3 images');
    const second = stage(parts, folder);
    assert.equal(await evaluate(second.context), metrics);
    assert.equal(images(second.events), [3]);
    assert.equal(readEvaluation(second.output), readEvaluation(whole.output));

    writeFileSync(join(second.output, ARTIFACTS.evaluate.predictions, 'v0.png'), '');
    const third = stage(parts, folder);
    assert.equal(await evaluate(third.context), metrics);
    assert.equal(images(third.events), [3]);
  }));

test.run();
