import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../operator/controller/cluster.ts';
import { ERROR_REASONS, errorReason } from '../../../operator/metrics/error-reason.ts';
import { OperatorMetrics } from '../../../operator/metrics/operator-metrics.ts';
import { NOON, running } from './facts.ts';

const make = () => new OperatorMetrics({ version: '1.2.3', now: () => NOON });
const IDLE = { queueDepth: 0, isLeading: true };

test('what is counted and measured is told', async () => {
  const metrics = make();
  metrics.request('PATCH', '/apis/cdsp.dev/v1alpha1/namespaces/lab/cdspexperiments/cats/status', 200);
  metrics.request('GET', '/api/v1/pods', 200);
  metrics.request('GET', '/version', 200);
  metrics.reconciled(0.02);
  metrics.handedOver(0.012);
  metrics.watchRestarted('pods');
  metrics.reconcileFailed(new ApiError(503, 'ServiceUnavailable', 'busy'));
  const text = await metrics.text({ queueDepth: 7, isLeading: true });
  for (const line of [
    'cdsp_operator_api_requests_total{verb="PATCH",resource="cdspexperiments/status",status="200"} 1',
    'cdsp_operator_api_requests_total{verb="GET",resource="pods",status="200"} 1',
    'cdsp_operator_api_requests_total{verb="GET",resource="other",status="200"} 1',
    'cdsp_operator_reconcile_duration_seconds_bucket{le="0.025"} 1',
    'cdsp_operator_handover_seconds_bucket{le="0.015"} 1',
    'cdsp_operator_watch_restarts_total{resource="pods"} 1',
    'cdsp_operator_reconcile_errors_total{reason="server"} 1',
    'cdsp_operator_queue_depth 7',
    'cdsp_operator_leader 1',
    'cdsp_operator_build_info{version="1.2.3"} 1',
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
});

test('counters begin at 0: the first error is an increase', async () => {
  const text = await make().text(IDLE);
  for (const reason of ERROR_REASONS) assert.match(text, `cdsp_operator_reconcile_errors_total{reason="${reason}"} 0`);
  for (const resource of ['cdspexperiments', 'jobs', 'pods'])
    assert.match(text, `cdsp_operator_watch_restarts_total{resource="${resource}"} 0`);
});

test('only the leader tells of experiments, so that each series exists once', async () => {
  const metrics = make();
  assert.match(await metrics.text({ ...IDLE, experiments: [running] }), 'cdsp_experiment_info{namespace="lab",experiment="cats"');
  const follower = await metrics.text({ queueDepth: 0, isLeading: false, experiments: [running] });
  assert.not.match(follower, 'cdsp_experiment_');
  assert.match(follower, 'cdsp_operator_leader 0');
});

test('an experiment that is gone is gone at the next scrape', async () => {
  const metrics = make();
  await metrics.text({ ...IDLE, experiments: [running] });
  assert.not.match(await metrics.text({ ...IDLE, experiments: [] }), '"cats"');
});

const NO_RIGHT =
  'jobs.batch is forbidden: User "system:serviceaccount:cdsp-system:cdsp" cannot create resource "jobs" in API group "batch" in the namespace "lab"';
const reasons: [why: string, error: unknown, reason: string][] = [
  ['a right that is missing', new ApiError(403, 'Forbidden', NO_RIGHT), 'forbidden'],
  ['a token that is not valid', new ApiError(401, 'Unauthorized', 'Unauthorized'), 'forbidden'],
  [
    'a quota',
    new ApiError(403, 'Forbidden', 'jobs.batch "cdsp-classify" is forbidden: exceeded quota: few, limited: count/jobs.batch=1'),
    'refused',
  ],
  ['an admission webhook', new ApiError(403, '', 'admission webhook "no.example.org" denied the request: no GPUs on Fridays'), 'refused'],
  ['a webhook with a status of its own', new ApiError(400, '', 'admission webhook "no.example.org" denied the request'), 'refused'],
  ['too many requests', new ApiError(429, 'TooManyRequests', ''), 'throttled'],
  ['an object that is not valid', new ApiError(422, 'Invalid', ''), 'refused'],
  ['a server that cannot', new ApiError(500, 'InternalError', ''), 'server'],
  ['nobody listens', Object.assign(new Error(), { syscall: 'connect', code: 'ECONNREFUSED' }), 'network'],
  ['a connection that is cut', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }), 'network'],
  ['no answer in time', new Error('GET /api/v1/pods: no answer within 30 s'), 'network'],
  ['a mistake of ours', new TypeError('undefined is not a function'), 'internal'],
  ['something that is no error', 'oops', 'internal'],
];
for (const [why, error, reason] of reasons) test(`${why} is ${reason}`, () => assert.is(errorReason(error), reason));

test.run();
