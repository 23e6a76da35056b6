import { join } from 'node:path';
import type { TrainingSettings } from '../../operator/api/experiment.ts';
import type { TrainingBatch, TrainingLoader } from '../data/loader.ts';
import { BadInputError } from '../errors.ts';
import type { DropoutSeed, Mode } from '../model/layers.ts';
import { isBackboneParameter, type ParameterStore } from '../model/parameters.ts';
import type { Quality } from '../evaluation/quality.ts';
import { createRate } from '../rate.ts';
import type { StageContext } from '../stages/stage-context.ts';
import { tf, type Scalar, type Tensor, type Variable } from '../tf.ts';
import { removeCheckpoints, restoreCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { clipGradients, gradientsOf } from './gradients.ts';
import { History } from './history.ts';
import { learningRate } from './schedule.ts';
import { Sgd } from './sgd.ts';

export interface StepOutcome {
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
  /** Before it was scaled down; where `maxGradientNorm` is set. */
  readonly gradientNorm?: number;
}

/** One line of history.jsonl. */
export interface HistoryLine extends StepOutcome {
  readonly step: number;
  readonly epoch: number;
  readonly learningRate: number;
}

/** What a training has of its own: the forward pass of a batch to its loss. */
export interface TrainingTask {
  readonly parameters: ParameterStore;
  readonly settings: TrainingSettings;
  /** Field of the experiment that holds `settings`, for messages. */
  readonly field: string;
  /** Names of the files in the stage's folder. */
  readonly files: { readonly history: string; readonly checkpoint: string };
  /** Makes the loader that starts at a step. */
  openLoader(startStep: number): TrainingLoader;
  /** The batch's loss and its terms (for the record); runs inside the gradient tape. */
  forward(batch: TrainingBatch, mode: Mode, totalSteps: number): { total: Scalar; terms: ReadonlyMap<string, Scalar> };
  /**
   * Called after each epoch (from 1) with the parameters as they are then, their checkpoint being written; once more for the same epoch
   * when the training goes on from that checkpoint. `step` is the epoch's last one; `report` takes the share in [0, 1] of this work that is
   * done. Returns the quality where it measures it.
   */
  afterEpoch?(epoch: number, step: number, report: (share: number) => void): Promise<Quality | undefined>;
}

export interface TrainingResult {
  readonly steps: number;
  readonly loss: number;
  /** Seconds that this attempt waited for data and worked in all. */
  readonly waitedSeconds: number;
  readonly seconds: number;
}

/** A loss that is not finite ends the stage before it can touch the weights; the last checkpoint stays. */
function refuseNonFinite(step: number, loss: number, terms: Readonly<Record<string, number>>, field: string): void {
  if (Number.isFinite(loss)) return;
  const culprits = Object.keys(terms).filter((term) => !Number.isFinite(terms[term]));
  const which = culprits.length > 0 ? `term ${culprits.join(', ')}` : 'sum of the terms';
  const values = culprits.map((term) => terms[term]).join(', ') || loss;
  throw new BadInputError(`the loss is not finite at step ${step} (${which}: ${values}); ${REMEDY}`, { field: `${field}.learningRate` });
}

/** Of the event loop after each step: a request on a new connection is accepted in one, read in the next and answered in the third. */
const TURNS = 3;

const REMEDY = 'lower the rate or lengthen the warm-up. The last good checkpoint is kept';

function commitStatistics(statistics: Map<Variable, Tensor>): void {
  for (const [variable, value] of statistics) {
    variable.assign(value);
    value.dispose();
  }
  statistics.clear();
}

export interface StepPosition {
  readonly totalSteps: number;
  readonly rate: number;
  readonly dropoutSeed: DropoutSeed;
}

/** Gradient step on one batch. Returns the loss and its terms. Tensors: as many after as before. */
export function trainStep(
  task: Pick<TrainingTask, 'parameters' | 'settings' | 'field' | 'forward'>,
  optimizer: Sgd,
  trainable: ReadonlyMap<string, Variable>,
  batch: TrainingBatch,
  position: StepPosition,
): StepOutcome {
  const mode: Mode = {
    training: true,
    frozenBatchNorm: task.settings.freezeBatchNorm,
    statistics: new Map(),
    dropoutSeed: position.dropoutSeed,
  };
  const kept = new Map<string, Scalar>();
  const { loss, gradients } = gradientsOf(() => {
    const { total, terms } = task.forward(batch, mode, position.totalSteps);
    for (const [name, value] of terms) kept.set(name, tf.keep(tf.clone(value)));
    return total;
  }, trainable);
  const terms = Object.fromEntries([...kept].map(([name, value]) => [name, value.dataSync()[0]]));
  const value = loss.dataSync()[0];
  tf.dispose([loss, ...kept.values()]);
  try {
    refuseNonFinite(batch.step, value, terms, task.field);
    const { maxGradientNorm } = task.settings;
    const norm = maxGradientNorm === undefined ? {} : { gradientNorm: clipGradients(gradients, maxGradientNorm) };
    optimizer.step(gradients, position.rate);
    commitStatistics(mode.statistics);
    return { loss: value, terms, ...norm };
  } finally {
    tf.dispose([...gradients.values(), ...mode.statistics.values()]);
  }
}

/** Trains to the end, from the newest checkpoint in the stage's folder. @throws Interrupted when the context says to stop */
export async function train(task: TrainingTask, context: StageContext): Promise<TrainingResult> {
  const { settings, parameters } = task;
  const trainable = parameters.trainable({ frozenBatchNorm: settings.freezeBatchNorm });
  const rateFactor = (name: string) => (isBackboneParameter(name) ? 1 : settings.headRateFactor);
  const optimizer = new Sgd(trainable, { ...settings, rateFactor });
  const checkpointFolder = join(context.output, task.files.checkpoint);
  const startStep = restoreCheckpoint(checkpointFolder, parameters, optimizer, (message) => context.log(message, 'warning'));
  if (startStep > 0) context.log(`resumes at step ${startStep}`);
  const history = new History<HistoryLine>(join(context.output, task.files.history), startStep);
  const loader = task.openLoader(startStep);
  const { stepsPerEpoch, totalSteps } = loader;
  const schedule = { baseRate: settings.learningRate, epochs: settings.epochs, warmupEpochs: settings.warmupEpochs, stepsPerEpoch };
  const started = performance.now();
  const save = (step: number) => {
    history.flush();
    const culprit = writeCheckpoint(checkpointFolder, step, parameters, optimizer);
    if (culprit === undefined) return;
    throw new BadInputError(`${culprit} is not finite after step ${step}; ${REMEDY}`, { field: `${task.field}.learningRate` });
  };
  let newest = startStep;
  let loss = history.last?.loss ?? NaN;
  let quality: Quality | undefined;
  const rate = createRate(started);
  const labelOf = (epoch: number) => `epoch ${epoch}/${settings.epochs}`;
  /** What follows an epoch counts as no step: the steps' progress is shown on, with a label that tells how far it is, in tenths. */
  const afterEpoch = (epoch: number, step: number) => {
    rate.pause();
    return task.afterEpoch?.(epoch, step, (share) =>
      context.progress({
        label: `${labelOf(epoch)}, validating ${10 * Math.floor(10 * share)} %`,
        done: step + 1,
        total: totalSteps,
        unit: 'step',
        epoch,
        ...(Number.isFinite(loss) ? { loss } : {}),
        ...quality,
      }),
    );
  };
  /** A first step from a checkpoint whose loss is not finite shows that this checkpoint was not good. */
  const attemptStep = (batch: TrainingBatch, position: StepPosition): StepOutcome => {
    try {
      return trainStep(task, optimizer, trainable, batch, position);
    } catch (error) {
      history.flush();
      if (error instanceof BadInputError && batch.step === newest) removeCheckpoints(checkpointFolder, (step) => step === newest);
      throw error;
    }
  };
  try {
    if (startStep > 0 && startStep % stepsPerEpoch === 0) quality = await afterEpoch(startStep / stepsPerEpoch, startStep - 1);
    for (let batch = await loader.next(); batch !== undefined; batch = await loader.next()) {
      const { step, epoch } = batch;
      const position = { totalSteps, rate: learningRate(step, schedule), dropoutSeed: [context.seed, step] as const };
      const outcome = attemptStep(batch, position);
      loss = outcome.loss;
      rate.add(settings.batchSize, performance.now());
      history.add({ step, epoch, learningRate: position.rate, ...outcome });
      context.progress({
        label: labelOf(epoch + 1),
        done: step + 1,
        total: totalSteps,
        unit: 'step',
        epoch: Math.floor((step + 1) / stepsPerEpoch),
        imagesPerSecond: rate.perSecond(),
        learningRate: position.rate,
        ...outcome,
        ...quality,
      });
      // The loss of a step from the newest checkpoint is finite: older ones are not needed any more.
      if (step === newest) removeCheckpoints(checkpointFolder, (older) => older < newest);
      const isEpochEnd = (step + 1) % stepsPerEpoch === 0;
      // TensorFlow and batches made ahead keep this thread busy: signals and requests are heard only when the event loop gets a turn.
      for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
      const isStopping = context.isStopping();
      if (isEpochEnd || isStopping || (step + 1) % settings.checkpointEvery === 0) {
        save(step + 1);
        newest = step + 1;
      }
      if (isStopping) context.stop(`stopped after step ${step + 1} of ${totalSteps}`);
      if (isEpochEnd) quality = (await afterEpoch(epoch + 1, step)) ?? quality;
    }
    history.flush();
    return { steps: totalSteps, loss, waitedSeconds: loader.waitedSeconds, seconds: (performance.now() - started) / 1000 };
  } finally {
    await loader.close();
    optimizer.dispose();
  }
}
