import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ReportData } from '../../operator/report/report-data.ts';
import { renderReport } from '../../operator/report/render.ts';
import { THEMES } from '../../operator/report/theme.ts';
import { completeReport, emptyReport, HOSTILE_CLASSES, VOC_CLASSES } from '../operator/report/fixture.ts';
import { launchBrowser } from './browser.ts';

const test = suite('the report in a browser');
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

// Not in a hook: uvu swallows the error of a hook, and it says what to install.
const browser = await launchBrowser();
const folder = mkdtempSync(join(tmpdir(), 'cdsp-report-'));
test.after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

interface Opened {
  readonly page: Page;
  /** Everything that a page should not do. */
  readonly troubles: string[];
}

/** Renders a report, opens it, hands it over, and closes it. */
async function withReport(
  data: ReportData,
  options: { viewport?: typeof DESKTOP; colorScheme?: 'light' | 'dark' },
  use: (opened: Opened) => Promise<void>,
): Promise<void> {
  const file = join(folder, 'report.html');
  writeFileSync(file, renderReport(data));
  const page = await browser.newPage({ viewport: DESKTOP, ...options });
  try {
    const troubles: string[] = [];
    page.on('console', (message) => troubles.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => {
      troubles.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith('data:') && request.url() !== pathToFileURL(file).href) troubles.push(`request: ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    await use({ page, troubles });
    assert.equal(troubles, []);
  } finally {
    await page.close();
  }
}

/** Shapes and texts in each chart, by its id. */
function countShapes(page: Page): Promise<[string, number][]> {
  return page.evaluate<[string, number][]>(
    `[...document.querySelectorAll('.chart')].map((chart) => [chart.id, chart.querySelectorAll('svg path, svg text').length])`,
  );
}

/** Texts of charts that are cut off at the edge of their chart. */
function cutTexts(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`[...document.querySelectorAll('.chart svg')].flatMap((svg) => {
    const edge = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')]
      .map((text) => ({ name: svg.closest('.chart').id + ': ' + text.textContent, box: text.getBoundingClientRect() }))
      .filter(({ box }) => box.left < edge.left - 1 || box.right > edge.right + 1 || box.top < edge.top - 1 || box.bottom > edge.bottom + 1)
      .map(({ name }) => name);
  })`);
}

/** Texts of the chart that a dashed line or its label runs into. */
function crossedTexts(page: Page, chart: string): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const svg = document.querySelector('#chart-${chart} svg');
    const texts = [...svg.querySelectorAll('text')];
    const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    const boxOf = (element) => element.getBoundingClientRect();
    const lines = [...svg.querySelectorAll('path[stroke-dasharray]'), ...texts.filter((text) => /^(chosen|mIoU)/.test(text.textContent))];
    return texts.filter((text) => lines.some((line) => line !== text && meets(boxOf(text), boxOf(line)))).map((text) => text.textContent);
  })()`);
}

function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

/** Whether the pictures' viewer is open, and what it and the focus are on. */
function viewerState(page: Page): Promise<{ open: boolean; picture: string; focus: string }> {
  return page.evaluate(`({
    open: document.getElementById('viewer').open,
    picture: document.querySelector('#viewer img').alt,
    focus: document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent,
  })`);
}

/** Texts whose contrast with what is behind them is below 4.5, by the formula of WCAG 2. */
const PALE_TEXTS = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const luminance = (color) => {
    const [r, g, b] = color.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) { const color = rgba(getComputedStyle(e).backgroundColor); if (color[3] === 255) return color; }
    return [255, 255, 255, 255];
  };
  return [...document.querySelectorAll('body *')]
    .filter((e) => !e.closest('script, svg') && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== ''))
    .filter((e) => e.getClientRects().length > 0)
    .map((e) => {
      const [high, low] = [luminance(rgba(getComputedStyle(e).color)), luminance(behind(e))].sort((a, b) => b - a);
      return { text: e.textContent.trim().slice(0, 40), ratio: (high + 0.05) / (low + 0.05) };
    })
    .filter(({ ratio }) => ratio < 4.5);
})()`;

/** Every other class occurs nowhere, and there is no mean. */
function withoutIou({ evaluation }: ReportData): ReportData['evaluation'] {
  return evaluation && { ...evaluation, iou: evaluation.iou.map((value, index) => (index % 2 === 1 ? null : value)), meanIou: null };
}

const complete = completeReport();
const empty = emptyReport();
const hostile = completeReport(HOSTILE_CLASSES);
const cases: [why: string, data: ReportData, charts: number][] = [
  ['a complete run of 7 classes', complete, 12],
  ['a complete run of 21 classes', completeReport(VOC_CLASSES), 12],
  [
    'names that look like HTML, and very long ones',
    { ...hostile, name: '"><img src=x onerror=alert(1)>', yaml: '</pre></script><script>alert(1)</script>' },
    12,
  ],
  ['nothing has run', empty, 0],
  ['only classify has run', { ...empty, classify: complete.classify, stages: [complete.stages[0], ...empty.stages.slice(1)] }, 4],
  ['scribbles only, without pseudo-labels', { ...complete, classify: null, pseudoLabel: null }, 7],
  [
    'failed in the middle',
    {
      ...complete,
      evaluation: null,
      failure: { stage: 'segment', message: 'loss is not finite: <lorm>', file: `/${'x'.repeat(200)}/a.png` },
      notes: ['x'.repeat(200)],
    },
    10,
  ],
  ['classes without IoU', { ...complete, evaluation: withoutIou(complete) }, 12],
];

for (const [why, data, charts] of cases) {
  test(`${why}: every chart is drawn and nothing overflows, on a phone and on a desktop`, async () => {
    await withReport(data, { viewport: PHONE }, async ({ page }) => {
      const shapes = await countShapes(page);
      assert.is(shapes.length, charts);
      for (const [id, count] of shapes) assert.ok(count >= 3, `${id} has ${count} shapes`);
      assert.ok((await overflow(page)) <= 0, 'the page scrolls sideways on a phone');
      assert.equal(await cutTexts(page), [], 'on a phone');
      await page.setViewportSize(DESKTOP);
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
      assert.equal(await cutTexts(page), [], 'on a desktop');
      assert.ok((await overflow(page)) <= 0, 'the page scrolls sideways on a desktop');
      assert.is(await page.textContent('h1'), data.name);
      assert.not.match(await page.innerText('body'), /NaN|undefined|null|Infinity/);
    });
  });
}

/** The chosen threshold is the first or the last candidate. */
const atEdge = (threshold: number): ReportData => {
  const candidates = [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5].map((candidate) => ({
    threshold: candidate,
    agreement: 0.5 - 0.2 * Math.abs(threshold - candidate),
  }));
  return { ...complete, pseudoLabel: { ...complete.pseudoLabel!, threshold, candidates } };
};
for (const threshold of [0.2, 0.5]) {
  for (const viewport of [PHONE, DESKTOP]) {
    test(`a threshold of ${threshold} at the edge of the candidates is labelled within the chart at ${viewport.width} pixels`, () =>
      withReport(atEdge(threshold), { viewport }, async ({ page }) => {
        assert.match(await page.innerText('#chart-threshold'), `chosen: ${threshold}`);
        assert.equal(await cutTexts(page), []);
        assert.equal(await crossedTexts(page, 'threshold'), []);
        assert.match(await page.innerText('#pseudo-labels'), `${threshold} is the ${threshold === 0.2 ? 'lowest' : 'highest'} candidate`);
      }));
  }
}

test('the line of the mean runs through no value of a class near it', async () => {
  const iou = complete.evaluation!.iou.map((_, index) => 0.56 - 0.01 * index);
  const evaluation = { ...complete.evaluation!, iou, meanIou: 0.545 };
  for (const viewport of [PHONE, DESKTOP]) {
    await withReport({ ...complete, evaluation }, { viewport }, async ({ page }) => {
      assert.match(await page.innerText('#chart-class-iou'), /56\.0/);
      assert.equal(await crossedTexts(page, 'class-iou'), []);
    });
  }
});

test('charts follow the colour scheme without a reload', async () => {
  await withReport(complete, { colorScheme: 'light' }, async ({ page }) => {
    const svg = () => page.evaluate<string>(`document.getElementById('chart-class-iou').innerHTML`);
    assert.ok((await svg()).includes(THEMES.light.accent));
    await page.emulateMedia({ colorScheme: 'dark' });
    // Not waitForFunction: it evaluates a string within the page, which the page's policy forbids, unless the first look succeeds.
    for (let frame = 0; frame < 600 && !(await svg()).includes(THEMES.dark.accent); frame++)
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => done()))');
    assert.ok((await svg()).includes(THEMES.dark.accent));
    assert.not.ok((await svg()).includes(THEMES.light.accent));
  });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`all text stands out from its background in the ${colorScheme} scheme`, async () => {
    const data: ReportData = {
      ...complete,
      failure: { stage: 'evaluate', message: 'why' },
      notes: ['a note'],
      stages: empty.stages.map((stage, i) => (i === 0 ? { ...stage, state: 'Failed' } : stage)),
    };
    await withReport(data, { colorScheme }, async ({ page }) => {
      assert.equal(await page.evaluate(PALE_TEXTS), []);
    });
  });
}

test('charts keep to the width of the window when it changes', async () => {
  await withReport(complete, {}, async ({ page }) => {
    await page.setViewportSize(PHONE);
    const widest = `Math.max(...[...document.querySelectorAll('.chart svg')].map((svg) => svg.getBoundingClientRect().right))`;
    await page.waitForFunction(`${widest} <= 360`);
    assert.ok((await overflow(page)) <= 0);
  });
});

test('pictures are enlarged, turned over and closed by the keyboard', async () => {
  await withReport(complete, {}, async ({ page }) => {
    const labels = await page.evaluate<string[]>(
      `[...document.querySelectorAll('button.tile')].map((tile) => tile.getAttribute('aria-label'))`,
    );
    const alts = await page.evaluate<string[]>(`[...document.querySelectorAll('button.tile img')].map((image) => image.alt)`);
    assert.ok(alts.every((alt) => alt.length > 0));
    await page.focus('button.tile');
    await page.keyboard.press('Enter');
    assert.equal(await viewerState(page), { open: true, picture: alts[0], focus: 'Close' });
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.is((await viewerState(page)).picture, alts[2]);
    await page.keyboard.press('ArrowLeft');
    assert.is((await viewerState(page)).picture, alts[1]);
    await page.keyboard.press('Escape');
    await page.waitForFunction(`!document.getElementById('viewer').open && document.activeElement.matches('button.tile')`);
    assert.equal(await viewerState(page), { open: false, picture: alts[1], focus: labels[1] });
  });
});

test('the tooltip of the confusion matrix shows names as they are and counts', async () => {
  await withReport(hostile, {}, async ({ page }) => {
    await page.locator('#chart-confusion').scrollIntoViewIfNeeded();
    const cell = page.locator('#chart-confusion svg text', { hasText: /^9\d$/ }).last();
    await cell.hover({ force: true });
    await page.waitForFunction(`document.querySelector('#chart-confusion').innerText.includes('labelled as')`);
    const text = await page.innerText('#chart-confusion');
    assert.match(text, `{b} "&" '@ink' <!-- labelled as {b} "&" '@ink' <!--`);
    assert.match(text, /of its pixels \([\d,]+\)/);
  });
});

test('headings go down one level at a time', async () => {
  await withReport(complete, {}, async ({ page }) => {
    const levels = await page.evaluate<number[]>(
      `[...document.querySelectorAll('h1, h2, h3, h4, h5')].map((heading) => Number(heading.tagName[1]))`,
    );
    assert.is(levels[0], 1);
    levels.slice(1).forEach((level, i) => assert.ok(level - levels[i] <= 1, `h${levels[i]} is followed by h${level}`));
  });
});

test('printing draws on white and unfolds everything', async () => {
  await withReport(complete, { colorScheme: 'dark' }, async ({ page }) => {
    await page.pdf();
    const state = await page.evaluate<string>(
      `window.dispatchEvent(new Event('beforeprint')), document.getElementById('chart-class-iou').innerHTML`,
    );
    assert.ok(state.includes(THEMES.light.accent));
    assert.is(await page.evaluate<number>(`document.querySelectorAll('details:not([open])').length`), 0);
    await page.evaluate(`window.dispatchEvent(new Event('afterprint'))`);
    assert.is(await page.evaluate<number>(`document.querySelectorAll('details[open]').length`), 0);
  });
});

test.run();
