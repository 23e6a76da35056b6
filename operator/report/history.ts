import { LOSS_TERMS } from '../api/experiment.ts';
import type { Curve, TrainingCurves } from './report-data.ts';
import type { HistoryLine } from './stage-records.ts';

/** Points of a curve; at 160 one step of noise is still visible on a phone and a year of training is not slow. */
const MAX_POINTS = 160;

/**
 * Averages a training history over equal runs of steps. A step that occurs twice (a stage went on from a checkpoint) counts as
 * it was last; values that are not finite are left out.
 * @param lines In the order of the file.
 * @param maxPoints Buckets at most.
 * @returns null if no line has a loss.
 */
export function summarizeHistory(lines: readonly HistoryLine[], maxPoints = MAX_POINTS): TrainingCurves | null {
  const bySteps = new Map<number, HistoryLine>();
  const precision = new Map<number, number>();
  for (const line of lines) {
    // Steps count their epoch from 0, lines written after an epoch from 1.
    if (isNumber(line.meanAveragePrecision))
      precision.set(line.loss === undefined ? line.epoch : line.epoch + 1, line.meanAveragePrecision);
    if (line.loss !== undefined) bySteps.set(line.step, line);
  }
  if (bySteps.size === 0) return null;
  const ordered = [...bySteps.values()].sort((a, b) => a.step - b.step);
  const norms = ordered.some((line) => isNumber(line.gradientNorm));
  const size = Math.ceil(ordered.length / maxPoints);
  const buckets = Array.from({ length: Math.ceil(ordered.length / size) }, (_, i) => ordered.slice(i * size, (i + 1) * size));
  const named = new Set(ordered.flatMap((line) => Object.keys(line.terms ?? {})));
  // Drawn and named in the order of the paper's sum.
  const names = [...LOSS_TERMS.filter((name) => named.has(name)), ...[...named].filter((name) => !isKnown(name)).sort()];
  return {
    steps: buckets.map((bucket) => Math.round((bucket[0].step + bucket[bucket.length - 1].step) / 2)),
    epochs: buckets.map((bucket) => bucket[Math.floor(bucket.length / 2)].epoch + 1),
    stepsPerBucket: size,
    lastStep: ordered[ordered.length - 1].step,
    total: curveOf(buckets, (line) => line.loss),
    terms: names.map((name) => ({ name, curve: curveOf(buckets, (line) => line.terms?.[name]) })),
    learningRate: curveOf(buckets, (line) => line.learningRate).mean,
    gradientNorm: norms ? curveOf(buckets, (line) => line.gradientNorm) : null,
    meanAveragePrecision: [...precision].sort(([a], [b]) => a - b).map(([epoch, value]) => ({ epoch, value })),
  };
}

function isKnown(name: string): boolean {
  return (LOSS_TERMS as readonly string[]).includes(name);
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function curveOf(buckets: readonly HistoryLine[][], pick: (line: HistoryLine) => number | null | undefined): Curve {
  const values = buckets.map((bucket) => bucket.map(pick).filter(isNumber));
  const each = (reduce: (of: number[]) => number) => values.map((of) => (of.length === 0 ? null : round(reduce(of))));
  return {
    mean: each((of) => of.reduce((sum, value) => sum + value, 0) / of.length),
    min: each((of) => Math.min(...of)),
    max: each((of) => Math.max(...of)),
  };
}

/** Five significant digits: more would only make the file larger. */
function round(value: number): number {
  return Number(value.toPrecision(5));
}
