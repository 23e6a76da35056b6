import type { ColorName } from './theme.ts';

/**
 * A chart as a plain value. `option` is an ECharts option in JSON, in which { $color: name } stands for a colour of the theme
 * and { $format: name } for a function of page/page.js: data from an experiment are strings and numbers and cannot be mistaken for either.
 */
export interface Chart {
  readonly id: string;
  readonly title: string;
  /** What the chart shows, for those who do not see it. */
  readonly summary: string;
  /** In pixels. */
  readonly height: number;
  readonly option: ChartOption;
}
export type ChartOption = Readonly<Record<string, unknown>>;

export const color = (name: ColorName) => ({ $color: name });
export type FormatName = 'percent' | 'percentAxis' | 'rate' | 'loss' | 'lossTooltip' | 'confusionTooltip' | 'shortInteger';
export const format = (name: FormatName) => ({ $format: name });

export const TOOLTIP = {
  confine: true,
  backgroundColor: color('surface'),
  borderColor: color('line'),
  textStyle: { color: color('ink'), fontSize: 12 },
};

export const GRID = { left: 4, right: 16, top: 16, bottom: 4, containLabel: true };

/** Axis of categories, names shortened to `width` pixels. */
export function categoryAxis(names: readonly string[], width: number): ChartOption {
  return {
    type: 'category',
    data: names,
    axisTick: { show: false },
    axisLine: { show: false },
    axisLabel: { color: color('ink'), fontSize: 12, width, overflow: 'truncate', interval: 0 },
  };
}

/** Axis of values. */
export function valueAxis(more: ChartOption = {}): ChartOption {
  return {
    type: 'value',
    axisLabel: { color: color('muted'), fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: color('line') } },
    axisLine: { show: false },
    axisTick: { show: false },
    splitNumber: 4,
    ...more,
  };
}

/** Axis of steps or epochs along the bottom, from the first to the last value. */
export function progressAxis(name: string, first: number, last: number): ChartOption {
  return valueAxis({
    name,
    nameLocation: 'middle',
    nameGap: 26,
    nameTextStyle: { color: color('muted'), fontSize: 11 },
    min: first,
    max: last,
    splitLine: { show: false },
    axisLine: { show: true, lineStyle: { color: color('line') } },
    axisLabel: { color: color('muted'), fontSize: 11, hideOverlap: true, formatter: format('shortInteger') },
  });
}

export function lineSeries(name: string, tint: ColorName, points: readonly (readonly (number | null)[])[], more: ChartOption = {}) {
  return {
    type: 'line',
    name,
    data: points,
    showSymbol: points.length <= 40,
    symbol: 'circle',
    symbolSize: 5,
    connectNulls: true,
    lineStyle: { width: 1.8, color: color(tint) },
    itemStyle: { color: color(tint) },
    emphasis: { disabled: true },
    ...more,
  };
}
