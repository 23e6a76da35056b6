import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyCrds } from './apply.ts';
import { isClean, leftoversOf } from './clean-up.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from './requirements.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const EXPERIMENTS = '/apis/cdsp.dev/v1alpha1/namespaces/default/cdspexperiments';
const quickStart = load(readFileSync('examples/quickstart.yaml', 'utf8')) as { metadata: { name: string } };
const named = (name: string) => ({ ...quickStart, metadata: { ...quickStart.metadata, name } });

interface Event {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource: string };
}

let cluster: ControlPlane;
test.before(async () => {
  if (reason !== undefined) return;
  const auditPolicy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules: [{ level: 'Metadata' }] };
  cluster = await startControlPlane({ auditPolicy, say: console.log });
  await applyCrds(cluster);
});
test.after(async () => {
  // Where the start has failed, its error is the one to see.
  if (cluster === undefined) return;
  await cluster.stop();
  assert.ok(isClean(leftoversOf(cluster.workspace.id)), 'stop() leaves no process, no folder and nothing else');
});

clusterTest('an experiment is stored with its defaults and read back', async () => {
  await cluster.client.expect('POST', EXPERIMENTS, named('first'));
  const read = await cluster.client.expect<{ spec: { evaluation: { flips: boolean }; model: { backbone: string } } }>(
    'GET',
    `${EXPERIMENTS}/first`,
  );
  assert.is(read.spec.model.backbone, 'efficientnet-lite0');
  assert.match(await cluster.kubectl('get', 'cdsp', 'first'), /^NAME\s+PHASE/);
});

clusterTest('what was stored outlives a restart of the API server', async () => {
  await cluster.client.expect('POST', EXPERIMENTS, named('kept'));
  const before = cluster.apiServer.pid;
  await cluster.restartApiServer();
  assert.is.not(cluster.apiServer.pid, before);
  assert.is((await cluster.client.request('GET', `${EXPERIMENTS}/kept`)).status, 200);
});

clusterTest('a stopped API server answers nobody until it is started again', async () => {
  await cluster.stopApiServer();
  const error: unknown = await cluster.client.request('GET', '/readyz').catch((thrown: unknown) => thrown);
  assert.match(String(error), 'ECONNREFUSED');
  await cluster.startApiServer();
  assert.is((await cluster.client.request('GET', '/readyz')).status, 200);
});

clusterTest('a user may do what RBAC says, and the audit log tells what it did', async () => {
  const kubeconfig = ['--kubeconfig', cluster.kubeconfigFor({ user: 'reader/one', groups: ['readers'] })];
  const refused: unknown = await cluster.kubectl(...kubeconfig, 'get', 'cdsp').catch((thrown: unknown) => thrown);
  assert.match(String(refused), 'User "reader/one" cannot list resource "cdspexperiments"');
  await cluster.kubectl('create', 'clusterrole', 'reader', '--verb=get,list', '--resource=cdspexperiments.cdsp.dev');
  await cluster.kubectl('create', 'clusterrolebinding', 'reader', '--clusterrole=reader', '--group=readers');
  // The authorizer learns of a new binding by a watch.
  await cluster.waitUntil('the role', () =>
    cluster.kubectl(...kubeconfig, 'get', 'cdsp').then(
      () => true,
      () => false,
    ),
  );
  const events = readFileSync(cluster.auditLog ?? '', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);
  const verbs = events.filter(({ user, objectRef }) => user.username === 'reader/one' && objectRef?.resource === 'cdspexperiments');
  assert.equal([...new Set(verbs.map(({ verb }) => verb))], ['list']);
});

clusterTest('a service account has a kubeconfig too', async () => {
  await cluster.kubectl('create', 'serviceaccount', 'robot');
  const kubeconfig = await cluster.kubeconfigForServiceAccount('default', 'robot');
  assert.match(await cluster.kubectl('--kubeconfig', kubeconfig, 'auth', 'whoami'), 'system:serviceaccount:default:robot');
});

clusterTest('feature gates and further arguments reach the API server', async () => {
  await using other = await startControlPlane({
    featureGates: { MutatingAdmissionPolicy: false },
    apiServerArgs: ['--max-requests-inflight=7'],
  });
  const metrics = await other.client.expect<string>('GET', '/metrics');
  assert.match(metrics, /kubernetes_feature_enabled\{name="MutatingAdmissionPolicy".* 0/);
  assert.match(readFileSync(`/proc/${other.apiServer.pid}/cmdline`, 'utf8'), '\0--max-requests-inflight=7\0');
});

clusterTest('two clusters side by side share nothing', async () => {
  await using other = await startControlPlane();
  assert.is.not(other.server, cluster.server);
  assert.is((await other.client.request('GET', EXPERIMENTS)).status, 404);
  assert.is((await cluster.client.request('GET', EXPERIMENTS)).status, 200);
});

clusterTest('a program that cannot start says why, and leaves nothing', async () => {
  const error: unknown = await startControlPlane({ apiServerArgs: ['--no-such-flag'] }).catch((thrown: unknown) => thrown);
  assert.match(String(error), /kube-apiserver has ended \(exit code 1\)\. Its last lines:\n.*unknown flag: --no-such-flag/s);
});

test.run();
