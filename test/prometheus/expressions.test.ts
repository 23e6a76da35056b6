import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildDashboard } from '../../operator/metrics/dashboard.ts';
import { readFileSync } from 'node:fs';
import { DASHBOARD_FILE, dashboardExpressions, metricNamesOf, readAlerts, readDashboard, selectorsOf } from './expressions.ts';

const cases: [expr: string, selectors: string[]][] = [
  ['absent(up)', ['up']],
  ['sum by (namespace, job) (rate(a_total[5m])) > 0.1', ['a_total']],
  ['max by (x) (a{phase="Failed"}) unless on (x) max_over_time(a{phase="Failed"}[10m] offset 1h)', ['a{phase="Failed"}']],
  ['max by (x) (a{phase="Failed"}) and on (x) time() - max by (x) (b_seconds) < 3600', ['a{phase="Failed"}', 'b_seconds']],
  ['(a < 1 and on (b) changes(a[15m]) == 0) and on (b) c{d=~".*"}', ['a', 'c{d=~".*"}']],
  ['histogram_quantile(0.99, sum by (le) (rate(h_bucket[1m])))', ['h_bucket']],
  ['a != a or abs(b) == Inf', ['a', 'b']],
  ['2 * a / on (x) group_left (y) b', ['a', 'b']],
];
for (const [expr, selectors] of cases) test(`selectors of ${expr}`, () => assert.equal(selectorsOf(expr), selectors));

test('the committed dashboard is the one that npm run generate writes', () =>
  assert.is(readFileSync(DASHBOARD_FILE, 'utf8'), `${JSON.stringify(buildDashboard(), null, 2)}\n`));

test('no two panels lie on one another, and none beside the page', () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of readDashboard().panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.is(taken.get(`${x} ${y}`), undefined, `${title} lies on ${taken.get(`${x} ${y}`)}`);
        taken.set(`${x} ${y}`, title);
        assert.ok(x < 24, title);
      }
    }
  }
});

test('panels can be told apart, and all variables are defined', () => {
  const { panels, templating } = readDashboard();
  const titles = panels.filter(({ targets }) => targets !== undefined).map(({ title }) => title);
  assert.is(new Set(titles).size, titles.length);
  assert.equal(
    templating.list.map(({ name }) => name),
    ['datasource', 'namespace', 'experiment'],
  );
  for (const expr of dashboardExpressions()) assert.not.match(expr, '$', expr);
});

test('every expression names a metric', () => {
  for (const expr of [...dashboardExpressions(), ...readAlerts().map(({ expr }) => expr)]) assert.ok(metricNamesOf(expr).length > 0, expr);
});

test('every alert is explained in docs/monitoring.md, and no other', () => {
  const text = readFileSync('docs/monitoring.md', 'utf8');
  const explained = [...text.matchAll(/^\| `(CDSP\w+)` \|/gm)].map(([, name]) => name);
  assert.equal(
    explained.sort(),
    readAlerts()
      .map(({ alert }) => alert)
      .sort(),
  );
});

test.run();
