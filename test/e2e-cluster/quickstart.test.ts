// What the README promises for a cluster: helm install, kubectl apply of the quick start, mIoU; with real pods of the project's own images.
import { spawn } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import { getProgram } from '../cluster/binaries.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startNode } from '../cluster/node.ts';
import { missingForNode } from '../cluster/node-requirements.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from '../cluster/requirements.ts';
import { startProvisioner } from '../cluster/volumes.ts';
import { dashboardExpressions, knownMetrics, metricNamesOf, readAlerts, RULES_FILE } from '../prometheus/expressions.ts';
import type { PodFinder } from '../prometheus/pod-discovery.ts';
import { getPrometheus } from '../prometheus/programs.ts';
import { startPrometheus } from '../prometheus/prometheus.ts';
import type { Prometheus } from '../prometheus/prometheus.ts';
import { AUDIT_POLICY, grantsInUse, grantsOf, rulesOfAccount } from './audit.ts';
import type { Role, RoleBinding } from './audit.ts';
import { importProjectImages, installChart, OPERATOR_NAMESPACE, uninstallChart } from '../cluster/installed-operator.ts';

const reason = whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kubelet', 'kube-proxy', 'helm']) ?? missingForNode({ images: true });
const programs = await getPrometheus(console.log);
const clusterTest = clusterTests(reason ?? (typeof programs === 'string' ? programs : undefined));

const NAMESPACE = 'lab';
const NAME = 'quickstart';
/** On two busy cores the quick start takes a while. */
const PATIENCE_MS = 25 * 60_000;

/**
 * Rights that a run without trouble may have no use for: what keeps a pod from beginning is told by its events, and lists fill the caches where the server
 * sends no objects by a watch (test/faults/proxy.test.ts), such as a resource that it does not know for long.
 */
const ONLY_IN_TROUBLE: readonly string[] = ['/events list', 'batch/jobs list', 'cdsp.dev/cdspexperiments list', '/pods list'];

/** Metrics of trouble, and of settings that this experiment does not have. */
const ONLY_SOMETIMES = ['cdsp_experiment_stage_blocked'];

interface Seen {
  readonly metadata: { readonly generation: number };
  readonly status?: ExperimentStatus;
}

let cluster: ControlPlane;
let prometheus: Prometheus | undefined;
test.before(async () => {
  if (reason !== undefined) return;
  cluster = await startControlPlane({ controllers: true, network: true, auditPolicy: AUDIT_POLICY, say: console.log });
  await startProvisioner(cluster);
  const node = await startNode(cluster, { say: console.log });
  await importProjectImages(node, console.log);
  // Whatever the operator makes has to pass the restricted level.
  await cluster.client.expect('POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });
});
test.after(async () => {
  await prometheus?.stop();
  if (cluster !== undefined) await cluster.stop();
});

const see = () => cluster.client.expect<Seen>('GET', `/apis/cdsp.dev/v1alpha1/namespaces/${NAMESPACE}/cdspexperiments/${NAME}`);

/** Every status that a watch shows until the experiment has ended. */
async function watchToTheEnd(): Promise<ExperimentStatus[]> {
  const args = ['get', 'cdsp', NAME, '--namespace', NAMESPACE, '--watch', '--output', 'json', '--kubeconfig', cluster.kubeconfig];
  const kubectl = spawn(await getProgram('kubectl'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const statuses: ExperimentStatus[] = [];
  const timer = setTimeout(() => kubectl.kill(), PATIENCE_MS);
  let text = '';
  try {
    for await (const chunk of kubectl.stdout as AsyncIterable<Buffer>) {
      text += chunk.toString();
      // kubectl writes one document after the other, each ending with a brace at the beginning of a line.
      const documents = text.split(/^\}$/m);
      text = documents.pop() ?? '';
      for (const document of documents) {
        const { status } = JSON.parse(`${document}}`) as Seen;
        if (status !== undefined) statuses.push(status);
      }
      const phase = statuses.at(-1)?.phase;
      if (phase === 'Succeeded' || phase === 'Failed') break;
    }
  } finally {
    clearTimeout(timer);
    kubectl.kill();
  }
  return statuses;
}

const conditionOf = (status: ExperimentStatus | undefined, type: string) =>
  status?.conditions?.find((condition) => condition.type === type);

clusterTest('helm install brings an operator that is ready, and the resource', async () => {
  await installChart(cluster);
  const pods = await cluster.kubectl('get', 'pods', '--namespace', OPERATOR_NAMESPACE, '--no-headers');
  assert.match(pods, /1\/1\s+Running/);
  if (typeof programs === 'string') throw new Error(programs);
  const find = (component: string) => async () => {
    const path = `/api/v1/pods?labelSelector=${encodeURIComponent(`app.kubernetes.io/component=${component}`)}`;
    return (await cluster.client.expect<{ items: Awaited<ReturnType<PodFinder>> }>('GET', path)).items;
  };
  prometheus = await startPrometheus(programs, [], {
    rules: [RULES_FILE],
    pods: [
      { job: 'cdsp', find: find('operator'), honorLabels: true },
      { job: `${OPERATOR_NAMESPACE}/cdsp-stages`, find: find('stage') },
    ],
  });
  assert.match(await cluster.kubectl('explain', 'cdspexperiment.spec.losses'), /L_lorm/);
});

clusterTest('kubectl apply of the quick start ends with an mIoU above 0.60, and tells on the way how far it is', async () => {
  await cluster.kubectl('apply', '--namespace', NAMESPACE, '--filename', 'examples/quickstart.yaml');
  const statuses = await watchToTheEnd();
  const last = statuses.at(-1);
  assert.is(last?.phase, 'Succeeded', conditionOf(last, 'Succeeded')?.message);
  assert.ok((last?.results?.meanIou ?? 0) > 0.6, `mIoU ${last?.results?.meanIou}`);
  console.log(`mIoU ${last?.results?.meanIou}; pseudo-labels ${last?.results?.pseudoLabelMeanIou}`);
  assert.is(last?.results?.classes?.length, 6);
  assert.ok((last?.results?.pseudoLabelMeanIou ?? 0) > 0.4);
  const stages = ['classify', 'pseudo-label', 'segment', 'evaluate'];
  // Before the operator's first word there is none.
  assert.equal([...new Set(statuses.flatMap(({ stage }) => stage ?? []))], stages);
  const middles = statuses.filter(({ progress = 0 }) => progress > 0 && progress < 100);
  assert.ok(middles.length > 5, `progress was seen ${middles.length} times`);
  assert.ok(
    statuses.some(({ stages: all }) => all?.some(({ losses }) => (losses?.length ?? 0) >= 4)),
    'the losses of segment by term',
  );
  assert.ok(new Set(statuses.flatMap(({ loss }) => loss ?? [])).size > 5, 'a loss that changes');
});

clusterTest('Prometheus has seen it: losses by term from the pod and from the operator, rates, mIoU and IoU by class', async () => {
  const values = async (expr: string) => (await prometheus?.query(expr)) ?? [];
  const ofExperiment = `{namespace="${NAMESPACE}",experiment="${NAME}"}`;
  const terms = await values(`count(count by (term) (count_over_time(cdsp_experiment_loss${ofExperiment}[1h])))`);
  assert.ok(terms[0] >= 5, `${terms[0]} loss terms from the operator`);
  const fromPods = await values('count(count by (term) (count_over_time(cdsp_stage_loss{stage="segment"}[1h])))');
  assert.ok(fromPods[0] >= 5, `${fromPods[0]} loss terms from the pod`);
  assert.ok((await values('max(max_over_time(cdsp_stage_images_per_second{stage="segment"}[1h]))'))[0] > 0);
  // With the results, which come before this test asks; the operator's gauges are scraped a moment later.
  await prometheus?.waitUntil('the results', async () => (await values(`cdsp_experiment_pixel_accuracy${ofExperiment}`)).length === 1);
  const ofEvaluate = ofExperiment.replace('}', ',stage="evaluate"}');
  assert.ok((await values(`cdsp_experiment_mean_iou${ofEvaluate}`))[0] > 0.6);
  assert.is((await values(`count(cdsp_experiment_iou${ofEvaluate})`))[0], 6);
  assert.is((await values(`count(cdsp_experiment_stage_duration_seconds${ofExperiment})`))[0], 4);
  assert.ok((await values('histogram_quantile(0.99, sum by (le) (cdsp_operator_handover_seconds_bucket))'))[0] < 5);
  assert.equal(await values('cdsp_operator_leader'), [1]);
  assert.equal(await values('ALERTS{alertstate="firing"}'), []);
  // Whatever the dashboard and the rules ask for was there at some time of this run, but for what only trouble makes.
  const known = await knownMetrics(prometheus?.url ?? '');
  const asked = [...dashboardExpressions(), ...readAlerts().map(({ expr }) => expr)].flatMap(metricNamesOf);
  const missing = [...new Set(asked)].filter((name) => !known.has(name));
  console.log(`metrics without a series in this run: ${missing.join(', ') || 'none'}`);
  assert.equal(
    missing.filter((name) => !ONLY_SOMETIMES.includes(name)),
    [],
  );
});

clusterTest('the status holds where it came from: image, data, seed, keys', async () => {
  const { status } = await see();
  assert.match(status?.provenance?.image ?? '', /sha256:[0-9a-f]{64}$/);
  assert.match(status?.provenance?.datasetDigest ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.is(status?.provenance?.seed, 0);
  for (const stage of status?.stages ?? []) {
    assert.match(stage.key ?? '', /^[0-9a-f]{64}$/);
    assert.ok(stage.startTime !== undefined && stage.completionTime !== undefined && stage.node !== undefined, stage.name);
  }
});

clusterTest('kubectl get and describe tell it to people', async () => {
  const line = await cluster.kubectl('get', 'cdsp', '--namespace', NAMESPACE);
  assert.match(line, /NAME\s+PHASE\s+STAGE\s+PROGRESS\s+LOSS\s+MIOU\s+REASON\s+AGE/);
  assert.match(line, /quickstart\s+Succeeded\s+evaluate\s+100\s+[\d.]+\s+0\.\d+/);
  const description = await cluster.kubectl('describe', 'cdsp', NAME, '--namespace', NAMESPACE);
  console.log(description);
  assert.match(description, /StageComplete\s+.*classify complete/);
  assert.match(description, /Succeeded\s+.*every stage is complete/);
});

clusterTest('the same experiment under another name on the same claim runs nothing and knows the results', async () => {
  const { status } = await see();
  const manifest = {
    apiVersion: 'cdsp.dev/v1alpha1',
    kind: 'CDSPExperiment',
    metadata: { name: 'again', namespace: NAMESPACE },
    spec: {
      ...(await cluster.client.expect<{ spec: object }>('GET', `/apis/cdsp.dev/v1alpha1/namespaces/${NAMESPACE}/cdspexperiments/${NAME}`))
        .spec,
      storage: { claimName: status?.storage?.claimName },
    },
  };
  await cluster.client.expect('POST', `/apis/cdsp.dev/v1alpha1/namespaces/${NAMESPACE}/cdspexperiments`, manifest);
  let again: Seen | undefined;
  await cluster.waitUntil('the second experiment to be told as done', async () => {
    again = await cluster.client.expect<Seen>('GET', `/apis/cdsp.dev/v1alpha1/namespaces/${NAMESPACE}/cdspexperiments/again`);
    return again.status?.phase === 'Succeeded';
  });
  assert.equal([...new Set(again?.status?.stages?.map(({ state }) => state))], ['Cached']);
  assert.equal(again?.status?.results, status?.results);
});

clusterTest('an experiment is suspended, resumed, edited and given another retention while it runs', async () => {
  const name = 'edited';
  const manifest = { apiVersion: 'cdsp.dev/v1alpha1', kind: 'CDSPExperiment', metadata: { name, namespace: NAMESPACE } };
  const path = `/apis/cdsp.dev/v1alpha1/namespaces/${NAMESPACE}/cdspexperiments`;
  await cluster.client.expect('POST', path, { ...manifest, spec: { dataset: { generator: {} }, seed: 1 } });
  const until = (what: string, isSo: (status: ExperimentStatus | undefined) => boolean) =>
    cluster.waitUntil(what, async () => isSo((await cluster.client.expect<Seen>('GET', `${path}/${name}`)).status));
  const edit = (spec: object) => cluster.client.expect('PATCH', `${path}/${name}`, { spec }, 'application/merge-patch+json');
  const first = (status: ExperimentStatus | undefined) => status?.stages?.[0];
  await until('a pod to run', (status) => first(status)?.node !== undefined);
  await edit({ suspend: true });
  await until('the pod to have ended', (status) => first(status)?.state === 'Interrupted');
  await edit({ suspend: false });
  await until('it to run again', (status) => first(status)?.state === 'Running');
  const before = (await cluster.client.expect<Seen>('GET', `${path}/${name}`)).status;
  await edit({ seed: 2, storage: { retention: 'Delete' } });
  await until('the other seed to run', (status) => first(status)?.state === 'Running' && first(status)?.key !== first(before)?.key);
  await until('the claim to go with it', (status) => status?.storage?.retention === 'Delete');
  const { items } = await cluster.client.expect<{ items: { metadata: { name: string } }[] }>('GET', jobsPath(NAMESPACE));
  assert.is(items.filter(({ metadata }) => metadata.name === first(before)?.job).length, 0, 'the Job of the other seed is gone');
});

/** All there are, of the cluster and of namespaces; items of a list do not say their kind. */
async function rolesAndBindings(): Promise<[RoleBinding[], Role[]]> {
  const list = async <T>(resource: string) =>
    (await cluster.client.expect<{ items: T[] }>('GET', `/apis/rbac.authorization.k8s.io/v1/${resource}`)).items;
  const clusterRoles = (await list<Omit<Role, 'kind'>>('clusterroles')).map((role): Role => ({ ...role, kind: 'ClusterRole' }));
  const roles = (await list<Omit<Role, 'kind'>>('roles')).map((role): Role => ({ ...role, kind: 'Role' }));
  const bindings = [...(await list<RoleBinding>('clusterrolebindings')), ...(await list<RoleBinding>('rolebindings'))];
  return [bindings, [...clusterRoles, ...roles]];
}

clusterTest('the operator used every right that the chart gives it, and asked for nothing else', async () => {
  const account = `system:serviceaccount:${OPERATOR_NAMESPACE}:cdsp`;
  const { used, denied } = await grantsInUse(cluster.auditLog ?? '', account);
  const granted = grantsOf(rulesOfAccount({ namespace: OPERATOR_NAMESPACE, name: 'cdsp' }, ...(await rolesAndBindings())));
  console.log(`used: ${[...used].sort().join('; ')}`);
  console.log(`granted and not used here: ${[...granted].filter((grant) => !used.has(grant)).join('; ')}`);
  assert.equal([...denied], []);
  assert.equal(
    [...used].filter((grant) => !granted.has(grant)),
    [],
  );
  assert.equal(
    [...granted].filter((grant) => !used.has(grant) && !ONLY_IN_TROUBLE.includes(grant)),
    [],
  );
  assert.equal(
    ONLY_IN_TROUBLE.filter((grant) => !granted.has(grant)),
    [],
  );
});

clusterTest('deleting the experiments removes Jobs, pods and their series, and keeps the claim that is to be retained', async () => {
  await cluster.kubectl('delete', 'cdsp', '--all', '--namespace', NAMESPACE);
  await cluster.waitUntil('Jobs and pods to be gone', async () => {
    const lists = await Promise.all(
      [jobsPath(NAMESPACE), podsPath(NAMESPACE)].map((path) => cluster.client.expect<{ items: unknown[] }>('GET', path)),
    );
    return lists.every(({ items }) => items.length === 0);
  });
  await prometheus?.waitUntil(
    'the series to be gone',
    async () => (await prometheus?.query(`cdsp_experiment_info{namespace="${NAMESPACE}"}`))?.length === 0,
  );
  assert.match(await cluster.kubectl('get', 'pvc', '--namespace', NAMESPACE, '--no-headers'), /cdsp-quickstart\s+Bound/);
});

clusterTest('helm uninstall leaves the resource and nothing else', async () => {
  await uninstallChart(cluster);
  await cluster.waitUntil('the operator’s pod to be gone', async () => {
    const { items } = await cluster.client.expect<{ items: unknown[] }>('GET', podsPath(OPERATOR_NAMESPACE));
    return items.length === 0;
  });
  const left = await cluster.kubectl(
    'get',
    'all,configmap,serviceaccount,role,rolebinding',
    '--namespace',
    OPERATOR_NAMESPACE,
    '--output',
    'name',
  );
  assert.equal(
    left.split('\n').filter((name) => /cdsp/.test(name)),
    [],
  );
  assert.match(await cluster.kubectl('get', 'crd', '--output', 'name'), /cdspexperiments\.cdsp\.dev/);
});

test.run();
