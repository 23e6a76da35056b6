import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openStageDataset } from '../../../trainer-image/stages/stage-data.ts';
import { Interrupted } from '../../../trainer-image/stages/stage-context.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { makeContext, refusal } from './contexts.ts';

const spec = { dataset: { generator: { train: 3, val: 2, size: 48 } } };

test('making scenes is reported as progress; scenes that are there already are not made again', () =>
  withFolder(async (root) => {
    const first = makeContext(root, { stage: 'classify', spec });
    const dataset = await openStageDataset(first.context);
    assert.equal([dataset.train.length, dataset.val.length], [3, 2]);
    const progress = first.events.flatMap((event) => (event.type === 'progress' ? [`${event.label} ${event.done}/${event.total}`] : []));
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

test.run();
