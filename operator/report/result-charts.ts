import { formatDuration } from '../duration.ts';
import { categoryAxis, color, format, GRID, lineSeries, TOOLTIP, valueAxis } from './chart-parts.ts';
import type { Chart } from './chart-parts.ts';
import { formatPercent, formatShare } from './format.ts';
import type { EvaluationSummary, PseudoLabelSummary, ReportClass, StageSummary } from './report-data.ts';

const PERCENT_LABELS = { color: color('muted'), fontSize: 11, hideOverlap: true, formatter: format('percentAxis') };
const BAR = { barMaxWidth: 18, itemStyle: { color: color('accent'), borderRadius: [0, 3, 3, 0] } };
const barLabel = (text: string) => ({
  show: true,
  position: 'right',
  color: color('ink'),
  fontSize: 12,
  formatter: text,
  backgroundColor: color('surface'),
  padding: [1, 3],
});

/** IoU of every class that occurs, best first. */
export function classIouChart({ iou, meanIou }: EvaluationSummary, classes: readonly ReportClass[]): Chart {
  const rows = iou
    .flatMap((value, index) => (value === null ? [] : [{ name: classes[index].name, value }]))
    .sort((a, b) => b.value - a.value);
  return {
    id: 'class-iou',
    title: 'IoU of each class',
    summary: `IoU of ${rows.length} classes, best first: ${rows.map(({ name, value }) => `${name} ${formatPercent(value)} %`).join(', ')}.`,
    height: 56 + rows.length * 27,
    option: {
      grid: { ...GRID, top: 24 },
      tooltip: { ...TOOLTIP, trigger: 'axis', axisPointer: { type: 'none' }, valueFormatter: format('percent') },
      xAxis: valueAxis({ min: 0, max: 1, interval: 0.25, axisLabel: PERCENT_LABELS }),
      // The values stand in a column of their own: beside the bars the line of the mean would run through those near it.
      yAxis: [
        {
          ...categoryAxis(
            rows.map(({ name }) => name),
            104,
          ),
          inverse: true,
        },
        {
          ...categoryAxis(
            rows.map(({ value }) => formatPercent(value)),
            48,
          ),
          inverse: true,
          position: 'right',
        },
      ],
      series: [
        {
          type: 'bar',
          name: 'IoU',
          ...BAR,
          data: rows.map(({ value }) => ({ value })),
          ...(meanIou === null ? {} : { markLine: meanLine(meanIou) }),
        },
      ],
    },
  };
}

function meanLine(meanIou: number) {
  return {
    // Behind the bars.
    z: 1,
    silent: true,
    symbol: 'none',
    lineStyle: { color: color('ink'), type: [4, 4], width: 1 },
    label: { formatter: `mIoU ${formatPercent(meanIou)}`, position: 'start', distance: 4, color: color('ink'), fontSize: 11 },
    data: [{ xAxis: meanIou }],
  };
}

/** Where the heat colours pass theme.ts's turn: the fourth of five, evenly spread. */
const HEAT_TURN_SHARE = 0.75;

/** Share of a true class's pixels that went to each predicted class; rows without a pixel stay empty. */
export function confusionChart({ confusion }: EvaluationSummary, classes: readonly ReportClass[]): Chart {
  const names = classes.map(({ name }) => name);
  const totals = confusion.map((row) => row.reduce((sum, pixels) => sum + pixels, 0));
  const few = names.length <= 8;
  const cells = confusion.flatMap((row, truth) =>
    row.flatMap((pixels, predicted) => {
      if (totals[truth] === 0) return [];
      const share = Number((pixels / totals[truth]).toPrecision(4));
      const text = { color: color(share > HEAT_TURN_SHARE ? 'heatHigh' : 'heatLow') };
      return [{ value: [predicted, truth, share], pixels, ...(few ? { label: text } : {}) }];
    }),
  );
  const axis = { ...categoryAxis(names, 92) };
  const labels = { color: color('ink'), fontSize: few ? 12 : 11, overflow: 'truncate', interval: 0 };
  const columnLabels = few ? { rotate: 40, width: 76 } : { rotate: 90, width: 80, align: 'right', verticalAlign: 'middle', margin: 6 };
  const correct = confusion.map((row, i) => (totals[i] === 0 ? null : row[i] / totals[i]));
  return {
    id: 'confusion',
    title: 'Confusion matrix',
    summary: `Share of each true class labelled correctly: ${names.map((name, i) => `${name} ${formatPercent(correct[i])} %`).join(', ')}.`,
    height: few ? 420 : 240 + names.length * 20,
    option: {
      media: few
        ? []
        : [
            {
              query: { maxWidth: 520 },
              option: { xAxis: { axisLabel: { fontSize: 9 } }, yAxis: { axisLabel: { fontSize: 10, width: 72 } } },
            },
            { option: { xAxis: { axisLabel: { fontSize: 12 } }, yAxis: { axisLabel: { fontSize: 12, width: 120 } } } },
          ],
      grid: { ...GRID, right: 4, top: 22, bottom: 44 },
      tooltip: { ...TOOLTIP, formatter: format('confusionTooltip') },
      xAxis: {
        ...axis,
        position: 'top',
        axisLabel: { ...labels, ...columnLabels },
      },
      yAxis: { ...axis, inverse: true, axisLabel: { ...labels, width: 92 } },
      visualMap: {
        hoverLink: false,
        min: 0,
        max: 1,
        orient: 'horizontal',
        left: 'center',
        bottom: 0,
        itemWidth: 10,
        itemHeight: 120,
        text: ['100 %', '0 %'],
        textStyle: { color: color('muted'), fontSize: 11 },
        inRange: { color: ['heat0', 'heat1', 'heat2', 'heat3', 'heat4'].map((name) => color(name as 'heat0')) },
      },
      series: [
        {
          type: 'heatmap',
          name: 'Confusion',
          data: cells,
          label: { show: few, fontSize: 11, formatter: format('percentAxis') },
          itemStyle: { borderColor: color('surface'), borderWidth: few ? 2 : 1, borderRadius: few ? 3 : 1 },
          emphasis: { itemStyle: { borderColor: color('ink'), borderWidth: 1.5 } },
        },
      ],
    },
  };
}

/** Working time of the stages that have finished. */
export function stageTimeChart(stages: readonly StageSummary[]): Chart {
  const rows = stages.flatMap(({ stage, seconds }) => (seconds === null ? [] : [{ stage, seconds }]));
  return {
    id: 'stage-times',
    title: 'Time of each stage',
    summary: rows.map(({ stage, seconds }) => `${stage} ${formatDuration(seconds)}`).join(', '),
    height: 20 + rows.length * 34,
    option: {
      grid: { ...GRID, right: 84, top: 4 },
      xAxis: { ...valueAxis(), show: false, max: 'dataMax' },
      yAxis: {
        ...categoryAxis(
          rows.map(({ stage }) => stage),
          100,
        ),
        inverse: true,
      },
      series: [
        {
          type: 'bar',
          name: 'Time',
          ...BAR,
          data: rows.map(({ seconds }) => ({ value: seconds, label: barLabel(formatDuration(seconds)) })),
        },
      ],
    },
  };
}

/** A label above a vertical line goes to that side where there is room for it. */
function alignAt(value: number, values: readonly number[]): 'left' | 'center' | 'right' {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const share = high === low ? 0.5 : (value - low) / (high - low);
  return share < 0.25 ? 'left' : share > 0.75 ? 'right' : 'center';
}

/** Agreement with the scribbles of every threshold that was tried; there is at least one. */
export function thresholdChart({ candidates, threshold }: PseudoLabelSummary): Chart {
  const points = candidates.map((candidate) => [candidate.threshold, candidate.agreement]);
  const align =
    threshold === null
      ? 'center'
      : alignAt(
          threshold,
          candidates.map((candidate) => candidate.threshold),
        );
  const line = {
    silent: true,
    symbol: 'none',
    lineStyle: { color: color('ink'), type: [4, 4], width: 1 },
    label: { formatter: `chosen: ${threshold}`, align, color: color('ink'), fontSize: 11 },
    data: [{ xAxis: threshold }],
  };
  return {
    id: 'threshold',
    title: 'Choice of the background threshold',
    summary:
      `Agreement with the scribbles for ${candidates.length} thresholds` +
      (threshold === null ? '.' : `; chosen: ${threshold}.`) +
      candidates.map((candidate) => ` ${candidate.threshold}: ${formatPercent(candidate.agreement)} %.`).join(''),
    height: 240,
    option: {
      grid: { ...GRID, top: 30, bottom: 26 },
      tooltip: { ...TOOLTIP, trigger: 'axis', valueFormatter: format('percent') },
      xAxis: valueAxis({
        name: 'background threshold',
        nameLocation: 'middle',
        nameGap: 26,
        nameTextStyle: { color: color('muted'), fontSize: 11 },
        scale: true,
        splitLine: { show: false },
      }),
      yAxis: valueAxis({ scale: true, axisLabel: PERCENT_LABELS }),
      series: [
        lineSeries('Agreement with the scribbles', 'accent', points, {
          showSymbol: true,
          ...(threshold === null ? {} : { markLine: line }),
        }),
      ],
    },
  };
}

/** Names of the steps of the refinement for people; others are shown as they are. */
const QUALITY_TITLES: Readonly<Record<string, string>> = {
  plain: 'Plain CAM',
  painted: 'With scribbles',
  refined: 'Refined',
  external: 'External',
};

/** mIoU of the pseudo-labels at each step of the refinement; last, that of the pixels that are learned from where not all are. */
export function qualityChart({ quality: steps, sure }: PseudoLabelSummary): Chart {
  const quality = steps.map(({ name, meanIou }) => ({ name: QUALITY_TITLES[name] ?? name, meanIou }));
  if (sure !== null) quality.push({ name: `Sure (${formatShare(sure.share)})`, meanIou: sure.meanIou });
  return {
    id: 'quality',
    title: 'Quality of the pseudo-labels',
    summary: `mIoU on the training images: ${quality.map(({ name, meanIou }) => `${name} ${formatPercent(meanIou)} %`).join(', ')}.`,
    height: 40 + quality.length * 36,
    option: {
      grid: { ...GRID, right: 48, top: 4 },
      xAxis: valueAxis({ min: 0, max: 1, interval: 0.25, axisLabel: PERCENT_LABELS }),
      yAxis: {
        ...categoryAxis(
          quality.map(({ name }) => name),
          120,
        ),
        inverse: true,
      },
      series: [
        {
          type: 'bar',
          name: 'mIoU',
          ...BAR,
          data: quality.map(({ meanIou }) => ({ value: meanIou, label: barLabel(formatPercent(meanIou)) })),
        },
      ],
    },
  };
}
