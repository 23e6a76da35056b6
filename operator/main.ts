// The operator: reads its configuration from the environment, elects a leader, serves probes and metrics, and works until SIGTERM.
import { hostname } from 'node:os';
import { KubeConfig } from '@kubernetes/client-node';
import { Cluster } from './controller/cluster.ts';
import { Controller } from './controller/controller.ts';
import { LeaderElection } from './controller/lease.ts';
import { OperatorMetrics } from './metrics/operator-metrics.ts';
import { serve } from './web/server.ts';

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`the environment variable ${name} is missing`);
  return value;
}

/** One JSON object a line. */
function log(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`);
}

const config = new KubeConfig();
config.loadFromDefault();
const metrics = new OperatorMetrics();
const cluster = new Cluster(config, (verb, path, status) => metrics.request(verb, path, status));
const trainerImage = required('CDSP_TRAINER_IMAGE');
const controller = new Controller({
  cluster,
  settings: { trainerImage },
  trainerVersion: trainerImage,
  namespace: process.env.CDSP_NAMESPACE,
  log,
});
const election = new LeaderElection({
  cluster,
  namespace: required('POD_NAMESPACE'),
  name: 'cdsp-operator',
  identity: process.env.POD_NAME ?? hostname(),
  durationSeconds: 5,
  renewMs: 1500,
  onLeading: () => {
    log('leads');
    controller.lead();
  },
  onLost: () => {
    // Another replica acts from now on: going on here, even for a moment, would be two operators at once.
    log('lost the lease');
    process.exit(1);
  },
  onError: (error) => log('the lease cannot be renewed', { error: String(error) }),
  now: Date.now,
});

let isSynced = false;
const server = await serve(Number(process.env.CDSP_PORT ?? 8080), {
  isReady: () => isSynced,
  metrics: () => metrics.text({ queueDepth: controller.queueDepth, isLeading: election.isLeading }),
});
await controller.sync();
isSynced = true;
log('caches are filled');
election.start();

async function stop(): Promise<void> {
  await controller.stop();
  await election.stop();
  server.close();
  cluster.close();
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log('stops', { signal });
    void stop().then(() => process.exit(0));
  });
}
