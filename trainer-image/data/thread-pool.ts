import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { BadInputError } from '../errors.ts';

export interface PoolSetup {
  /** URL of the module that holds the job. */
  readonly module: string;
  /** Name of the exported function (task, context) => result, or a promise of it. */
  readonly job: string;
  /** Passed to every call; copied into each worker once. */
  readonly context?: unknown;
}

export interface PoolRequest {
  readonly id: number;
  readonly task: unknown;
}

export interface PoolReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly bad: boolean; readonly message: string; readonly file?: string; readonly field?: string };
}

/** What a job returns to hand over buffers instead of copying them. */
export class WithTransfer {
  readonly value: unknown;
  readonly transfer: readonly ArrayBuffer[];

  constructor(value: unknown, transfer: readonly ArrayBuffer[]) {
    this.value = value;
    this.transfer = transfer;
  }
}

/** Threads that do one named job. Tasks, context and results are copied between threads (SharedArrayBuffers are shared). */
export interface WorkerPool<Task, Result> {
  /**
   * Does a task in the next free thread; tasks start in the order in which they are given.
   * @throws BadInputError as thrown by the job; Error for anything else, or a thread that died
   */
  run(task: Task): Promise<Result>;
  /** Ends the threads at once; tasks under way are rejected. Can be called more than once. */
  close(): Promise<void>;
}

interface Waiting {
  readonly request: PoolRequest;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

function toError({ bad, message, file, field }: NonNullable<PoolReply['error']>): Error {
  return bad ? new BadInputError(message, { file, field }) : new Error(`in a worker thread: ${message}`);
}

/**
 * How many threads prepare data beside the one that trains: two, and on larger machines, whose accelerator asks for more, half of the
 * cores up to eight.
 */
export function dataThreads(cores = availableParallelism()): number {
  return Math.min(8, Math.max(2, Math.floor(cores / 2)));
}

/** Starts a pool of `workers` threads that run the job of `setup`. */
export function createWorkerPool<Task, Result>(setup: PoolSetup, workers: number): WorkerPool<Task, Result> {
  const queue: Waiting[] = [];
  const busy = new Map<Worker, Waiting>();
  const idle: Worker[] = [];
  let failure: Error | undefined;
  let nextId = 0;

  const startNext = () => {
    while (queue.length > 0 && idle.length > 0) {
      const worker = idle.shift() as Worker;
      const waiting = queue.shift() as Waiting;
      try {
        worker.postMessage(waiting.request);
        busy.set(worker, waiting);
      } catch (error) {
        idle.push(worker);
        waiting.reject(new Error('the task cannot be copied to another thread', { cause: error }));
      }
    }
  };
  const failAll = (error: Error) => {
    failure ??= error;
    for (const waiting of [...busy.values(), ...queue.splice(0)]) waiting.reject(failure);
    busy.clear();
  };
  const threads = Array.from({ length: Math.max(1, workers) }, () => {
    const worker = new Worker(new URL('./pool-worker.ts', import.meta.url), { workerData: setup });
    worker.on('message', ({ id, value, error }: PoolReply) => {
      const waiting = busy.get(worker);
      if (waiting?.request.id !== id) return;
      busy.delete(worker);
      idle.push(worker);
      startNext();
      if (error === undefined) waiting.resolve(value);
      else waiting.reject(toError(error));
    });
    worker.on('error', (cause: unknown) => {
      failAll(new Error(`a worker thread failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }));
    });
    worker.on('exit', (code) => failAll(new Error(`a worker thread ended with code ${code}`)));
    idle.push(worker);
    return worker;
  });

  return {
    run(task) {
      return new Promise<Result>((resolve, reject) => {
        if (failure !== undefined) return reject(failure);
        queue.push({ request: { id: nextId++, task }, resolve: resolve as (value: unknown) => void, reject });
        startNext();
      });
    },
    async close() {
      failAll(new Error('the worker pool is closed'));
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}

/**
 * Does a job on many items in worker threads and yields the results in the items' order. At most `ahead` items are under way or wait to
 * be taken, so memory stays bounded. The threads end with the loop, also when it is left early.
 * @throws like WorkerPool.run, at the item's turn
 */
export async function* mapInWorkers<Task, Result>(
  setup: PoolSetup,
  tasks: Iterable<Task> | AsyncIterable<Task>,
  workers: number,
  ahead = 2 * Math.max(1, workers),
): AsyncGenerator<Result, void, undefined> {
  const pool = createWorkerPool<Task, Result>(setup, workers);
  const started: Promise<Result>[] = [];
  try {
    for await (const task of tasks) {
      const result = pool.run(task);
      result.catch(() => undefined); // reported when its turn comes
      started.push(result);
      if (started.length >= ahead) yield await (started.shift() as Promise<Result>);
    }
    while (started.length > 0) yield await (started.shift() as Promise<Result>);
  } finally {
    await pool.close();
  }
}
