import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { summarizeHistory } from '../../../operator/report/history.ts';
import { renderReport } from '../../../operator/report/render.ts';
import type { ReportData } from '../../../operator/report/report-data.ts';
import { completeReport, emptyReport, HOSTILE_CLASSES, VOC_CLASSES } from './fixture.ts';

const test = suite('the rendered report');
const ASSETS = { charts: 'var echarts;', script: '(() => {})();', styles: 'body { margin: 0 }' };

/** Chart ids and options as the page's script reads them. */
function chartsIn(page: string): { id: string; option: { series: { data: unknown[] }[] } }[] {
  const json = /<script type="application\/json" id="report-data">(.*?)<\/script>/s.exec(page)?.[1] ?? '';
  return (JSON.parse(json) as { charts: ReturnType<typeof chartsIn> }).charts;
}

test('the page allows only its own two scripts to run and nothing to be fetched', () => {
  const page = renderReport(completeReport(), ASSETS);
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1].replaceAll('&#39;', "'") ?? '';
  assert.ok(policy.startsWith("default-src 'none'; img-src data:;"));
  const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text]) => text);
  assert.equal(scripts, [ASSETS.charts, ASSETS.script]);
  for (const text of scripts) assert.ok(policy.includes(`'sha256-${createHash('sha256').update(text).digest('base64')}'`));
});

test('the page names nothing outside itself', () => {
  const page = renderReport(completeReport(), ASSETS);
  assert.not.match(page, /(src|href)="(?!data:|#)/);
  assert.not.match(page, /url\(|@import/);
});

test('with the plotting library and without pictures it stays below 1.5 MB', () => {
  const size = renderReport({ ...completeReport(VOC_CLASSES), gallery: { training: [], validation: [] } }).length;
  assert.ok(size > 500_000 && size < 1_500_000, `${size} bytes`);
});

test('every chart has a place, and every place a chart and a text for those who do not see it', () => {
  const page = renderReport(completeReport(), ASSETS);
  const places = [...page.matchAll(/id="chart-([^"]+)"[^>]*role="img"\s+aria-label="([^"]+)"/g)];
  assert.equal(
    places.map(([, id]) => id).sort(),
    chartsIn(page)
      .map(({ id }) => id)
      .sort(),
  );
  assert.is(places.length, 12);
});

test('a report of nothing has no charts, and says so in its stages', () => {
  const page = renderReport(emptyReport(), ASSETS);
  assert.equal(chartsIn(page), []);
  assert.is(page.match(/class="state NotRun"/g)?.length, 4);
  assert.match(page, /0 of 4/);
});

test('names, YAML and messages are escaped wherever they stand', () => {
  const data = completeReport(HOSTILE_CLASSES);
  const evil = '<script>alert(2)</script>';
  const page = renderReport(
    { ...data, name: evil, yaml: evil, failure: { stage: 'segment', message: evil }, notes: [evil], facts: [evil] },
    ASSETS,
  );
  assert.not.match(page, /<script>alert/);
  assert.not.match(page, /@ink' <!--/);
});

test('a failure names stage, file and field as the terminal does', () => {
  const failure = {
    stage: 'classify',
    file: '/d/a.png',
    field: 'spec.x',
    message: 'is bad; another file cannot be used:\n- b.png',
  } as const;
  const stages = emptyReport().stages.map((stage) => (stage.stage === 'classify' ? { ...stage, state: 'Failed' as const } : stage));
  const page = renderReport({ ...emptyReport(), failure, stages }, ASSETS);
  assert.match(
    page,
    /<strong>classify has failed<\/strong>\s*<p>\/d\/a\.png: spec\.x: is bad; another file cannot be used:\n- b\.png<\/p>/,
  );
  assert.match(page, '<span class="state Failed">failed</span>');
  const short = renderReport({ ...emptyReport(), failure: { stage: 'classify', message: 'crashed' } }, ASSETS);
  assert.match(short, '<p>crashed</p>');
});

test('the bars are sorted and leave out classes without IoU, which are named', () => {
  const complete = completeReport(['background', 'cat', 'dog', 'cow']);
  const evaluation = complete.evaluation && { ...complete.evaluation, iou: [0.2, null, 0.9, 0.5] };
  const page = renderReport({ ...complete, evaluation }, ASSETS);
  const [chart] = chartsIn(page).filter(({ id }) => id === 'class-iou');
  assert.equal(
    chart.option.series[0].data.map((item) => (item as { value: number }).value),
    [0.9, 0.5, 0.2],
  );
  assert.match(page, /not part of the mean: cat\./);
});

test('a row of the confusion matrix sums to one, and a class without pixels has no cells', () => {
  const complete = completeReport(['background', 'cat', 'dog']);
  const evaluation = complete.evaluation && {
    ...complete.evaluation,
    confusion: [
      [6, 2, 0],
      [0, 0, 0],
      [1, 1, 2],
    ],
  };
  const [chart] = chartsIn(renderReport({ ...complete, evaluation }, ASSETS)).filter(({ id }) => id === 'confusion');
  const cells = chart.option.series[0].data as { value: [number, number, number]; pixels: number }[];
  assert.equal(
    cells.map(({ value }) => value),
    [
      [0, 0, 0.75],
      [1, 0, 0.25],
      [2, 0, 0],
      [0, 2, 0.25],
      [1, 2, 0.25],
      [2, 2, 0.5],
    ],
  );
  assert.equal(
    cells.map(({ pixels }) => pixels),
    [6, 2, 0, 1, 1, 2],
  );
});

test('of the sure pixels of the pseudo-labels mIoU and share are shown; the headline tells of all pixels', () => {
  const complete = completeReport();
  const withSure = { ...complete, pseudoLabel: { ...complete.pseudoLabel!, sure: { meanIou: 0.854, share: 0.774 } } };
  const headlineOf = (page: string) => /mIoU of the pseudo-labels[^%]*%/.exec(page)?.[0];
  const [page, plain] = [renderReport(withSure, ASSETS), renderReport(complete, ASSETS)];
  assert.match(headlineOf(page)!, /72\.1/);
  assert.is(headlineOf(page), headlineOf(plain));
  const [chart] = chartsIn(page).filter(({ id }) => id === 'quality');
  assert.equal(
    chart.option.series[0].data.map((item) => (item as { value: number }).value),
    [0.43, 0.721, 0.854],
  );
  assert.match(page, 'Sure (77 %) 85.4 %.');
  assert.match(page, 'Sure are 77 % of the pixels');
  assert.not.match(plain, /Sure/);
});

test('the norm of the gradients is a curve beside the rate, where it was taken', () => {
  const complete = completeReport();
  const idsOf = (report: ReportData) => chartsIn(renderReport(report, ASSETS)).map(({ id }) => id);
  const ids = idsOf(complete);
  assert.is(ids[ids.indexOf('segment-rate') + 1], 'segment-gradient');
  assert.not.ok(ids.includes('classify-gradient'));
  assert.ok(idsOf({ ...complete, classify: complete.segment }).includes('classify-gradient'));
  const norms = [1, 32].map((gradientNorm, step) => ({ step, epoch: 0, loss: 1, gradientNorm }));
  const page = renderReport({ ...complete, segment: summarizeHistory(norms) }, ASSETS);
  assert.match(page, 'over 2 steps, before longer ones were scaled down; at most 32.');
});

test('before the evaluation the last validation stands in for the result', () => {
  const page = renderReport({ ...completeReport(), evaluation: null }, ASSETS);
  assert.match(page, /mIoU so far, epoch 20/);
});

test('an evaluation without masks is one sentence, not empty charts', () => {
  const page = renderReport({ ...completeReport(), evaluation: null, unscoredImages: 12, validation: [] }, ASSETS);
  assert.match(page, 'Nothing was scored: the masks of the validation images (12) are not there.');
  const ids = chartsIn(page).map(({ id }) => id);
  for (const id of ['class-iou', 'confusion', 'mean-iou']) assert.not.ok(ids.includes(id), id);
  assert.not.match(page, /<div class="cards"><\/div>/);
});

test.run();
