import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isClean, leftoversOf } from './clean-up.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { startNode } from './node.ts';
import type { ClusterNode } from './node.ts';
import { missingForNode } from './node-requirements.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from './requirements.ts';
import { startProvisioner } from './volumes.ts';

const reason = missingForNode() ?? whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kubelet', 'kube-proxy']);
const clusterTest = clusterTests(reason);
const HOLDER = fileURLToPath(new URL('./hold-node.ts', import.meta.url));

let cluster: ControlPlane;
let node: ClusterNode;
test.before(async () => {
  if (reason !== undefined) return;
  cluster = await startControlPlane({ controllers: true, network: true, say: console.log });
  node = await startNode(cluster, { labels: { zone: 'a' } });
});
test.after(async () => {
  // Where the start has failed, its error is the one to see.
  if (cluster === undefined) return;
  await cluster.stop();
  assert.ok(isClean(leftoversOf(cluster.workspace.id)), 'no process, mount, cgroup, link or folder is left');
});

const phaseOf = (pod: string) => cluster.kubectl('get', 'pod', pod, '-o', 'jsonpath={.status.phase}');

async function waitForPhase(pod: string, phase: string): Promise<void> {
  await cluster.waitUntil(`pod ${pod} to be ${phase}`, async () => {
    const is = await phaseOf(pod);
    if (is === 'Failed' && phase !== is) throw new Error(`pod ${pod} has failed: ${await cluster.kubectl('describe', 'pod', pod)}`);
    return is === phase;
  });
}

/** Starts a pod that runs a shell script. */
async function runPod(name: string, script: string, ...args: string[]): Promise<void> {
  const image = ['--image=busybox', '--image-pull-policy=Never', '--restart=Never'];
  await cluster.kubectl('run', name, ...image, ...args, '--', 'sh', '-c', script);
}

clusterTest('a pod runs to its end, and its log can be read', async () => {
  await runPod('hello', 'echo hello from $(hostname)');
  await waitForPhase('hello', 'Succeeded');
  assert.is(await cluster.kubectl('logs', 'hello'), 'hello from hello\n');
});

clusterTest('a pod reaches the API server by its service, and this machine reaches the pod', async () => {
  await runPod('server', 'nc -w 5 $KUBERNETES_SERVICE_HOST 443 </dev/null && echo reached; nc -l -p 8080 -e echo it works');
  await waitForPhase('server', 'Running');
  await cluster.waitUntil('its log', async () => (await cluster.kubectl('logs', 'server')) === 'reached\n');
  const address = await cluster.kubectl('get', 'pod', 'server', '-o', 'jsonpath={.status.podIP}');
  const answer = await new Promise<string>((resolve, reject) => {
    let text = '';
    const tryOnce = () => {
      const socket = connect(8080, address);
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? setTimeout(tryOnce, 50) : reject(error)));
      socket.on('end', () => resolve(text));
    };
    tryOnce();
  });
  assert.is(answer, 'it works\n');
  await waitForPhase('server', 'Succeeded');
});

clusterTest('a command runs in a container', async () => {
  await runPod('sleeper', 'sleep 1000000');
  await waitForPhase('sleeper', 'Running');
  assert.is(await cluster.kubectl('exec', 'sleeper', '--', 'echo', 'inside'), 'inside\n');
});

clusterTest('pods outlive their kubelet, which finds them again', async () => {
  await node.stopKubelet();
  assert.not(node.kubelet.isRunning());
  await node.startKubelet();
  const said = () => cluster.kubectl('exec', 'sleeper', '--', 'echo', 'still inside').catch(() => '');
  await cluster.waitUntil('the pod to be found', async () => (await said()) === 'still inside\n');
  assert.is(await cluster.kubectl('get', 'pod', 'sleeper', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}'), '0');
});

clusterTest('a claim gets a volume that a user without rights can write to, and loses it with the claim', async () => {
  const provisioner = await startProvisioner(cluster);
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const path = '/api/v1/namespaces/default/persistentvolumeclaims';
  await cluster.client.expect('POST', path, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec: claim });
  await cluster.client.expect('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'writer' },
    spec: {
      restartPolicy: 'Never',
      securityContext: { runAsUser: 65532, runAsNonRoot: true },
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      containers: [
        {
          name: 'writer',
          image: 'busybox',
          imagePullPolicy: 'Never',
          command: ['sh', '-c', 'echo kept > /data/file'],
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
    },
  });
  await waitForPhase('writer', 'Succeeded');
  const volume = await cluster.kubectl('get', 'pvc', 'data', '-o', 'jsonpath={.spec.volumeName}');
  const folder = await cluster.kubectl('get', 'pv', volume, '-o', 'jsonpath={.spec.hostPath.path}');
  assert.is(readFileSync(join(folder, 'file'), 'utf8'), 'kept\n');
  await cluster.kubectl('delete', 'pod/writer', 'pvc/data');
  await cluster.kubectl('wait', '--for=delete', `pv/${volume}`, '--timeout=60s');
  assert.not(existsSync(folder));
  await provisioner.stop();
});

clusterTest('a node offers GPUs that it does not have', async () => {
  await node.offer('example.com/gpu', 2);
  await runPod(
    'gpu',
    'true',
    '--overrides={"spec":{"containers":[{"name":"gpu","image":"busybox","imagePullPolicy":"Never","resources":{"limits":{"example.com/gpu":"2"}}}]}}',
  );
  await waitForPhase('gpu', 'Succeeded');
});

clusterTest('pods on two nodes reach each other, and a node that is gone leaves the other alone', async () => {
  const other = await startNode(cluster, { number: 2 });
  const on = (name: string) => `--overrides={"spec":{"nodeName":"${name}"}}`;
  await runPod('answers', 'nc -l -p 8080 -e echo from afar', on(other.name));
  await waitForPhase('answers', 'Running');
  const address = await cluster.kubectl('get', 'pod', 'answers', '-o', 'jsonpath={.status.podIP}');
  await runPod('asks', `until nc -w 5 ${address} 8080; do sleep 0.1; done`, on(node.name));
  await waitForPhase('asks', 'Succeeded');
  assert.is(await cluster.kubectl('logs', 'asks'), 'from afar\n');
  await other.stop();
  assert.is(await cluster.kubectl('exec', 'sleeper', '--', 'echo', 'here'), 'here\n');
});

clusterTest('nothing is left of a cluster with a node whose parent was killed, while another one runs on', async () => {
  const child = spawn(process.execPath, [HOLDER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const id = line.toString().trim();
  const { processes, links, cgroups } = leftoversOf(id);
  assert.ok(processes.length > 10 && links.length === 2 && cgroups.length > 0, 'all that has to go is found');
  child.kill('SIGKILL');
  await closed;
  while (!isClean(leftoversOf(id))) await delay(50);
  assert.is(await cluster.kubectl('exec', 'sleeper', '--', 'echo', 'here'), 'here\n');
});

test.run();
