import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ARTIFACTS } from '../../../trainer-image/artifacts.ts';
import { createClassifier } from '../../../trainer-image/model/segmentor.ts';
import { writeSafetensors } from '../../../trainer-image/model/weights/safetensors.ts';
import { pseudoLabel } from '../../../trainer-image/stages/pseudo-label.ts';
import { Interrupted } from '../../../trainer-image/stages/stage-context.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { createTestFolder, fillFolder } from '../data/folders.ts';
import { makeContext, refusal } from './contexts.ts';

/** A classifier that has learnt nothing; small numbers that follow no pattern are as good as any. */
function writeClassifier(folder: string): void {
  mkdirSync(folder, { recursive: true });
  let state = 1;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
  const { parameters } = createClassifier({ backbone: 'efficientnet-lite0', outputStride: 16, classes: 3 }, random);
  writeSafetensors(join(folder, ARTIFACTS.classify.weights), parameters.export());
  parameters.dispose();
}

test('the quality in the result is that of the labels which are written, whatever was done to them', () =>
  withFolder(async (root) => {
    const folder = await createTestFolder();
    try {
      await fillFolder(folder, 3, 1);
      const classify = join(root, 'classify');
      writeClassifier(classify);
      const cases = [
        [{ refinement: { method: 'None' } }, ['plain']],
        [{ refinement: { method: 'None' }, paintScribbles: true }, ['plain', 'painted']],
        [{ refinement: { method: 'PixelAdaptive', iterations: 2 } }, ['plain', 'refined']],
      ] as const;
      const results: number[] = [];
      for (const [settings, names] of cases) {
        const pseudoLabels = { scales: [1], flips: false, backgroundThreshold: 0.3, ...settings };
        const model = { backbone: 'efficientnet-lite0' as const, weights: 'None' };
        const spec = { dataset: folder.settings, model, pseudoLabels };
        const { context, output } = makeContext(root, { stage: 'pseudo-label', spec, upstream: { classify } });
        const { meanIou } = await pseudoLabel(context);
        const { quality } = JSON.parse(readFileSync(join(output, ARTIFACTS.pseudoLabel.quality), 'utf8')) as {
          quality: Record<string, number>;
        };
        assert.equal(Object.keys(quality), names);
        assert.is(meanIou, Object.values(quality).at(-1));
        results.push(meanIou as number);
      }
      assert.ok(results[1] > results[0], `scribbles painted over make labels better: ${results.join(', ')}`);
    } finally {
      await folder.remove();
    }
  }));

test('told to stop, it computes no activation more, however far the labels are behind', () =>
  withFolder(async (root) => {
    const folder = await createTestFolder();
    try {
      await fillFolder(folder, 3, 1);
      const classify = join(root, 'classify');
      writeClassifier(classify);
      const model = { backbone: 'efficientnet-lite0' as const, weights: 'None' };
      for (const [backgroundThreshold, message] of [
        [0.3, 'stopped after 0 of 3 labels'],
        [undefined, 'stopped while choosing the threshold, after 0 of 3 images'],
      ] as const) {
        let asked = 0;
        const spec = { dataset: folder.settings, model, pseudoLabels: { scales: [1], flips: false, backgroundThreshold } };
        const { context } = makeContext(root, { stage: 'pseudo-label', spec, upstream: { classify }, isStopping: () => ++asked === 2 });
        const error = await refusal(pseudoLabel(context));
        assert.instance(error, Interrupted);
        assert.is(error.message, message);
      }
    } finally {
      await folder.remove();
    }
  }));

test.run();
