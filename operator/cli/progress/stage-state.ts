import type { StageEvent, StageMetrics } from '../../api/stage-contract.ts';
import { formatDuration } from '../../duration.ts';
import type { StageProgress } from './bar.ts';
import { formatLoss, formatPercent } from './format.ts';
import { createRateMeter } from './rate.ts';
import type { StageOutcome } from '../../local/run-events.ts';

type ProgressEvent = Extract<StageEvent, { type: 'progress' }>;

/** The running stage as the reporters see it. */
export interface StageState {
  readonly stage: string;
  readonly startedAt: number;
  /** Takes a progress event that arrived at `now` (seconds). */
  update(event: ProgressEvent, now: number): void;
  /** The latest progress, or undefined before the first event. */
  progress(now: number): StageProgress | undefined;
}

export function createStageState(stage: string, startedAt: number): StageState {
  const meter = createRateMeter();
  let latest: ProgressEvent | undefined;
  let meanIou: number | undefined;
  return {
    stage,
    startedAt,
    update(event, now) {
      meter.update(event.done, `${event.unit} of ${event.total}`, now);
      latest = event;
      meanIou = event.meanIou ?? meanIou;
    },
    progress(now) {
      if (latest === undefined) return undefined;
      const { label, done, total, unit, preparing, loss, terms } = latest;
      const [rate, secondsLeft] = [meter.perSecond(), meter.secondsLeft(total, now)];
      return { stage, label, done, total, unit, preparing, loss, terms, meanIou, rate, secondsLeft };
    },
  };
}

/** Metrics worth a place in a stage's one closing line, in this order. */
const KEY_METRICS: readonly [name: string, format: (value: number) => string][] = [
  ['meanAveragePrecision', (value) => `mAP ${formatPercent(value)} %`],
  ['meanIou', (value) => `mIoU ${formatPercent(value)} %`],
  ['pixelAccuracy', (value) => `pixel accuracy ${formatPercent(value)} %`],
  ['agreement', (value) => `${formatPercent(value)} % agreement with the scribbles`],
  ['threshold', (value) => `threshold ${value}`],
  ['loss', (value) => `loss ${formatLoss(value)}`],
];

/** The closing line of a stage without its name: how it ended, how long it took, its most telling metrics. */
export function describeEnd(outcome: StageOutcome, seconds: number, metrics: StageMetrics): string {
  const values = KEY_METRICS.flatMap(([name, format]) => {
    const value = metrics[name];
    return typeof value === 'number' && Number.isFinite(value) ? [format(value)] : [];
  }).slice(0, 2);
  const time = formatDuration(seconds);
  switch (outcome) {
    case 'Complete':
      return [time, ...values].join(', ');
    case 'Cached':
      return ['done before', ...values].join(', ');
    case 'Failed':
      return `failed after ${time}`;
    case 'Interrupted':
      return `interrupted after ${time}`;
    default:
      return outcome satisfies never;
  }
}
