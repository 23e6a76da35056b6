import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentSpec } from '../../../operator/api/experiment.ts';
import type { StageEvent } from '../../../operator/api/stage-contract.ts';
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

const model = { backbone: 'efficientnet-lite0' as const, weights: 'None' };

/** Three training images, and a classifier for them below `root`. */
function withClassifier(
  body: (about: { root: string; dataset: ExperimentSpec['dataset']; classify: string }) => Promise<void>,
): Promise<void> {
  return withFolder(async (root) => {
    const folder = await createTestFolder();
    try {
      await fillFolder(folder, 3, 1);
      const classify = join(root, 'classify');
      writeClassifier(classify);
      await body({ root, dataset: folder.settings, classify });
    } finally {
      await folder.remove();
    }
  });
}

test('the quality in the result is that of the labels, whatever was done to them; of sure pixels it tells quality and share', () =>
  withClassifier(async ({ root, dataset, classify }) => {
    const cases = [
      [{ refinement: { method: 'None' } }, ['plain']],
      [{ refinement: { method: 'None' }, paintScribbles: true }, ['plain', 'painted']],
      [{ refinement: { method: 'PixelAdaptive', iterations: 2 } }, ['plain', 'refined']],
      [{ refinement: { method: 'PixelAdaptive', iterations: 2, minProbability: 0.8 } }, ['plain', 'refined'], 'sure'],
    ] as const;
    const results: number[] = [];
    for (const [settings, names, isSure] of cases) {
      const pseudoLabels = { scales: [1], flips: false, backgroundThreshold: 0.3, ...settings };
      const spec = { dataset, model, pseudoLabels };
      const { context, output } = makeContext(join(root, `case-${results.length}`), {
        stage: 'pseudo-label',
        spec,
        upstream: { classify },
      });
      const { meanIou, sureShare } = await pseudoLabel(context);
      const record = JSON.parse(readFileSync(join(output, ARTIFACTS.pseudoLabel.quality), 'utf8')) as {
        quality: Record<string, number>;
        sure?: { meanIou: number; share: number };
      };
      assert.equal(Object.keys(record.quality), names);
      assert.is(meanIou, Object.values(record.quality).at(-1), 'of all pixels, those that are left out with them');
      assert.is(sureShare, record.sure?.share);
      assert.is(record.sure === undefined, isSure === undefined);
      if (record.sure !== undefined) {
        assert.ok(record.sure.share > 0 && record.sure.share < 1, `${record.sure.share} are sure`);
        assert.ok(record.sure.meanIou > 0 && record.sure.meanIou !== meanIou, `their mIoU is ${record.sure.meanIou}`);
      }
      results.push(meanIou as number);
    }
    assert.ok(results[1] > results[0], `scribbles painted over make labels better: ${results.join(', ')}`);
  }));

test('told to stop, it computes no activation more, however far the labels are behind', () =>
  withClassifier(async ({ root, dataset, classify }) => {
    for (const [backgroundThreshold, message] of [
      [0.3, 'stopped after 0 of 3 labels'],
      [undefined, 'stopped while choosing the threshold, after 0 of 3 images'],
    ] as const) {
      let asked = 0;
      const afterSurvey = 3 + 2;
      const spec = { dataset, model, pseudoLabels: { scales: [1], flips: false, backgroundThreshold } };
      const { context } = makeContext(root, {
        stage: 'pseudo-label',
        spec,
        upstream: { classify },
        isStopping: () => ++asked === afterSurvey,
      });
      const error = await refusal(pseudoLabel(context));
      assert.instance(error, Interrupted);
      assert.is(error.message, message);
    }
  }));

test('a threshold at the edge of the candidates comes with a hint to widen them', () =>
  withClassifier(async ({ root, dataset, classify }) => {
    const pseudoLabels = { scales: [1], flips: false, thresholdCandidates: [0.1, 0.9] };
    const { context, events } = makeContext(root, {
      stage: 'pseudo-label',
      spec: { dataset, model, pseudoLabels },
      upstream: { classify },
    });
    const { threshold } = await pseudoLabel(context);
    const said = events.flatMap((event) => (event.type === 'log' ? [event.message] : []));
    assert.ok(
      said.some((message) => message.startsWith(`${Number(threshold)} is the ${threshold === 0.1 ? 'lowest' : 'highest'} candidate, `)),
    );
  }));

const labelsOf = (output: string) => {
  const folder = join(output, ARTIFACTS.pseudoLabel.labels);
  return readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]);
};
const progressOf = (events: readonly StageEvent[]) =>
  events.flatMap((event) => (event.type === 'progress' ? [`${event.label} ${event.done}`] : []));

test('told to stop between threshold and labels, it goes on without the classifier: nothing is computed again', () =>
  withClassifier(async ({ root, dataset, classify }) => {
    const pseudoLabels = { scales: [1], flips: false, refinement: { iterations: 2 } };
    const start = (name: string, isStopping?: (done: readonly string[]) => boolean) => {
      const stage = makeContext(join(root, name), {
        stage: 'pseudo-label',
        spec: { dataset, model, pseudoLabels },
        upstream: { classify },
        isStopping: () => isStopping?.(progressOf(stage.events)) ?? false,
      });
      return stage;
    };
    const whole = start('whole');
    const metrics = await pseudoLabel(whole.context);
    const all = ['threshold 1', 'threshold 2', 'threshold 3', 'labels 4', 'labels 5', 'labels 6'];
    assert.equal(progressOf(whole.events), all);

    const first = start('parts', (done) => done.includes('threshold 3'));
    assert.instance(await refusal(pseudoLabel(first.context)), Interrupted);
    rmSync(classify, { recursive: true });
    const second = start('parts', (done) => done.includes('labels 4'));
    const error = await refusal(pseudoLabel(second.context));
    assert.instance(error, Interrupted);
    assert.is(error.message, 'stopped after 2 of 3 labels');
    assert.equal(progressOf(second.events), ['labels 4']);
    const third = start('parts');
    assert.equal({ ...(await pseudoLabel(third.context)), secondsPerImage: 0 }, { ...metrics, secondsPerImage: 0 });
    assert.equal(progressOf(third.events), ['labels 6']);
    assert.equal(labelsOf(third.output), labelsOf(whole.output));

    // A label that was lost is made again, and no other.
    writeFileSync(join(third.output, ARTIFACTS.pseudoLabel.labels, 't1.png'), '');
    const fourth = start('parts');
    assert.equal({ ...(await pseudoLabel(fourth.context)), secondsPerImage: 0 }, { ...metrics, secondsPerImage: 0 });
    assert.equal(progressOf(fourth.events), ['labels 6']);
    assert.equal(labelsOf(fourth.output), labelsOf(whole.output));
  }));

test.run();
