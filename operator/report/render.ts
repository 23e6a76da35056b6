import { createHash } from 'node:crypto';
import { formatDuration } from '../duration.ts';
import type { Chart } from './chart-parts.ts';
import { formatInteger, formatPercent } from './format.ts';
import { gallerySection } from './gallery-section.ts';
import { Html, html, jsonForScript } from './html.ts';
import { readPageAssets } from './page-assets.ts';
import type { PageAssets } from './page-assets.ts';
import type { ReportData } from './report-data.ts';
import { pseudoLabelSection, resultSection, runSection, trainingSection } from './sections.ts';
import { themeCss, THEMES } from './theme.ts';

/**
 * One HTML page with everything in it: styles, pictures, the plotting library. It asks the network for nothing, and its content
 * security policy forbids it to; only the two scripts written here may run, whatever names an experiment contains.
 */
export function renderReport(data: ReportData, assets: PageAssets = readPageAssets()): string {
  const results = resultSection(data);
  const training = trainingSection(data);
  const pseudoLabels = pseudoLabelSection(data);
  const gallery = gallerySection(data);
  const run = runSection(data);
  const withCharts = [results, training, pseudoLabels, run].filter((part) => part !== null);
  const links = [
    ...(results ? [results] : []),
    ...(gallery ? [{ id: 'gallery', title: 'Pictures' }] : []),
    ...[training, pseudoLabels, run].filter((part) => part !== null),
  ];
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${contentPolicy(assets)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="data:," />
        <title>${data.name}: CDSP report</title>
        ${styleElement(assets)}
      </head>
      <body>
        ${pageHeader(data)}
        <main>
          <nav aria-label="Sections">
            <ul>
              ${links.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}
            </ul>
          </nav>
          <noscript><p class="alert">The charts need JavaScript; tables and pictures do not.</p></noscript>
          ${results && results.body} ${gallery} ${training && training.body} ${pseudoLabels && pseudoLabels.body} ${run.body}
        </main>
        <footer>
          ${data.createdAt !== null && html`Written on <time datetime="${data.createdAt}">${formatDate(data.createdAt)}</time> by cdsp. `}Charts
          drawn with Apache ECharts.
        </footer>
        ${gallery && viewer()} ${dataScript(withCharts.flatMap(({ charts }) => charts))} ${inlineScript(assets.charts)}
        ${inlineScript(assets.script)}
      </body>
    </html> `;
  return page.text;
}

function contentPolicy({ charts, script }: PageAssets): string {
  const hashes = [charts, script].map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
  return `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}; base-uri 'none'; form-action 'none'`;
}

function styleElement({ styles }: PageAssets): Html {
  const light = `:root { ${themeCss(THEMES.light)} }`;
  const dark = `@media screen and (prefers-color-scheme: dark) { :root { ${themeCss(THEMES.dark)} } }`;
  return new Html(`<style>${light}\n${dark}\n${styles}</style>`);
}

/** Not a space may be added: the policy holds the script's hash. */
function inlineScript(text: string): Html {
  return new Html(`<script>${text}</script>`);
}

function dataScript(charts: readonly Chart[]): Html {
  const data = { charts: charts.map(({ id, option }) => ({ id, option })), themes: THEMES };
  return html`<script type="application/json" id="report-data">
    ${jsonForScript(data)}
  </script>`;
}

function pageHeader(data: ReportData): Html {
  return html`<header>
    <p class="overline">CDSP experiment</p>
    <h1>${data.name}</h1>
    <ul class="facts">
      ${data.facts.map((fact) => html`<li>${fact}</li>`)}
    </ul>
    ${failureAlert(data)}${noteAlert(data)}
    <dl class="headline">${headline(data)}</dl>
  </header>`;
}

function headline({ evaluation, pseudoLabel, stages, validation }: ReportData): Html[] {
  const entry = (label: string, value: string, unit = '') =>
    html`<div>
      <dt>${label}</dt>
      <dd>${value}${unit !== '' && html`<span class="unit">${unit}</span>`}</dd>
    </div>`;
  const percent = (label: string, ratio: number | null | undefined) =>
    ratio === null || ratio === undefined ? [] : [entry(label, formatPercent(ratio), '%')];
  const total = stages.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);
  const complete = stages.filter(({ state }) => state === 'Complete').length;
  const needed = stages.filter(({ state }) => state !== 'NotNeeded').length;
  return [
    ...percent('mIoU', evaluation?.meanIou),
    ...(evaluation === null ? percent(`mIoU so far, epoch ${validation.at(-1)?.epoch}`, validation.at(-1)?.meanIou) : []),
    ...percent('Pixel accuracy', evaluation?.pixelAccuracy),
    ...percent('mIoU of the pseudo-labels', pseudoLabel?.quality.at(-1)?.meanIou),
    ...(total > 0 ? [entry('Total time', formatDuration(total))] : []),
    ...(complete < needed ? [entry('Stages complete', `${formatInteger(complete)} of ${formatInteger(needed)}`)] : []),
  ];
}

/** As the terminal says it: file, field, what is wrong. */
function failureAlert({ failure }: ReportData): Html | null {
  if (failure === null) return null;
  const { stage, file, field, message } = failure;
  return html`<div class="alert" role="alert">
    <strong>${stage} has failed</strong>
    <p>${[file, field, message].filter((part) => part !== undefined).join(': ')}</p>
  </div>`;
}

function noteAlert({ notes }: ReportData): Html | null {
  if (notes.length === 0) return null;
  return html`<div class="alert">
    <strong>Not everything could be read</strong>
    <ul>
      ${notes.map((note) => html`<li>${note}</li>`)}
    </ul>
  </div>`;
}

function viewer(): Html {
  return html`<dialog id="viewer" aria-label="Enlarged picture">
    <figure>
      <img alt="" src="data:," />
      <figcaption aria-live="polite"></figcaption>
    </figure>
    <div class="viewer-actions">
      <button type="button" data-action="previous">Previous</button>
      <button type="button" data-action="close" autofocus>Close</button>
      <button type="button" data-action="next">Next</button>
    </div>
  </dialog>`;
}

function formatDate(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
