import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { metricRows } from './metric-rows.ts';

test('docs/monitoring.md lists every metric with its type, labels and meaning, and no other', async () => {
  const rows = readFileSync('docs/monitoring.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `cdsp_'));
  assert.equal(rows, await metricRows());
});

test.run();
