// A real Prometheus scrapes a real operator's server and a real trainer's: what dashboard and alerts ask for is there.
import { spawnSync } from 'node:child_process';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { OperatorMetrics } from '../../operator/metrics/operator-metrics.ts';
import { serve } from '../../operator/web/server.ts';
import { ProgressServer } from '../../trainer-image/progress-server.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { blocked, failed, finished, LIVE, NOON, running } from '../operator/metrics/facts.ts';
import type { ExperimentFacts } from '../../operator/metrics/experiment-metrics.ts';
import {
  dashboardExpressions,
  expressionsWithoutData,
  knownMetrics,
  metricNamesOf,
  readAlerts,
  RULES_FILE,
  selectorsOf,
} from './expressions.ts';
import { getPrometheus } from './programs.ts';
import { startPrometheus } from './prometheus.ts';
import type { Prometheus } from './prometheus.ts';

const programs = await getPrometheus(console.log);
const prometheusTest = clusterTests(typeof programs === 'string' ? programs : undefined);
const OPERATOR = { namespace: 'cdsp-system', pod: 'cdsp-operator-0' };

/** Prometheus compares the end of an experiment with its own clock: these two ended five minutes before this file began. */
const NOW = Date.now();
const ENDED = (NOW - NOON) / 60_000 - 5;

let experiments: ExperimentFacts[] = [running, blocked, failed(ENDED), finished(ENDED)];
let operator: Server;
let trainer: ProgressServer;
let prometheus: Prometheus | undefined;
let urls: { operator: string; trainer: string };

/** At each scrape something has happened: a rate of nothing is no number. */
async function work(metrics: OperatorMetrics): Promise<string> {
  metrics.request('PATCH', '/apis/cdsp.dev/v1alpha1/namespaces/lab/cdspexperiments/cats/status', 200);
  metrics.reconciled(0.02);
  metrics.handedOver(0.012);
  return metrics.text({ queueDepth: 3, isLeading: true, experiments });
}

function train(): ProgressServer {
  const server = new ProgressServer({ experiment: 'cats', stage: 'segment', key: 'abc' });
  const { losses = [], ...live } = LIVE;
  const terms = Object.fromEntries(losses.map(({ name, value }) => [name, value]));
  const lists = { iou: [...(live.iou ?? [])], classes: [...(live.classes ?? [])] };
  server.update({ type: 'progress', label: 'epoch 2/8', unit: 'step', ...live, ...lists, terms });
  return server;
}

test.before(async () => {
  if (typeof programs === 'string') return;
  const metrics = new OperatorMetrics({ version: '0.1.0', now: () => NOW });
  operator = await serve(0, { isReady: () => true, metrics: () => work(metrics) }, '127.0.0.1');
  trainer = train();
  const at = (port: number) => `127.0.0.1:${port}`;
  const [ours, theirs] = [at((operator.address() as AddressInfo).port), at(await trainer.listen(0, '127.0.0.1'))];
  urls = { operator: `http://${ours}/metrics`, trainer: `http://${theirs}/metrics` };
  const targets = [
    { job: 'cdsp-operator', address: ours, honorLabels: true, labels: OPERATOR },
    { job: 'cdsp-stages', address: theirs, labels: { namespace: 'lab', pod: 'cdsp-segment-abc' } },
  ];
  prometheus = await startPrometheus(programs, targets, { rules: [RULES_FILE] });
  await prometheus.waitForScrapes(4);
});
test.after(async () => {
  await prometheus?.stop();
  operator?.closeAllConnections();
  operator?.close();
  await trainer?.close();
});

const url = () => prometheus?.url ?? '';

prometheusTest('every expression of the dashboard has data', async () =>
  assert.equal(await expressionsWithoutData(url(), dashboardExpressions()), []),
);

prometheusTest('every selector of every alert has data: nothing keeps it from firing', async () => {
  // On a busy machine a scrape may be too late, and its series are gone for that moment.
  const selectors = [...new Set(readAlerts().flatMap(({ expr }) => selectorsOf(expr)))].map(
    (selector) => `last_over_time(${selector}[5m])`,
  );
  assert.equal(await expressionsWithoutData(url(), selectors), []);
});

prometheusTest('no expression names a metric that nobody exports', async () => {
  const known = await knownMetrics(url());
  const named = [...dashboardExpressions(), ...readAlerts().map(({ expr }) => expr)].flatMap(metricNamesOf);
  assert.equal(
    named.filter((name) => !known.has(name)),
    [],
  );
  assert.ok(named.length > 20);
});

prometheusTest('an expression without data is found, one that is no number and one that is no expression, too', async () => {
  const without = ['cdsp_never_exported', 'cdsp_experiment_info{phase="Odd"}', 'cdsp_operator_leader / 0 * 0'];
  assert.equal(await expressionsWithoutData(url(), [...without, 'cdsp_operator_leader']), without);
  const failure = await expressionsWithoutData(url(), ['sum(']).then(
    () => 'accepted',
    (error: unknown) => String(error),
  );
  assert.match(failure, /sum\(.*parse error/);
});

const RuleStates = z.object({
  data: z.object({
    groups: z.array(
      z.object({ rules: z.array(z.object({ name: z.string(), health: z.string(), state: z.string(), lastError: z.string().optional() })) }),
    ),
  }),
});

prometheusTest('Prometheus evaluates every alert without an error; those that wait for nothing fire for what has failed', async () => {
  const states = async () => {
    const answer = RuleStates.parse(await (await fetch(`${url()}/api/v1/rules`)).json());
    return answer.data.groups.flatMap(({ rules }) => rules);
  };
  await prometheus?.waitUntil('all rules to be evaluated', async () => (await states()).every(({ health }) => health !== 'unknown'));
  await prometheus?.waitUntil('the alert of the failed experiment', async () =>
    (await states()).some(({ name, state }) => name === 'CDSPExperimentFailed' && state === 'firing'),
  );
  const rules = await states();
  assert.is(rules.length, readAlerts().length);
  assert.equal(
    rules.filter(({ health }) => health !== 'ok'),
    [],
  );
  const active = rules.filter(({ state }) => state !== 'inactive').map(({ name, state }) => `${name} ${state}`);
  // The test's stage stands still; the others have a time to wait for, or nothing to say.
  assert.equal(active.sort(), ['CDSPExperimentFailed firing', 'CDSPStageBlocked pending', 'CDSPStageWithoutProgress pending']);
});

prometheusTest('series carry the experiment’s namespace, and the operator’s own carry its', async () => {
  assert.equal(await prometheus?.query('cdsp_experiment_mean_iou{namespace="lab",experiment="cats",stage="segment"}'), [0.5]);
  assert.equal(await prometheus?.query('cdsp_operator_leader{namespace="cdsp-system"}'), [1]);
  assert.equal(await prometheus?.query('cdsp_stage_loss{namespace="lab",experiment="cats",stage="segment",term="total"}'), [1.5]);
});

prometheusTest('promtool finds nothing to say about names, types and help', async () => {
  if (typeof programs === 'string') return;
  for (const [who, where] of Object.entries(urls)) {
    // Node's and the process's own are prom-client's business.
    const ours = (await (await fetch(where)).text()).split('\n').filter((line) => /^(# \w+ )?cdsp_/.test(line));
    assert.ok(ours.length > 0, who);
    const { status, stdout, stderr } = spawnSync(programs.promtool, ['check', 'metrics'], {
      input: `${ours.join('\n')}\n`,
      encoding: 'utf8',
    });
    assert.equal([status, stdout, stderr], [0, '', ''], who);
  }
});

prometheusTest('the series of an experiment that is deleted are stale at the next scrape', async () => {
  experiments = [blocked];
  const expr = 'count({__name__=~"cdsp_experiment_.*",experiment=~"cats|done|broken"}) or vector(0)';
  await prometheus?.waitUntil('the series to go', async () => (await prometheus?.query(expr))?.[0] === 0);
  assert.equal(await prometheus?.query('count(cdsp_experiment_info)'), [1]);
});

test.run();
