import { color, format, GRID, lineSeries, progressAxis, TOOLTIP, valueAxis } from './chart-parts.ts';
import type { Chart, ChartOption } from './chart-parts.ts';
import { formatNumber, formatPercent } from './format.ts';
import type { Curve, TrainingCurves, ValidationPoint } from './report-data.ts';
import type { ColorName } from './theme.ts';

/** Names of the loss terms for people; others are shown as they are. */
const TERM_TITLES: Readonly<Record<string, string>> = {
  scribble: 'Scribble',
  pseudoLabel: 'Pseudo-label',
  scribbleDistance: 'Scribble distance',
  classDistance: 'Class distance',
  lorm: 'LoRM',
};
const TERM_COLORS: Readonly<Record<string, ColorName>> = {
  scribble: 'scribble',
  pseudoLabel: 'pseudoLabel',
  scribbleDistance: 'scribbleDistance',
  classDistance: 'classDistance',
  lorm: 'lorm',
};
const SPARE_COLORS: readonly ColorName[] = ['accent', 'warn', 'muted'];

/** Points of a curve with their epochs, for the tooltip. */
const pointsOf = ({ steps, epochs }: TrainingCurves, values: readonly (number | null)[]) =>
  steps.map((step, i) => [step, values[i], epochs[i]]);

/**
 * The range of the steps behind each mean, none where every step has its own: two stacked lines, an invisible one at the lowest step of a
 * bucket, and the area from there to its highest. Their names are for the legend, which hides them together with the mean's line.
 */
function rangeBand(curves: TrainingCurves, { min, max }: Curve, name: string, tint: ColorName): ChartOption[] {
  if (curves.stepsPerBucket === 1) return [];
  const spread = max.map((high, i) => (high === null || min[i] === null ? null : high - min[i]));
  const line = (values: readonly (number | null)[], id: string, area: ChartOption) =>
    lineSeries(name, tint, pointsOf(curves, values), {
      id: `band-${id}`,
      stack: 'band',
      silent: true,
      showSymbol: false,
      lineStyle: { opacity: 0 },
      ...area,
    });
  return [line(min, 'low', {}), line(spread, 'high', { areaStyle: { color: color(tint), opacity: 0.1 } })];
}

/** Loss of a training stage: the total with the range of its steps, and every term that was switched on. */
export function lossChart(id: string, title: string, curves: TrainingCurves): Chart {
  const { mean } = curves.total;
  const terms = curves.terms.map(({ name, curve }, i) =>
    lineSeries(TERM_TITLES[name] ?? name, TERM_COLORS[name] ?? SPARE_COLORS[i % SPARE_COLORS.length], pointsOf(curves, curve.mean), {
      showSymbol: false,
    }),
  );
  const last = (values: readonly (number | null)[]) => formatNumber(values.findLast((value) => value !== null) ?? 0);
  const ends = curves.terms.map(({ name, curve }) => `${TERM_TITLES[name] ?? name} ${last(curve.mean)}`);
  return {
    id,
    title,
    summary: `Loss over ${curves.lastStep + 1} steps; at the end: total ${last(mean)}${ends.map((end) => `, ${end}`).join('')}.`,
    height: terms.length > 0 ? 340 : 240,
    option: {
      // On a phone the legend takes three lines.
      media: [
        { query: { maxWidth: 520 }, option: { grid: { top: terms.length > 0 ? 90 : 16 } } },
        { option: { grid: { top: terms.length > 0 ? 46 : 16 } } },
      ],
      grid: { ...GRID, bottom: 26 },
      legend: {
        show: terms.length > 0,
        top: 0,
        left: 0,
        right: 0,
        itemWidth: 14,
        itemHeight: 8,
        itemGap: 14,
        icon: 'roundRect',
        textStyle: { color: color('ink'), fontSize: 12 },
        inactiveColor: color('line'),
      },
      tooltip: { ...TOOLTIP, trigger: 'axis', formatter: format('lossTooltip') },
      xAxis: progressAxis('step', 0, curves.lastStep),
      yAxis: valueAxis({ min: 0 }),
      series: [
        ...rangeBand(curves, curves.total, 'Total', 'total'),
        lineSeries('Total', 'total', pointsOf(curves, mean), { showSymbol: false, lineStyle: { width: 2.4, color: color('total') } }),
        ...terms,
      ],
    },
  };
}

/** Learning rate over the steps. */
export function rateChart(id: string, title: string, curves: TrainingCurves): Chart {
  const points = curves.steps.map((step, i) => [step, curves.learningRate[i]]);
  const highest = Math.max(0, ...curves.learningRate.filter((rate) => rate !== null));
  return {
    id,
    title,
    summary: `Learning rate over ${curves.lastStep + 1} steps, at most ${formatNumber(highest)}.`,
    height: 200,
    option: {
      grid: { ...GRID, bottom: 26 },
      tooltip: { ...TOOLTIP, trigger: 'axis', valueFormatter: format('rate') },
      xAxis: progressAxis('step', 0, curves.lastStep),
      yAxis: valueAxis({ axisLabel: { color: color('muted'), fontSize: 11, formatter: format('rate') } }),
      series: [lineSeries('Learning rate', 'accent', points, { showSymbol: false, areaStyle: { color: color('accent'), opacity: 0.1 } })],
    },
  };
}

/** Norm of the gradients over the steps, before they were scaled down; null where they never are. */
export function gradientChart(id: string, title: string, curves: TrainingCurves): Chart | null {
  const { gradientNorm } = curves;
  if (gradientNorm === null) return null;
  const highest = Math.max(0, ...gradientNorm.max.filter((norm) => norm !== null));
  return {
    id,
    title,
    summary: `Norm of the gradients over ${curves.lastStep + 1} steps, before longer ones were scaled down; at most ${formatNumber(highest)}.`,
    height: 200,
    option: {
      grid: { ...GRID, bottom: 26 },
      tooltip: { ...TOOLTIP, trigger: 'axis', formatter: format('lossTooltip') },
      xAxis: progressAxis('step', 0, curves.lastStep),
      yAxis: valueAxis({ min: 0 }),
      series: [
        ...rangeBand(curves, gradientNorm, 'Norm', 'accent'),
        lineSeries('Norm', 'accent', pointsOf(curves, gradientNorm.mean), { showSymbol: false }),
      ],
    },
  };
}

function ratioOverEpochs(id: string, title: string, name: string, points: readonly (readonly [number, number])[]): Chart {
  const best = points.reduce((a, b) => (b[1] > a[1] ? b : a));
  const [, final] = points[points.length - 1];
  return {
    id,
    title,
    summary: `${name} at ${points.length} epochs: ${formatPercent(final)} % at the end, at best ${formatPercent(best[1])} % at epoch ${best[0]}.`,
    height: 240,
    option: {
      grid: { ...GRID, bottom: 26 },
      tooltip: { ...TOOLTIP, trigger: 'axis', valueFormatter: format('percent') },
      xAxis: { ...progressAxis('epoch', points[0][0], points[points.length - 1][0]), minInterval: 1 },
      yAxis: valueAxis({ min: 0, axisLabel: { color: color('muted'), fontSize: 11, formatter: format('percentAxis') } }),
      series: [
        lineSeries(name, 'accent', points, {
          showSymbol: points.length <= 60,
          areaStyle: { color: color('accent'), opacity: 0.1 },
          endLabel: {
            show: true,
            offset: [-44, -14],
            formatter: `${formatPercent(final)} %`,
            color: color('ink'),
            fontSize: 12,
            fontWeight: 600,
          },
        }),
      ],
    },
  };
}

/** mIoU on the validation split over the epochs of segment; there is at least one point. */
export function meanIouChart(points: readonly ValidationPoint[]): Chart {
  const pairs = points.map(({ epoch, meanIou }) => [epoch, meanIou] as const);
  return ratioOverEpochs('mean-iou', 'mIoU on the validation split', 'mIoU', pairs);
}

/** Mean average precision over the epochs of classify; there is at least one point. */
export function precisionChart(points: TrainingCurves['meanAveragePrecision']): Chart {
  const pairs = points.map(({ epoch, value }) => [epoch, value] as const);
  return ratioOverEpochs('classify-precision', 'Mean average precision', 'Mean average precision', pairs);
}
