// A program: answers /progress for every simulated pod that runs, on the pod's own (loopback) address, as the trainer in it would.
// A process of its own, so that its work delays neither the operator nor the benchmark's clock. KUBECONFIG names the cluster.
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { KubeConfig } from '@kubernetes/client-node';
import type { V1Pod } from '@kubernetes/client-node';
import { Cluster } from '../../../operator/controller/cluster.ts';
import { Informer } from '../../../operator/controller/informer.ts';
import { MANAGED_SELECTOR } from '../../../operator/controller/names.ts';
import { podsPath } from '../../../operator/controller/resource-paths.ts';
import { stageOf } from './stage-pod.ts';

const PORT = 9090;
/** Steps a second of the training that is played. */
const STEPS_PER_SECOND = 20;
const STEPS = 100_000;

const config = new KubeConfig();
config.loadFromDefault();
const servers = new Map<string, Server>();

function progressOf(key: string, startedAt: number): object {
  const done = Math.round((STEPS_PER_SECOND * (performance.now() - startedAt)) / 1000);
  const loss = 2 / (1 + done / 100);
  const terms = { scribble: loss / 2, pseudoLabel: loss / 2 };
  return { key, type: 'progress', label: 'epoch 1/100', done, total: STEPS, unit: 'step', epoch: 1, imagesPerSecond: 80, loss, terms };
}

function answer(address: string, key: string): Server {
  const startedAt = performance.now();
  const server = createServer((request, response) => {
    const isKnown = request.url === '/progress';
    response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json' });
    response.end(isKnown ? JSON.stringify(progressOf(key, startedAt)) : '{}');
  });
  server.on('error', (error) => console.error(`${address}: ${error.message}`));
  return server.listen(PORT, address);
}

function change(id: string, pod: V1Pod | undefined): void {
  const isRunning = pod?.status?.phase === 'Running' && pod.metadata?.deletionTimestamp === undefined;
  const { podIP } = pod?.status ?? {};
  const running = servers.get(id);
  if (isRunning && running === undefined && podIP !== undefined && pod !== undefined) {
    const key = stageOf(pod)?.key;
    if (key !== undefined) servers.set(id, answer(podIP, key));
  } else if (!isRunning && running !== undefined) {
    running.close();
    running.closeAllConnections();
    servers.delete(id);
  }
}

await new Informer<V1Pod, V1Pod>({
  cluster: new Cluster(config),
  path: podsPath(),
  query: { labelSelector: MANAGED_SELECTOR },
  keep: (pod) => pod,
  onChange: change,
  onError: (error) => console.error(String(error)),
}).start();
console.log('ready');
