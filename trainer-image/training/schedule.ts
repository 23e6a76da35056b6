export interface ScheduleSettings {
  readonly baseRate: number;
  readonly epochs: number;
  readonly warmupEpochs: number;
  readonly stepsPerEpoch: number;
}

/** Learning rate of a step (from 0): linear from 0 over the warm-up, then half a cosine to 0. */
export function learningRate(step: number, { baseRate, epochs, warmupEpochs, stepsPerEpoch }: ScheduleSettings): number {
  const total = epochs * stepsPerEpoch;
  const warmup = warmupEpochs * stepsPerEpoch;
  if (step < warmup) return (baseRate * step) / warmup;
  if (total <= warmup) return baseRate;
  return (baseRate / 2) * (1 + Math.cos((Math.PI * (step - warmup)) / (total - warmup)));
}

/** A loss term's ramp: shares of the training at which its weight starts to rise and is full. */
export interface RampSettings {
  readonly start: number;
  readonly end: number;
}

/** Factor in [0, 1] on a term's weight at a step: 0 up to `start`, linear, 1 from `end` on. */
export function rampFactor(step: number, totalSteps: number, { start, end }: RampSettings): number {
  const position = totalSteps === 0 ? 1 : step / totalSteps;
  if (position >= end) return 1;
  if (position <= start) return 0;
  return (position - start) / (end - start);
}
