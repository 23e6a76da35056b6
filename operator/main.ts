// The operator: reads its configuration from the environment, elects a leader, serves probes and metrics, and works until SIGTERM.
import { hostname } from 'node:os';
import { KubeConfig } from '@kubernetes/client-node';
import { readConfig } from './config.ts';
import { checkExperiment } from './controller/check-experiment.ts';
import { Cluster } from './controller/cluster.ts';
import { Controller } from './controller/controller.ts';
import { LeaderElection } from './controller/lease.ts';
import { LiveProgressPoller } from './controller/live-progress.ts';
import { ProgressClient } from './controller/progress-client.ts';
import type { ExperimentFacts } from './metrics/experiment-metrics.ts';
import { OperatorMetrics } from './metrics/operator-metrics.ts';
import { serve } from './web/server.ts';
import { OPERATOR_VERSION } from './version.ts';

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`the environment variable ${name} is missing`);
  return value;
}

/** One JSON object a line. */
function log(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`);
}

const config = readConfig();
const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();
const metrics = new OperatorMetrics({ version: OPERATOR_VERSION });
const cluster = new Cluster(kubeConfig, {
  onRequest: (verb, path, status) => metrics.request(verb, path, status),
  // A process that slept hears of much when it wakes, and acts on it before a timer tells it that its lease is over.
  beforeRequest: () => election.endWhenOver(),
});
const progress = new ProgressClient();
const poller: LiveProgressPoller = new LiveProgressPoller({
  pods: () => controller.runningPods(),
  get: (podIP) => progress.get(podIP),
  onChange: (key) => controller.enqueue(key),
  everySeconds: config.progressSeconds,
  now: () => performance.now(),
});
const controller: Controller = new Controller({
  cluster,
  config,
  check: (experiment) => checkExperiment(experiment, config),
  live: (key) => poller.of(key),
  onReconciled: (seconds) => metrics.reconciled(seconds),
  onReconcileError: (error) => metrics.reconcileFailed(error),
  onHandOver: (_experiment, _stage, seconds) => metrics.handedOver(seconds),
  onWatchRestart: (resource) => metrics.watchRestarted(resource),
  log,
});
const election: LeaderElection = new LeaderElection({
  cluster,
  namespace: required('POD_NAMESPACE'),
  name: 'cdsp-operator',
  identity: process.env.POD_NAME ?? hostname(),
  durationSeconds: config.leaseSeconds,
  renewMs: 300 * config.leaseSeconds,
  onLeading: () => {
    log('leads');
    controller.lead();
    poller.start();
  },
  onLost: () => {
    // Another replica acts from now on: going on here, even for a moment, would be two operators at once.
    log('lost the lease');
    process.exit(1);
  },
  onError: (error) => log('the lease cannot be renewed', { error: String(error) }),
  now: Date.now,
  elapsed: () => performance.now(),
});

/** Every experiment as the metrics tell of it. */
function* facts(): Generator<ExperimentFacts> {
  for (const [key, { namespace, name, status }] of controller.experiments()) yield { namespace, name, status, live: poller.of(key) };
}

let isSynced = false;
const server = await serve(Number(process.env.CDSP_PORT ?? 8080), {
  isReady: () => isSynced,
  metrics: () => metrics.text({ queueDepth: controller.queueDepth, isLeading: election.isLeading, experiments: facts() }),
});

async function stop(): Promise<void> {
  poller.stop();
  await election.stop(() => controller.stop());
  server.close();
  progress.close();
  cluster.close();
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log('stops', { signal });
    // Before the caches are filled nothing was done, and the API server may be away.
    if (!isSynced) process.exit(0);
    void stop().then(() => process.exit(0));
  });
}

await controller.sync();
isSynced = true;
log('caches are filled');
election.start();
