import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openStageDataset, surveyStageScribbles } from '../../../trainer-image/stages/stage-data.ts';
import { Interrupted } from '../../../trainer-image/stages/stage-context.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { makeContext, refusal } from './contexts.ts';

const spec = { dataset: { generator: { train: 3, val: 2, size: 48 } } };

test('making scenes is reported as preparation; scenes that are there already are not made again', () =>
  withFolder(async (root) => {
    const first = makeContext(root, { stage: 'classify', spec });
    const dataset = await openStageDataset(first.context);
    assert.equal([dataset.train.length, dataset.val.length], [3, 2]);
    const progress = first.events.flatMap((event) =>
      event.type === 'progress' && event.preparing === true ? [`${event.label} ${event.done}/${event.total}`] : [],
    );
    assert.equal(progress, ['scenes 1/5', 'scenes 2/5', 'scenes 3/5', 'scenes 4/5', 'scenes 5/5']);
    const second = makeContext(root, { stage: 'segment', spec });
    assert.equal(await openStageDataset(second.context), dataset);
    assert.equal(second.events, []);
  }));

test('a stage that is told to stop while it makes scenes does so at the next one and leaves nothing behind', () =>
  withFolder(async (root) => {
    let asked = 0;
    const { context } = makeContext(root, { stage: 'classify', spec, isStopping: () => ++asked === 2 });
    const error = await refusal(openStageDataset(context));
    assert.instance(error, Interrupted);
    assert.is(error.message, 'stopped after 2 of 5 scenes');
    assert.equal(existsSync(join(root, 'data')) ? readdirSync(join(root, 'data')) : [], []);
  }));

/** A split of many images that are all the same few. */
async function manyImages(root: string, images: number) {
  const { train, ...dataset } = await openStageDataset(
    makeContext(root, { stage: 'classify', spec: { dataset: { generator: { train: 5, val: 1, size: 48 } } } }).context,
  );
  return { ...dataset, train: Array.from({ length: images }, (_, index) => ({ ...train[index % train.length], id: `${index}` })) };
}

test('looking at many scribbles is shown, at few not', () =>
  withFolder(async (root) => {
    for (const [images, shown] of [
      [20, 0],
      [500, 500],
    ]) {
      const { context, events } = makeContext(root, { stage: 'classify', spec });
      await surveyStageScribbles(await manyImages(root, images), context);
      const progress = events.flatMap((event) => (event.type === 'progress' ? [event] : []));
      assert.is(progress.length, shown);
      if (shown > 0)
        assert.equal(progress.at(-1), { type: 'progress', label: 'scribbles', done: 500, total: 500, unit: 'image', preparing: true });
    }
  }));

test('a stage that is told to stop while it looks at the scribbles does so at the next one', () =>
  withFolder(async (root) => {
    let asked = 0;
    const { context } = makeContext(root, { stage: 'classify', spec, isStopping: () => ++asked === 3 });
    const error = await refusal(surveyStageScribbles(await manyImages(root, 100), context));
    assert.instance(error, Interrupted);
    assert.is(error.message, 'stopped after looking at the scribbles of 3 of 100 images');
  }));

test.run();
