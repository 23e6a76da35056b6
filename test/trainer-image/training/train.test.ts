import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ExperimentSpec, type TrainingSettings } from '../../../operator/api/experiment.ts';
import { StageEvent } from '../../../operator/api/stage-contract.ts';
import type { TrainingBatch, TrainingLoader } from '../../../trainer-image/data/loader.ts';
import { createRandom } from '../../../trainer-image/data/random.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';
import { convBatchNorm } from '../../../trainer-image/model/layers.ts';
import { ParameterStore } from '../../../trainer-image/model/parameters.ts';
import { createStageContext, Interrupted, type StageContext } from '../../../trainer-image/stages/stage-context.ts';
import { tf, type Scalar } from '../../../trainer-image/tf.ts';
import { train, type TrainingTask } from '../../../trainer-image/training/train.ts';
import { withFolder } from '../../operator/local/temporary-folder.ts';
import { noise, tensor4 } from '../tensors.ts';

// A training of one layer on batches of noise: small enough to stop it at every step.
const [EPOCHS, STEPS_PER_EPOCH, CHECKPOINT_EVERY] = [3, 4, 3];
const TOTAL = EPOCHS * STEPS_PER_EPOCH;
const SPEC = ExperimentSpec.parse({
  dataset: { generator: {} },
  classify: { epochs: EPOCHS, learningRate: 0.1, warmupEpochs: 0.5, checkpointEvery: CHECKPOINT_EVERY },
});
const FILES = { history: 'history.jsonl', checkpoint: 'checkpoint' };

interface Run {
  readonly task: TrainingTask;
  readonly context: StageContext;
  readonly events: StageEvent[];
  readonly validated: [epoch: number, step: number][];
  readonly store: ParameterStore;
}

interface RunChanges {
  readonly settings?: Partial<TrainingSettings>;
  /** The step after which the stage is told to stop. */
  readonly stopAfter?: number;
  /** Changes a batch's image on its way. */
  readonly spoil?: (batch: TrainingBatch) => void;
  /** Called before a step's loss is computed. */
  readonly onStep?: (step: number) => void;
  /** Milliseconds of the clock; it stands still by default. */
  readonly now?: () => number;
}

function makeRun(output: string, { settings = {}, stopAfter = Infinity, spoil, onStep, now = () => 0 }: RunChanges = {}): Run {
  const store = new ParameterStore(createRandom(1));
  const layer = convBatchNorm(
    store.scope('backbone'),
    { conv: 'conv', norm: 'bn' },
    { size: 3, inputs: 3, outputs: 2, activation: 'relu', group: 'backbone' },
  );
  const events: StageEvent[] = [];
  const validated: [number, number][] = [];
  let current = -1;
  const openLoader = (startStep: number): TrainingLoader => {
    let step = startStep;
    return {
      stepsPerEpoch: STEPS_PER_EPOCH,
      totalSteps: TOTAL,
      waitedSeconds: 0,
      next: () => {
        if (step >= TOTAL) return Promise.resolve(undefined);
        const batch = { step, epoch: Math.floor(step / STEPS_PER_EPOCH), ids: ['a'], images: noise(8 * 8 * 3, 'image', step) };
        step++;
        spoil?.(batch);
        return Promise.resolve(batch);
      },
      close: () => Promise.resolve(),
    };
  };
  const task: TrainingTask = {
    parameters: store,
    settings: { ...SPEC.classify, ...settings },
    field: 'spec.classify',
    files: FILES,
    openLoader,
    forward: (batch, mode) => {
      current = batch.step;
      onStep?.(batch.step);
      const y = layer(tensor4(batch.images, [1, 8, 8, 3]), mode);
      const [first, second] = [tf.mean<Scalar>(tf.square(y)), tf.mean<Scalar>(y)];
      return {
        total: tf.add<Scalar>(first, second),
        terms: new Map([
          ['first', first],
          ['second', second],
        ]),
      };
    },
    afterEpoch: (epoch, step, report) => {
      validated.push([epoch, step]);
      report(0.57);
      return Promise.resolve({ meanIou: epoch / 10, iou: [epoch / 10, null], classes: ['a', 'b'] });
    },
  };
  const input = { version: 'v1' as const, experiment: 'test', stage: 'classify' as const, key: 'k', spec: SPEC, upstream: {}, output };
  const ports = {
    emit: (event: StageEvent) => void events.push(event),
    isStopping: () => current >= stopAfter,
    now,
    process: 'one',
    shard: { number: 0, of: 1 },
  };
  return { task, context: createStageContext(input, ports), events, validated, store };
}

const historyOf = (folder: string) => readFileSync(join(folder, FILES.history), 'utf8');
const checkpointsOf = (folder: string) => readdirSync(join(folder, FILES.checkpoint)).map((name) => Number(/\d+/.exec(name)?.[0]));

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.unreachable('ended without an error'),
    (error: unknown) => error,
  );
}

test('a training takes every step, validates every epoch and writes its history', () =>
  withFolder(async (folder) => {
    const run = makeRun(folder);
    const result = await train(run.task, run.context);
    const lines = historyOf(folder)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { step: number; epoch: number; loss: number });
    assert.equal(
      lines.map(({ step, epoch }) => [step, epoch]),
      Array.from({ length: TOTAL }, (_, step) => [step, Math.floor(step / STEPS_PER_EPOCH)]),
    );
    assert.is(result.steps, TOTAL);
    assert.is(result.loss, lines[TOTAL - 1].loss);
    assert.equal(run.validated, [
      [1, 3],
      [2, 7],
      [3, 11],
    ]);
    assert.equal(Object.keys(lines[0]), ['step', 'epoch', 'learningRate', 'loss', 'terms']);
    const progress = run.events.filter((event) => event.type === 'progress');
    assert.equal(progress.at(-1)?.done, TOTAL);
    assert.is(progress.at(-1)?.meanIou, 0.2, 'the last validation before the last step');
  }));

test('while an epoch is validated the progress says so and stays at its last step', () =>
  withFolder(async (folder) => {
    let time = 0;
    const run = makeRun(folder, { now: () => (time += 1000) });
    await train(run.task, run.context);
    const progress = run.events.flatMap((event) => (event.type === 'progress' ? [event] : []));
    assert.equal(
      progress.filter(({ done }) => done === STEPS_PER_EPOCH).map(({ label, total, unit }) => [label, total, unit]),
      [
        [`epoch 1/${EPOCHS}`, TOTAL, 'step'],
        [`epoch 1/${EPOCHS}, validating 50 %`, TOTAL, 'step'],
      ],
    );
    assert.ok(progress.every(({ loss }) => Number.isFinite(loss)));
    assert.is(progress.at(-1)?.label, `epoch ${EPOCHS}/${EPOCHS}, validating 50 %`);
    const resumed = makeRun(folder, { now: () => (time += 1000) });
    await train(resumed.task, resumed.context);
    const labels = resumed.events.flatMap((event) => (event.type === 'progress' ? [event.label] : []));
    assert.equal(labels, [`epoch ${EPOCHS}/${EPOCHS}, validating 50 %`]);
  }));

test('stopped after any step and gone on with, it ends with the same weights and history', () =>
  withFolder(async (folder) => {
    const whole = makeRun(join(folder, 'whole'));
    mkdirSync(join(folder, 'whole'));
    const expected = await train(whole.task, whole.context);
    for (let step = 0; step < TOTAL; step++) {
      const output = join(folder, `stopped-${step}`);
      mkdirSync(output);
      const first = makeRun(output, { stopAfter: step });
      const error = await refusal(train(first.task, first.context));
      assert.instance(error, Interrupted);
      assert.match((error as Error).message, `stopped after step ${step + 1} of ${TOTAL}`);
      const second = makeRun(output);
      const result = await train(second.task, second.context);
      assert.is(historyOf(output), historyOf(join(folder, 'whole')), `stopped after step ${step}`);
      assert.equal(second.store.export(), whole.store.export(), `stopped after step ${step}`);
      assert.is(result.loss, expected.loss);
      const epochs = new Set([...first.validated, ...second.validated].map(([epoch]) => epoch));
      assert.equal([...epochs].sort(), [1, 2, 3], `every epoch is validated, though stopped after step ${step}`);
    }
  }));

test('a loss that is not finite stops the training, names step and term, and changes nothing', () =>
  withFolder(async (folder) => {
    const run = makeRun(folder, { spoil: ({ step, images }) => step === 5 && images.fill(NaN) });
    let before: unknown;
    const watched: TrainingTask = {
      ...run.task,
      forward: (...all) => {
        before = run.store.export();
        return run.task.forward(...all);
      },
    };
    const tensors = tf.memory().numTensors;
    const error = (await refusal(train(watched, run.context))) as BadInputError;
    assert.instance(error, BadInputError);
    assert.is(error.field, 'spec.classify.learningRate');
    assert.match(error.message, /not finite at step 5 \(term first, second: NaN, NaN\)/);
    assert.equal(run.store.export(), before, 'weights and statistics are those before the step');
    assert.is(tf.memory().numTensors, tensors, 'nothing is leaked');
    assert.equal(checkpointsOf(folder), [4], 'the last good checkpoint');
    assert.is(historyOf(folder).split('\n').length, 6, 'the history tells of the five steps before');
    const mended = makeRun(folder);
    await train(mended.task, mended.context);
    assert.is(historyOf(folder).split('\n').length, TOTAL + 1);
  }));

test('a checkpoint whose very first loss is not finite is not kept; the one before is', () =>
  withFolder(async (folder) => {
    const run = makeRun(folder, { spoil: ({ step, images }) => step === 6 && images.fill(Infinity) });
    assert.instance(await refusal(train(run.task, run.context)), BadInputError);
    assert.equal(checkpointsOf(folder), [4]);
  }));

test('weights that the last step has ruined are refused, though its loss was finite', () =>
  withFolder(async (folder) => {
    const run = makeRun(folder);
    const ruined: TrainingTask = {
      ...run.task,
      forward: (batch, ...rest) => {
        const { total, terms } = run.task.forward(batch, ...rest);
        // The square root's slope at 0 is infinite.
        return { total: batch.step < TOTAL - 1 ? total : tf.add<Scalar>(total, tf.sqrt(tf.mul(total, 0))), terms };
      },
    };
    const error = (await refusal(train(ruined, run.context))) as BadInputError;
    assert.instance(error, BadInputError);
    assert.match(error.message, `is not finite after step ${TOTAL}`);
    assert.equal(checkpointsOf(folder), [9]);
  }));

test('at most two checkpoints lie in the folder, and one after the next step', () =>
  withFolder(async (folder) => {
    const seen: number[][] = [];
    const run = makeRun(folder, { onStep: () => seen.push(existsSync(join(folder, FILES.checkpoint)) ? checkpointsOf(folder) : []) });
    await train(run.task, run.context);
    assert.equal(seen[4], [3, 4], 'before the first step from the checkpoint at 4');
    assert.equal(seen[5], [4]);
    assert.ok(seen.every((steps) => steps.length <= 2));
  }));

test('frozen batch norm keeps scale, offset and statistics; the kernel is trained', () =>
  withFolder(async (folder) => {
    const run = makeRun(folder, { settings: { freezeBatchNorm: true } });
    const before = run.store.export();
    await train(run.task, run.context);
    for (const [name, array] of run.store.export()) {
      if (name.includes('.bn.')) assert.equal(array, before.get(name), name);
      else assert.not.equal(array, before.get(name), name);
    }
  }));

test('a long gradient is scaled down to the limit, and the history holds its length before', () =>
  withFolder(async (folder) => {
    const limit = 1e-3;
    const still = { momentum: 0, weightDecay: 0, headRateFactor: 1 };
    const run = makeRun(folder, { settings: { ...still, maxGradientNorm: limit } });
    const before = run.store.export();
    await train(run.task, run.context);
    const lines = historyOf(folder)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { learningRate: number; gradientNorm: number });
    assert.is(lines.length, TOTAL);
    assert.ok(lines.every(({ gradientNorm }) => gradientNorm > limit));
    for (const event of run.events) assert.equal(StageEvent.parse(event), event, 'nothing is told that the contract does not list');
    // No step can be longer than rate · limit, so all together go no further than their sum.
    const reach = lines.reduce((sum, { learningRate }) => sum + learningRate * limit, 0);
    let squares = 0;
    for (const [name, { data }] of run.store.export()) {
      if (/running/.test(name)) continue;
      data.forEach((value, i) => (squares += (value - before.get(name)!.data[i]) ** 2));
    }
    assert.ok(squares > 0 && Math.sqrt(squares) <= reach * 1.01, `${Math.sqrt(squares)} of ${reach}`);
  }));

test('without a limit, or below it, gradients stay as they are', () =>
  withFolder(async (folder) => {
    const runs = [undefined, 1e6].map((maxGradientNorm, i) => {
      const output = join(folder, String(i));
      mkdirSync(output);
      return makeRun(output, { settings: { maxGradientNorm } });
    });
    for (const run of runs) await train(run.task, run.context);
    assert.equal(runs[0].store.export(), runs[1].store.export());
    assert.not.match(historyOf(join(folder, '0')), /gradientNorm/);
  }));

test('sixty steps leave as many tensors as there were after the first', () =>
  withFolder(async (folder) => {
    const counts: number[] = [];
    for (let round = 0; round < 5; round++) {
      const settings = { maxGradientNorm: 1e-3 };
      const run = makeRun(join(folder), { settings, onStep: () => counts.push(tf.memory().numTensors) });
      rmSync(join(folder, FILES.checkpoint), { recursive: true, force: true });
      await train(run.task, run.context);
      run.store.dispose();
    }
    assert.is(counts.length, 5 * TOTAL);
    assert.equal([...new Set(counts.slice(1))], [counts[1]]);
  }));

test.run();
