// promtool runs the alerts over series that are written down in rules.yaml: each fires where it should, and is silent where all is well.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import * as assert from 'uvu/assert';
import { test } from 'uvu';
import { z } from 'zod';
import { clusterTests } from '../cluster/requirements.ts';
import { readAlerts, RULES_FILE } from './expressions.ts';
import { getPrometheus } from './programs.ts';

const programs = await getPrometheus(console.log);
const promtoolTest = clusterTests(typeof programs === 'string' ? programs : undefined);
const CASES = 'test/prometheus/rules.yaml';

const Cases = z.object({
  tests: z.array(
    z.object({
      name: z.string(),
      alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()).optional() })),
    }),
  ),
});

function promtool(...args: string[]): [status: number | null, output: string] {
  const { status, stdout, stderr } = spawnSync(typeof programs === 'string' ? '' : programs.promtool, args, { encoding: 'utf8' });
  return [status, `${stdout}${stderr}`];
}

promtoolTest('the rules are well-formed', () => {
  const [status, output] = promtool('check', 'rules', RULES_FILE);
  assert.is(status, 0, output);
});

promtoolTest('the alerts fire where they should', () => {
  const [status, output] = promtool('test', 'rules', CASES);
  assert.is(status, 0, output);
});

test('every alert has a case in which it fires and one in which it does not', () => {
  const all = Cases.parse(load(readFileSync(CASES, 'utf8'))).tests.flatMap((entry) => entry.alert_rule_test);
  const those = (fires: boolean) =>
    new Set(all.filter(({ exp_alerts = [] }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname));
  for (const { alert } of readAlerts()) {
    assert.ok(those(true).has(alert), `${alert} fires nowhere`);
    assert.ok(those(false).has(alert), `${alert} is silent nowhere`);
  }
});

test.run();
