// What panels of the dashboard say where several releases of the operator are in one Prometheus.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { test } from 'uvu';
import { DASHBOARD_ROWS } from '../../operator/metrics/dashboard-panels.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { getPrometheus } from './programs.ts';

const programs = await getPrometheus(console.log);
const promtoolTest = clusterTests(typeof programs === 'string' ? programs : undefined);

const exprOf = (title: string): string =>
  DASHBOARD_ROWS.flatMap(({ panels }) => panels).find((panel) => panel.title === title)?.targets[0][0] ?? '';

/** promtool's complaint about what an expression gives; empty where it is as expected. */
function evaluate(expr: string, series: Readonly<Record<string, number>>, expected: Readonly<Record<string, number>>): string {
  const samples = Object.entries(expected).map(([labels, value]) => ({ labels, value }));
  const input = Object.entries(series).map(([name, value]) => ({ series: name, values: `${value}+0x10` }));
  const cases = { tests: [{ interval: '1m', input_series: input, promql_expr_test: [{ expr, eval_time: '5m', exp_samples: samples }] }] };
  const folder = mkdtempSync(join(tmpdir(), 'cdsp-promtool-'));
  try {
    const file = join(folder, 'cases.yaml');
    writeFileSync(file, JSON.stringify(cases));
    const { status, stdout, stderr } = spawnSync(typeof programs === 'string' ? '' : programs.promtool, ['test', 'rules', file], {
      encoding: 'utf8',
    });
    return status === 0 ? '' : `${stdout}${stderr}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

promtoolTest('experiments of several releases are counted together, and none twice because a second replica tells of it, too', () => {
  const complaint = evaluate(
    exprOf('Experiments by phase'),
    {
      'cdsp_operator_experiments{namespace="cats",job="cdsp",pod="a",phase="Running"}': 3,
      'cdsp_operator_experiments{namespace="cats",job="cdsp",pod="b",phase="Running"}': 3,
      'cdsp_operator_experiments{namespace="dogs",job="cdsp",pod="c",phase="Running"}': 5,
      'cdsp_operator_experiments{namespace="dogs",job="cdsp",pod="c",phase="Failed"}': 1,
    },
    { '{phase="Running"}': 8, '{phase="Failed"}': 1 },
  );
  assert.is(complaint, '');
});

test.run();
