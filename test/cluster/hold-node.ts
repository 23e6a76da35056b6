// Starts a cluster with a node and a pod in it, says its id, and waits to be killed.
import { startControlPlane } from './control-plane.ts';
import { startNode } from './node.ts';

const cluster = await startControlPlane({ controllers: true, network: true });
await startNode(cluster);
await cluster.kubectl('run', 'sleeper', '--image=busybox', '--image-pull-policy=Never', '--restart=Never', '--', 'sleep', '1000000');
const isRunning = async () => (await cluster.kubectl('get', 'pod', 'sleeper', '-o', 'jsonpath={.status.phase}')) === 'Running';
await cluster.waitUntil('the pod', isRunning);
process.stdout.write(`${cluster.workspace.id}\n`);
setInterval(() => {}, 1000);
