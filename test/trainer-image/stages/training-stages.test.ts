import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ARTIFACTS } from '../../../trainer-image/artifacts.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { classify } from '../../../trainer-image/stages/classify.ts';
import { segment } from '../../../trainer-image/stages/segment.ts';
import { Interrupted } from '../../../trainer-image/stages/stage-context.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { createTestFolder, fillFolder, type TestFolder } from '../data/folders.ts';
import { makeContext, refusal } from './contexts.ts';

const test = suite<{ folder: TestFolder }>('training stages');
test.before.each(async (context) => {
  context.folder = await createTestFolder();
  await fillFolder(context.folder, 4, 2);
});
test.after.each(({ folder }) => folder.remove());

const TRAINING = { epochs: 1, batchSize: 2, cropSize: 32, warmupEpochs: 0 };
const OFF = { enabled: false };
const SCRIBBLE_ONLY = { pseudoLabel: OFF, scribbleDistance: OFF, classDistance: OFF, lorm: OFF };
const specOf = ({ settings }: TestFolder) => ({
  dataset: settings,
  model: { backbone: 'efficientnet-lite0' as const, weights: 'None' },
  classify: TRAINING,
  segment: TRAINING,
});

test('segment without the pseudo-labels that its losses need is refused, not tried again', ({ folder }) =>
  withFolder(async (root) => {
    const { context } = makeContext(root, { stage: 'segment', spec: specOf(folder) });
    const error = await refusal(segment(context));
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).field, 'upstream.pseudoLabel');
  }));

test('classify without any scribble left names the setting that dropped them', ({ folder }) =>
  withFolder(async (root) => {
    const { context } = makeContext(root, { stage: 'classify', spec: { ...specOf(folder), scribbles: { drop: 1 } } });
    const error = await refusal(classify(context));
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).field, 'spec.scribbles.drop');
  }));

test('classify told to stop while it checks the classifier does so before the next image, with its checkpoint', ({ folder }) =>
  withFolder(async (root) => {
    const checkpoint = join(root, 'stages', 'classify', 'key', ARTIFACTS.classify.checkpoint);
    const isEpochSaved = () => existsSync(checkpoint) && readdirSync(checkpoint).length > 0;
    const { context } = makeContext(root, { stage: 'classify', spec: specOf(folder), isStopping: isEpochSaved });
    const error = await refusal(classify(context));
    assert.instance(error, Interrupted);
    assert.is(error.message, 'stopped while checking the classifier');
  }));

for (const stage of ['classify', 'segment'] as const) {
  test(`${stage} as the first stage refuses a validation mask with an unknown class before its first step`, ({ folder }) =>
    withFolder(async (root) => {
      await folder.writeLabels('SegmentationClass/v1.png', 24, 16, [9]);
      const { context, output } = makeContext(root, { stage, spec: { ...specOf(folder), losses: SCRIBBLE_ONLY } });
      const error = await refusal((stage === 'classify' ? classify : segment)(context));
      assert.instance(error, BadInputError);
      assert.match((error as BadInputError).file ?? '', /v1\.png$/);
      assert.match(error.message, /class 9/);
      assert.equal(readdirSync(output), [ARTIFACTS.checkpoint]);
      assert.equal(readdirSync(join(output, ARTIFACTS.checkpoint)), []);
    }));
}

/** What `body` returns while the built-in weights cannot be found. */
async function withoutBuiltInWeights<T>(folder: string, body: () => Promise<T>): Promise<T> {
  const { CDSP_CACHE_DIR, CDSP_WEIGHTS_DIR } = process.env;
  const set = (name: string, value: string | undefined) => (value === undefined ? delete process.env[name] : (process.env[name] = value));
  set('CDSP_CACHE_DIR', folder);
  set('CDSP_WEIGHTS_DIR', undefined);
  try {
    return await body();
  } finally {
    set('CDSP_CACHE_DIR', CDSP_CACHE_DIR);
    set('CDSP_WEIGHTS_DIR', CDSP_WEIGHTS_DIR);
  }
}

const FROZEN = { ...TRAINING, freezeBatchNorm: true };
const BUILT_IN = { backbone: 'efficientnet-lite0' as const };
const refused: [why: string, stage: 'classify' | 'segment', frozen: Partial<Record<'classify' | 'segment', object>>, field: string][] = [
  ['classify', 'classify', { classify: FROZEN }, 'spec.classify.freezeBatchNorm'],
  ['segment', 'segment', { segment: FROZEN }, 'spec.segment.freezeBatchNorm'],
  ['segment, before its classifier is trained', 'classify', { segment: FROZEN }, 'spec.segment.freezeBatchNorm'],
];
for (const [why, stage, frozen, field] of refused) {
  test(`frozen batch norm is refused where the built-in weights are missing: ${why}`, ({ folder }) =>
    withFolder(async (root) => {
      const spec = { ...specOf(folder), model: BUILT_IN, losses: SCRIBBLE_ONLY, ...frozen };
      const { context } = makeContext(root, { stage, spec });
      const error = await withoutBuiltInWeights(root, () => refusal((stage === 'classify' ? classify : segment)(context)));
      assert.instance(error, BadInputError);
      assert.is((error as BadInputError).field, field);
      assert.match(error.message, /bootstrap\.mjs --weights` fetches them.*set this to false/);
    }));
}

test('segment refuses a batch of more logits than can be counted before it looks at the files', ({ folder }) =>
  withFolder(async (root) => {
    const { context, events } = makeContext(root, {
      stage: 'segment',
      spec: { ...specOf(folder), segment: { ...TRAINING, batchSize: 64, cropSize: 4096 }, losses: SCRIBBLE_ONLY },
    });
    const error = await refusal(segment(context));
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).field, 'spec.segment');
    assert.equal(events, []);
  }));

for (const stage of ['classify', 'segment'] as const) {
  test(`${stage} that cannot write its weights says which setting names the folder and what to do`, ({ folder }) =>
    withFolder(async (root) => {
      const { context, output } = makeContext(root, { stage, spec: { ...specOf(folder), losses: SCRIBBLE_ONLY } });
      mkdirSync(join(output, ARTIFACTS[stage].weights));
      const error = await refusal((stage === 'classify' ? classify : segment)(context));
      assert.instance(error, BadInputError);
      const { file, field, message } = error as BadInputError;
      assert.equal([file, field], [join(output, ARTIFACTS[stage].weights), 'spec.storage.path']);
      assert.match(message, /^a folder is in the way/);
    }));
}

test('segment ends with the mIoU of its last validation, also where an earlier attempt made it', ({ folder }) =>
  withFolder(async (root) => {
    const segmentSettings = { ...TRAINING, epochs: 3, validateEvery: 2 };
    const run = () => makeContext(root, { stage: 'segment', spec: { ...specOf(folder), segment: segmentSettings, losses: SCRIBBLE_ONLY } });
    const { context, output } = run();
    const first = await segment(context);
    const lines = readFileSync(join(output, ARTIFACTS.segment.validation), 'utf8').trimEnd().split('\n');
    assert.is(lines.length, 1);
    const { epoch, meanIou } = JSON.parse(lines[0]) as { epoch: number; meanIou: number };
    assert.equal([epoch, first.meanIou], [2, meanIou]);
    const again = await segment(run().context);
    assert.is(again.meanIou, meanIou);
  }));

for (const [stage, run] of [
  ['classify', classify],
  ['segment', segment],
] as const) {
  test(`the share of ${stage} that is told never falls, whatever comes before its first step`, ({ folder }) =>
    withFolder(async (root) => {
      const dataset = { generator: { train: 16, val: 2, size: 48 } };
      const training = { ...TRAINING, epochs: 2 };
      const spec = { ...specOf(folder), dataset, classify: training, segment: training, losses: SCRIBBLE_ONLY };
      const { context, events } = makeContext(root, { stage, spec });
      await run(context);
      const progress = events.flatMap((event) => (event.type === 'progress' ? [event] : []));
      const shares = progress.filter(({ preparing }) => preparing !== true).map(({ done, total }) => done / total);
      assert.ok(progress.length > shares.length && shares.length >= 4);
      assert.ok(shares[0] < 1);
      assert.is(shares.at(-1), 1);
      assert.equal(
        shares,
        [...shares].sort((a, b) => a - b),
      );
    }));
}

test('without them and with batch norm that learns, training starts from scratch with a warning', ({ folder }) =>
  withFolder(async (root) => {
    const isStopping = () => existsSync(join(root, 'stages', 'segment', 'key', ARTIFACTS.segment.history));
    const spec = { ...specOf(folder), model: BUILT_IN, classify: FROZEN, losses: SCRIBBLE_ONLY };
    const { context, events } = makeContext(root, { stage: 'segment', spec, isStopping });
    await withoutBuiltInWeights(root, () => segment(context).catch(() => undefined));
    const warnings = events.flatMap((event) => (event.type === 'log' && event.level === 'warning' ? [event.message] : []));
    assert.is(warnings.filter((message) => message.includes('starts from scratch')).length, 1);
  }));

test.run();
