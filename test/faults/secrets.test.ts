// What nobody may read who may not read Secrets: a pull secret of the namespace, and the operator's own token. Neither is in anything that the
// operator writes or serves, whatever the API server, or a proxy before it, answers.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { experimentsPath, jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import { tokenIn } from '../cluster/kubeconfig.ts';
import { freePort } from '../cluster/ports.ts';
import type { Program } from '../cluster/program.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { kindOf, startApiProxy } from './api-proxy.ts';
import type { ApiProxy } from './api-proxy.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

const PULL_SECRET = 'pull';
const PASSWORD = 'correct-horse-battery-staple';
const AUTH = Buffer.from(`robot:${PASSWORD}`).toString('base64');
const DOCKER_CONFIG = JSON.stringify({ auths: { 'registry.example.org': { username: 'robot', password: PASSWORD, auth: AUTH } } });

let cluster: FaultCluster;
let proxy: ApiProxy;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  proxy = stopLater(await startApiProxy(cluster.plane));
});

/** Each secret as it is, the parts of a token by themselves, and all of them as a Secret or a header would hold them. */
function needles(): string[] {
  const token = tokenIn(proxy.kubeconfig);
  const [, claims, signature] = token.split('.');
  const plain = [PASSWORD, AUTH, DOCKER_CONFIG, token, claims, signature];
  return [...plain, ...plain.map((text) => Buffer.from(text).toString('base64'))];
}

/** An operator that is given a pull secret and a token, with what it writes and serves. */
async function startOperator(name: string) {
  const port = await freePort();
  const config = { imagePullSecrets: [PULL_SECRET] };
  const program: Program = await cluster.startProcess(name, { kubeconfig: proxy.kubeconfig, config, port });
  return {
    program,
    log: () => readFileSync(program.logFile, 'utf8'),
    metrics: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
  };
}

async function makePullSecret(namespace: string): Promise<void> {
  await cluster.plane.client.expect('POST', `/api/v1/namespaces/${namespace}/secrets`, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/dockerconfigjson',
    metadata: { name: PULL_SECRET },
    stringData: { '.dockerconfigjson': DOCKER_CONFIG },
  });
}

/** What the cluster shows of the experiments to those who may read no Secrets, by what it is. */
async function shown(namespace: string): Promise<Map<string, string>> {
  const paths = { experiments: experimentsPath(namespace), jobs: jobsPath(namespace), pods: podsPath(namespace), events: '/api/v1/events' };
  const texts = Object.entries(paths).map(async ([what, path]) => [what, JSON.stringify(await cluster.list(path))] as const);
  return new Map(await Promise.all(texts));
}

function checkHoldsNone(texts: ReadonlyMap<string, string>): void {
  for (const [what, text] of texts) {
    const found = needles().filter((needle) => text.includes(needle));
    assert.equal(found, [], `secrets in ${what}`);
  }
  // The header's name may be there, such as on a proxy's page, without its value.
  assert.not.match(texts.get('log') ?? '', /bearer (?!\*\*\*)/i);
}

clusterTest('an experiment’s life shows neither the pull secret of its stages nor the operator’s token', async () => {
  const namespace = await cluster.makeNamespace('life');
  await makePullSecret(namespace);
  const operator = await startOperator('life');
  await cluster.create(namespace, 'cats');
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  const texts = await shown(namespace);
  texts.set('log', operator.log()).set('metrics', await operator.metrics());
  await operator.program.stop('SIGTERM');
  assert.match(texts.get('pods') ?? '', `"imagePullSecrets":[{"name":"${PULL_SECRET}"}]`);
  assert.match(texts.get('log') ?? '', 'caches are filled');
  assert.match(texts.get('metrics') ?? '', 'cdsp_operator_leader 1');
  assert.match(texts.get('events') ?? '', 'StageComplete');
  checkHoldsNone(texts);
});

for (const [name, what, refusal] of [
  ['expired', 'the token has expired (401)', { status: 401, reason: 'Unauthorized' }],
  ['page', 'a proxy answers with a page that shows the request’s headers (502)', { status: 502, reason: 'Bad Gateway', isPage: true }],
] as const) {
  clusterTest(`errors are logged without the Authorization header: ${what}`, async () => {
    const namespace = await cluster.makeNamespace(name);
    await makePullSecret(namespace);
    const refused = new Set<string>();
    // The first of each kind: the lists and watches of the start, its lease, and all that an experiment needs.
    proxy.intercept = (request) => {
      const kind = request.isWatch ? `WATCH ${request.path}` : kindOf(request);
      if (refused.has(kind)) return undefined;
      refused.add(kind);
      return { answer: refusal };
    };
    const operator = await startOperator(name);
    await cluster.create(namespace, 'cats');
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
    proxy.intercept = () => undefined;
    const texts = await shown(namespace);
    texts.set('log', operator.log()).set('metrics', await operator.metrics());
    await operator.program.stop('SIGTERM');
    for (const message of ['watch failed', 'the lease cannot be renewed', 'reconciling failed'])
      assert.match(texts.get('log') ?? '', `"message":"${message}"`);
    checkHoldsNone(texts);
  });
}

clusterTest('a proxy’s page that shows the request’s headers is told as a refusal (403) without the token', async () => {
  const namespace = await cluster.makeNamespace('forbidden');
  await makePullSecret(namespace);
  let isForbidden = true;
  proxy.intercept = (request) =>
    isForbidden && kindOf(request) === 'POST jobs' ? { answer: { status: 403, reason: 'Forbidden', isPage: true } } : undefined;
  const operator = await startOperator('forbidden');
  await cluster.create(namespace, 'cats');
  await cluster.until(namespace, 'cats', 'told of the page', ({ conditions = [] }) =>
    conditions.some(({ type, message }) => type === 'Started' && message.includes('<h1>Forbidden</h1>')),
  );
  const told = await shown(namespace);
  told.set('log', operator.log()).set('metrics', await operator.metrics());
  checkHoldsNone(told);
  assert.match(told.get('experiments') ?? '', 'authorization');
  isForbidden = false;
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await operator.program.stop('SIGTERM');
});

test.run();
