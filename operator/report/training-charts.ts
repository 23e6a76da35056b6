import { color, format, GRID, lineSeries, progressAxis, TOOLTIP, valueAxis } from './chart-parts.ts';
import type { Chart, ChartOption } from './chart-parts.ts';
import { formatNumber, formatPercent } from './format.ts';
import type { TrainingCurves, ValidationPoint } from './report-data.ts';
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

/** Loss of a training stage: the total with the range of its steps, and every term that was switched on. */
export function lossChart(id: string, title: string, curves: TrainingCurves): Chart {
  const zip = (values: readonly (number | null)[]) => curves.steps.map((step, i) => [step, values[i], curves.epochs[i]]);
  const { mean, min, max } = curves.total;
  const spread = max.map((high, i) => (high === null || min[i] === null ? null : high - min[i]));
  // Two stacked lines: an invisible one at the lowest step of a bucket, and the area from there to its highest.
  const band = (values: readonly (number | null)[], name: string, area: ChartOption) =>
    lineSeries('Total', 'total', zip(values), {
      id: `band-${name}`,
      stack: 'band',
      silent: true,
      showSymbol: false,
      lineStyle: { opacity: 0 },
      ...area,
    });
  const terms = curves.terms.map(({ name, curve }, i) =>
    lineSeries(TERM_TITLES[name] ?? name, TERM_COLORS[name] ?? SPARE_COLORS[i % SPARE_COLORS.length], zip(curve.mean), {
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
        ...(curves.stepsPerBucket > 1
          ? [band(min, 'low', {}), band(spread, 'high', { areaStyle: { color: color('total'), opacity: 0.1 } })]
          : []),
        lineSeries('Total', 'total', zip(mean), { showSymbol: false, lineStyle: { width: 2.4, color: color('total') } }),
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
            offset: [-34, -14],
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
