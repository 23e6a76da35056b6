import type { BatchContext, BatchResult, BatchTask, LoadedSample, TrainingBatch } from './loader-worker.ts';
import { createRandom, shuffle } from './random.ts';
import type { Sample } from './types.ts';
import { createWorkerPool, dataThreads } from './thread-pool.ts';

export type { LoaderFields, TrainingBatch } from './loader-worker.ts';

export interface TrainingLoaderOptions extends BatchContext {
  readonly samples: readonly Sample[];
  readonly batchSize: number;
  readonly epochs: number;
  /** The first step to deliver, for resuming; 0 by default. */
  readonly startStep?: number;
  /** Worker threads; `dataThreads` of this machine by default. */
  readonly workers?: number;
  /** Batches that are made ahead, each by one thread; two more than there are threads by default. */
  readonly prefetch?: number;
  /** Memory for decoded images, in bytes; 512 MiB by default. */
  readonly cacheBytes?: number;
}

/** Delivers the batches of a training in order. */
export interface TrainingLoader {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  /** Seconds that callers of next() have waited so far. */
  readonly waitedSeconds: number;
  /**
   * The next batch; undefined after the last one. Calls must not overlap.
   * @throws BadInputError for bad files
   */
  next(): Promise<TrainingBatch | undefined>;
  /** Ends the worker threads; can be called at any time and more than once. */
  close(): Promise<void>;
}

/** Full batches in an epoch; a split smaller than a batch makes one, in which images repeat. */
export function countSteps(images: number, batchSize: number): number {
  return Math.max(1, Math.floor(images / batchSize));
}

/** The samples of an epoch in its own random order, a function of seed and epoch alone. */
function orderOfEpoch(samples: readonly Sample[], seed: number, epoch: number): readonly Sample[] {
  return shuffle(samples, createRandom(seed, 'shuffle', epoch));
}

function bytesOf(loaded: LoadedSample): number {
  const { image, scribble, pseudoLabel, scribbleDistance, classDistance } = loaded;
  return [image, scribble, pseudoLabel, scribbleDistance, classDistance].reduce((sum, map) => sum + (map?.data.byteLength ?? 0), 0);
}

/**
 * Starts worker threads that decode, augment and batch the samples ahead of time. The content of a batch depends on the seed,
 * the step and the position in the batch only, neither on the number of threads nor on their timing, so a loader started at
 * step n delivers what one started at 0 does from there on. Decoded images stay in memory until cacheBytes is used up; the
 * rest is decoded again in each epoch. (Epochs visit images in random order, so throwing out old ones would gain nothing.)
 */
export function createTrainingLoader(options: TrainingLoaderOptions): TrainingLoader {
  const {
    samples,
    batchSize,
    epochs,
    startStep = 0,
    workers = dataThreads(),
    prefetch = workers + 2,
    cacheBytes = 512 * 2 ** 20,
  } = options;
  const { classes, fields, cropSize, augmentation, normalisation, seed, degradation } = options;
  if (samples.length === 0) throw new Error('a loader needs samples');
  const context: BatchContext = { classes, fields, cropSize, augmentation, normalisation, seed, degradation };
  const module = new URL('./loader-worker.ts', import.meta.url).href;
  const pool = createWorkerPool<BatchTask, BatchResult>({ module, job: 'makeBatch', context }, workers);

  const stepsPerEpoch = countSteps(samples.length, batchSize);
  const totalSteps = stepsPerEpoch * epochs;
  const cache = new Map<string, LoadedSample>();
  let freeBytes = cacheBytes;
  const ahead: Promise<TrainingBatch>[] = [];
  let nextStep = startStep;
  let order = { epoch: -1, samples };
  let waitedSeconds = 0;

  const keep = ({ batch, decoded }: BatchResult): TrainingBatch => {
    for (const [id, loaded] of decoded) {
      if (cache.has(id) || bytesOf(loaded) > freeBytes) continue;
      cache.set(id, loaded);
      freeBytes -= bytesOf(loaded);
    }
    return batch;
  };
  // The incomplete last batch of an epoch is left out; images repeat only where the split is smaller than a batch.
  const samplesOfStep = (step: number, epoch: number): Sample[] => {
    if (order.epoch !== epoch) order = { epoch, samples: orderOfEpoch(samples, seed, epoch) };
    const start = (step % stepsPerEpoch) * batchSize;
    return Array.from({ length: batchSize }, (_, position) => order.samples[(start + position) % order.samples.length]);
  };
  const startBatches = () => {
    while (ahead.length < prefetch && nextStep < totalSteps) {
      const step = nextStep++;
      const epoch = Math.floor(step / stepsPerEpoch);
      const items = samplesOfStep(step, epoch).map((sample) => ({ sample, loaded: cache.get(sample.id) }));
      const batch = pool.run({ step, epoch, items, keep: freeBytes > 0 }).then(keep);
      batch.catch(() => undefined); // reported by next() at its turn
      ahead.push(batch);
    }
  };
  startBatches();

  return {
    stepsPerEpoch,
    totalSteps,
    get waitedSeconds() {
      return waitedSeconds;
    },
    async next() {
      startBatches();
      const batch = ahead.shift();
      if (batch === undefined) return undefined;
      const asked = performance.now();
      try {
        return await batch;
      } finally {
        waitedSeconds += (performance.now() - asked) / 1000;
        startBatches();
      }
    },
    close: () => pool.close(),
  };
}
