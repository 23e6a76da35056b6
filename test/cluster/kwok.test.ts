import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { startKwok } from './kwok.ts';
import type { Kwok } from './kwok.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from './requirements.ts';
import { setUp } from './set-up.ts';

const reason = whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kwok', 'helm']);
const clusterTest = clusterTests(reason);

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly {
      readonly state: { readonly terminated?: { readonly exitCode: number; readonly message?: string } };
    }[];
  };
}

const PODS = '/api/v1/namespaces/default/pods';
const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const template = (labels: Record<string, string>) => ({
  metadata: { labels },
  spec: { restartPolicy: 'Never', containers: [{ name: 'stage', image: 'none' }] },
});

let cluster: ControlPlane;
let kwok: Kwok;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await startControlPlane({ controllers: true, say: console.log }));
  const ends = [
    { name: 'good', labels: { ends: 'good' }, runMs: 200, jitterMs: 100, message: '{"result": {"meanIou": 0.5, "note": "{{ `x` }}"}}' },
    { name: 'bad', labels: { ends: 'bad' }, runMs: 100, exitCode: 65, message: '{"error": {"message": "no labels"}}' },
  ];
  kwok = await startKwok(cluster, { nodes: 3, capacity: { 'nvidia.com/gpu': '2' }, ends });
});

const jobPods = async (job: string) =>
  (await cluster.client.expect<{ items: Pod[] }>('GET', `${PODS}?labelSelector=job-name%3D${job}`)).items;

/** Waits until the pods of a Job are as `is` wants them. */
async function waitForPods(job: string, what: string, is: (pods: Pod[]) => boolean): Promise<Pod[]> {
  let pods: Pod[] = [];
  await cluster.waitUntil(`${what} of ${job}`, async () => is((pods = await jobPods(job))));
  return pods;
}

const createJob = (name: string, labels: Record<string, string>, spec: object = {}) =>
  cluster.client.expect('POST', JOBS, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { backoffLimit: 0, ...spec, template: template(labels) },
  });
const lastWords = ({ status }: Pod) => status.containerStatuses?.[0]?.state.terminated;
const hasEnded = (pods: Pod[]) => pods.length > 0 && pods.every(({ status }) => ['Succeeded', 'Failed'].includes(status.phase));

clusterTest('the pods of a Job are scheduled, run and succeed with their last word', async () => {
  await createJob('good', { ends: 'good' }, { completions: 5, parallelism: 5 });
  const pods = await waitForPods('good', 'the end', (list) => list.length === 5 && hasEnded(list));
  for (const pod of pods) {
    assert.is(pod.status.phase, 'Succeeded');
    assert.is(lastWords(pod)?.exitCode, 0);
    assert.is(lastWords(pod)?.message, '{"result": {"meanIou": 0.5, "note": "{{ `x` }}"}}');
  }
});

clusterTest('a pod can be told to fail with an exit code', async () => {
  await createJob('bad', { ends: 'bad' });
  const [pod] = await waitForPods('bad', 'the end', hasEnded);
  assert.is(pod.status.phase, 'Failed');
  assert.is(lastWords(pod)?.exitCode, 65);
  assert.is(lastWords(pod)?.message, '{"error": {"message": "no labels"}}');
});

clusterTest('a pod that no rule fits runs until the rules change', async () => {
  await createJob('endless', { ends: 'never' });
  const [running] = await waitForPods('endless', 'the start', (pods) => pods[0]?.status.phase === 'Running');
  assert.match(running.status.podIP ?? '', /^127\.64\.\d+\.\d+$/);
  await kwok.play({ ends: [{ name: 'all', runMs: 0 }] });
  await waitForPods('endless', 'the end', hasEnded);
});

clusterTest('nodes offer what they were told to, and deleted pods go', async () => {
  assert.equal(kwok.nodeNames, ['simulated-0', 'simulated-1', 'simulated-2']);
  assert.is(await cluster.kubectl('get', 'node', 'simulated-1', '-o', 'jsonpath={.status.allocatable.nvidia\\.com/gpu}'), '2');
  await cluster.kubectl('delete', 'jobs', '--all', '--wait=false');
  await cluster.waitUntil('no pod', async () => (await cluster.client.expect<{ items: Pod[] }>('GET', PODS)).items.length === 0);
});

clusterTest('npm run cluster starts one, says how to reach it, and removes it at Ctrl-C', async () => {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '--simulated'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let text = '';
  for await (const chunk of child.stdout) if ((text += String(chunk)).includes('Ctrl-C')) break;
  const kubeconfig = /export KUBECONFIG=(.*)/.exec(text)?.[1] ?? '';
  assert.match(await cluster.kubectl('--kubeconfig', kubeconfig, 'get', 'crd', '-o', 'name'), 'cdspexperiments.cdsp.dev');
  const holder = await cluster.kubectl('--kubeconfig', kubeconfig, 'get', 'leases', '--namespace=cdsp-system', '-o', 'yaml');
  assert.match(holder, 'holderIdentity: operator-0');
  child.kill('SIGINT');
  assert.is(((await closed) as [number])[0], 0);
  assert.not(existsSync(kubeconfig));
});

test.run();
