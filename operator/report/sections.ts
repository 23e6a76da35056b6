import { unscoredSentence } from '../../trainer-image/evaluation/unscored.ts';
import { edgeHint } from '../../trainer-image/pseudo-labels/threshold.ts';
import { formatDuration } from '../duration.ts';
import type { Chart } from './chart-parts.ts';
import { formatInteger, formatPercent, formatShare } from './format.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import type { EvaluationSummary, ReportClass, ReportData, ReportStageState, StageSummary } from './report-data.ts';
import { classIouChart, confusionChart, qualityChart, stageTimeChart, thresholdChart } from './result-charts.ts';
import { gradientChart, lossChart, meanIouChart, precisionChart, rateChart } from './training-charts.ts';

/** A part of the page with the charts that are drawn in it. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
  readonly charts: readonly Chart[];
}

type Width = 'half' | 'third' | 'two-thirds' | 'full';

function chartCard(chart: Chart, width: Width, more: Html | null = null): Html {
  return html`<div class="card ${width}">
    <h3>${chart.title}</h3>
    ${more}
    <div id="chart-${chart.id}" class="chart" style="--height: ${chart.height}px" role="img" aria-label="${chart.summary}"></div>
  </div>`;
}

function section(id: string, title: string, intro: string | null, charts: readonly Chart[], cards: readonly (Html | null)[]): Section {
  const body = html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${intro !== null && html`<p>${intro}</p>`} ${cards.length > 0 && html`<div class="cards">${cards}</div>`}
  </section>`;
  return { id, title, body, charts };
}

/** IoU of each class and the confusion matrix, or why there are none; null before evaluate has finished. */
export function resultSection({ evaluation, unscoredImages, classes }: ReportData): Section | null {
  if (unscoredImages !== null) return section('results', 'Results', unscoredSentence(unscoredImages), [], []);
  if (evaluation === null) return null;
  const iou = classIouChart(evaluation, classes);
  const confusion = confusionChart(evaluation, classes);
  const few = classes.length <= 8;
  const intro = `Measured on ${formatInteger(evaluation.images)} images of the validation split.`;
  return section(
    'results',
    'Results',
    intro,
    [iou, confusion],
    [
      html`<div class="card ${few ? 'half' : 'full'}">
        <h3>${iou.title}</h3>
        ${absentClasses(evaluation, classes)}
        <div id="chart-${iou.id}" class="chart" style="--height: ${iou.height}px" role="img" aria-label="${iou.summary}"></div>
        ${few && confusionList(evaluation, classes)}
        <details>
          <summary>The same as a table</summary>
          ${iouTable(evaluation, classes)}
        </details>
      </div>`,
      html`<div class="card ${few ? 'half' : 'full'}">
        <h3>${confusion.title}</h3>
        <p>Rows: true class, columns: predicted class; the share of the true class’s pixels, in %.</p>
        <div
          id="chart-${confusion.id}"
          class="chart square"
          style="--height: ${confusion.height}px"
          role="img"
          aria-label="${confusion.summary}"
        ></div>
        ${!few && confusionList(evaluation, classes)}
      </div>`,
    ],
  );
}

function absentClasses({ iou }: EvaluationSummary, classes: readonly ReportClass[]): Html | null {
  const absent = classes.filter((_, index) => iou[index] === null).map(({ name }) => name);
  if (absent.length === 0) return null;
  return html`<p>In neither truth nor prediction, and not part of the mean: ${absent.join(', ')}.</p>`;
}

function iouTable({ iou, confusion, meanIou }: EvaluationSummary, classes: readonly ReportClass[]): Html {
  const row = (index: number) =>
    html`<tr>
      <th scope="row"><span class="swatch" style="background: ${classes[index].color}"></span>${classes[index].name}</th>
      <td class="number">${formatPercent(iou[index])}</td>
      <td class="number">${formatInteger(confusion[index].reduce((sum, pixels) => sum + pixels, 0))}</td>
    </tr>`;
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Class</th>
        <th scope="col" class="number">IoU, %</th>
        <th scope="col" class="number">True pixels</th>
      </tr>
    </thead>
    <tbody>
      ${classes.map((_, index) => row(index))}
      <tr>
        <th scope="row">Mean</th>
        <td class="number">${formatPercent(meanIou)}</td>
        <td></td>
      </tr>
    </tbody>
  </table>`;
}

/** The largest shares off the diagonal, in words. */
function confusionList({ confusion }: EvaluationSummary, classes: readonly ReportClass[]): Html | null {
  const pairs = confusion
    .flatMap((row, truth) => {
      const total = row.reduce((sum, pixels) => sum + pixels, 0);
      return row.map((pixels, predicted) => ({ truth, predicted, share: total === 0 ? 0 : pixels / total }));
    })
    .filter(({ truth, predicted, share }) => truth !== predicted && share >= 0.01)
    .sort((a, b) => b.share - a.share)
    .slice(0, 5);
  if (pairs.length === 0) return null;
  return html`<h3 style="margin-top: 1rem">Most frequent mix-ups</h3>
    <ul class="counts small">
      ${pairs.map(
        ({ truth, predicted, share }) =>
          html`<li><span>${classes[truth].name} labelled as ${classes[predicted].name}</span><b>${formatPercent(share)} %</b></li>`,
      )}
    </ul>`;
}

/** Widths of one to four cards in a row; four make two rows. */
const ROW_WIDTHS: readonly Width[] = ['full', 'half', 'third', 'half'];

/** Curves of classify and segment; null before either has begun. */
export function trainingSection({ classify, segment, validation }: ReportData): Section | null {
  if (classify === null && segment === null) return null;
  const charts: Chart[] = [];
  const cards: Html[] = [];
  const add = (chart: Chart, width: Width, more: Html | null = null) => {
    charts.push(chart);
    cards.push(chartCard(chart, width, more));
  };
  const averaged = (steps: number, terms: boolean) => {
    const range = steps === 1 ? null : `Mean of every ${steps} steps; the band spans the lowest and the highest total in them.`;
    const toggle = terms ? 'Choose a term in the legend to hide it.' : null;
    const text = [range, toggle].filter((part) => part !== null).join(' ');
    return text === '' ? null : html`<p>${text}</p>`;
  };
  const noteOf = ({ id }: Chart) => (id.endsWith('-gradient') ? html`<p>Before longer ones were scaled down.</p>` : null);
  if (segment !== null) {
    add(lossChart('segment-loss', 'Segment: loss', segment), 'full', averaged(segment.stepsPerBucket, segment.terms.length > 0));
    const others = [
      validation.length > 0 ? meanIouChart(validation) : null,
      rateChart('segment-rate', 'Segment: learning rate', segment),
      gradientChart('segment-gradient', 'Segment: norm of the gradients', segment),
    ].filter((chart) => chart !== null);
    for (const chart of others) add(chart, ROW_WIDTHS[others.length - 1], noteOf(chart));
  }
  if (classify !== null) {
    const { meanAveragePrecision: precision, stepsPerBucket } = classify;
    const others = [
      precision.length > 0 ? precisionChart(precision) : null,
      rateChart('classify-rate', 'Classify: learning rate', classify),
      gradientChart('classify-gradient', 'Classify: norm of the gradients', classify),
    ].filter((chart) => chart !== null);
    const width = ROW_WIDTHS[others.length];
    add(lossChart('classify-loss', 'Classify: loss', classify), width, averaged(stepsPerBucket, false));
    for (const chart of others) add(chart, width, noteOf(chart));
  }
  return section('training', 'Training', null, charts, cards);
}

/** Threshold and quality; null if pseudo-label did not run or has nothing to show. */
export function pseudoLabelSection({ pseudoLabel }: ReportData): Section | null {
  if (pseudoLabel === null) return null;
  const charts: Chart[] = [];
  const cards: Html[] = [];
  const both = pseudoLabel.candidates.length > 0 && pseudoLabel.quality.length > 0;
  if (pseudoLabel.candidates.length > 0) {
    const chart = thresholdChart(pseudoLabel);
    charts.push(chart);
    const { threshold, candidates } = pseudoLabel;
    const hint = threshold === null ? undefined : edgeHint(threshold, candidates);
    const text = `Agreement with the scribbles; no mask is needed for it.${hint === undefined ? '' : ` ${hint}.`}`;
    cards.push(chartCard(chart, both ? 'half' : 'full', html`<p>${text}</p>`));
  }
  if (pseudoLabel.quality.length > 0) {
    const chart = qualityChart(pseudoLabel);
    charts.push(chart);
    const { sure } = pseudoLabel;
    const left = sure && ` Sure are ${formatShare(sure.share)} of the pixels; nothing learns from the others.`;
    const text = `mIoU in % against the masks of the training images; training never sees them.${left ?? ''}`;
    cards.push(chartCard(chart, both ? 'half' : 'full', html`<p>${text}</p>`));
  }
  if (charts.length === 0) return null;
  return section('pseudo-labels', 'Pseudo-labels', null, charts, cards);
}

const STATE_TITLES: Readonly<Record<ReportStageState, string>> = {
  Complete: 'complete',
  Failed: 'failed',
  Unfinished: 'unfinished',
  NotRun: 'not run',
  NotNeeded: 'not needed',
};

/** Stage times, counts, keys and the experiment itself. */
export function runSection({ stages, counts, yaml }: ReportData): Section {
  const timed = stages.some(({ seconds }) => seconds !== null);
  const times = timed ? [stageTimeChart(stages)] : [];
  return section('run', 'The run', null, times, [
    timed ? chartCard(times[0], counts.length > 0 ? 'two-thirds' : 'full') : null,
    counts.length > 0
      ? html`<div class="card ${timed ? 'third' : 'full'}">
          <h3>Counts</h3>
          <ul class="counts">
            ${counts.map(({ label, value }) => html`<li><span>${label}</span><b>${formatInteger(value)}</b></li>`)}
          </ul>
        </div>`
      : null,
    html`<div class="card">
      <h3>Stages</h3>
      ${stageTable(stages)}
      ${
        yaml !== null &&
        html`<details>
          <summary>The experiment (YAML)</summary>
          <pre tabindex="0" aria-label="The experiment as YAML"><code>${yaml}</code></pre>
        </details>`
      }
    </div>`,
  ]);
}

function stageTable(stages: readonly StageSummary[]): Html {
  const row = ({ stage, state, seconds, key }: StageSummary) =>
    html`<tr>
        <th scope="row">${stage}</th>
        <td><span class="state ${state}">${STATE_TITLES[state]}</span></td>
        <td class="number">${seconds === null ? '–' : formatDuration(seconds)}</td>
      </tr>
      ${
        key !== null &&
        html`<tr class="key-row">
          <td colspan="3" class="key"><code>${key}</code></td>
        </tr>`
      }`;
  return html`<table class="stages">
    <thead>
      <tr>
        <th scope="col">Stage and key</th>
        <th scope="col">State</th>
        <th scope="col" class="number">Time</th>
      </tr>
    </thead>
    <tbody>
      ${stages.map(row)}
    </tbody>
  </table>`;
}
