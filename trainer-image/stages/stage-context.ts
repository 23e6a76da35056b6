import type { ExperimentSpec } from '../../operator/api/experiment.ts';
import type { StageEvent, StageInput } from '../../operator/api/stage-contract.ts';
import type { Shard } from './shard.ts';

/** Thrown to end a stage that can be resumed (exit code 75). */
export class Interrupted extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Interrupted';
  }
}

type Progress = Omit<Extract<StageEvent, { type: 'progress' }>, 'type'>;

/** What a stage gets from its surroundings: its input, where to report, and whether to stop. */
export interface StageContext {
  readonly input: StageInput;
  readonly spec: ExperimentSpec;
  readonly seed: number;
  /** The stage's own folder; it holds the checkpoint folder, unless another process has completed the stage. */
  readonly output: string;
  /** Name of this process, unlike that of any other one. */
  readonly process: string;
  readonly shard: Shard;
  log(message: string, level?: 'info' | 'warning'): void;
  /**
   * Reports progress; too frequent reports are thinned, the one that reaches the total never. IoU by class goes with the first report
   * that has the same list.
   */
  progress(progress: Progress): void;
  /** Whether the process was told to stop; the stage then keeps a checkpoint and calls `stop`. */
  isStopping(): boolean;
  stop(message: string): never;
}

const PROGRESS_INTERVAL_MS = 200;

export interface ContextPorts {
  readonly process: string;
  readonly shard: Shard;
  emit(event: StageEvent): void;
  isStopping(): boolean;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

/** Builds a stage's context. */
export function createStageContext(input: StageInput, ports: ContextPorts): StageContext {
  let [last, before] = [-Infinity, NaN];
  let shown: Progress['iou'];
  return {
    input,
    spec: input.spec,
    seed: input.spec.seed,
    output: input.output,
    process: ports.process,
    shard: ports.shard,
    log: (message, level = 'info') => ports.emit({ type: 'log', level, message }),
    progress: (progress) => {
      const now = ports.now();
      const reachesTotal = progress.done >= progress.total && progress.done !== before;
      before = progress.done;
      if (now - last < PROGRESS_INTERVAL_MS && !reachesTotal) return;
      last = now;
      // IoU by class is long: it is told once, not with every step after.
      const { iou, classes, ...rest } = progress;
      ports.emit({ type: 'progress', ...rest, ...(iou === undefined || iou === shown ? {} : { iou, classes }) });
      shown = iou ?? shown;
    },
    isStopping: () => ports.isStopping(),
    stop: (message) => {
      throw new Interrupted(message);
    },
  };
}
