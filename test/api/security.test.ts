// Somebody who may create experiments in one namespace and nothing else gains nothing by them.
import fc from 'fast-check';
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildExperimentCrd } from '../../operator/api/crd.ts';
import { validateExperiment } from '../../operator/api/parse.ts';
import type { SchemaNode } from '../../operator/api/schema-tree.ts';
import { StageInput } from '../../operator/api/stage-contract.ts';
import { buildJob } from '../../operator/controller/build-job.ts';
import { clusterFindings } from '../../operator/controller/cluster-findings.ts';
import { claimName } from '../../operator/controller/names.ts';
import { referencedIdentities } from '../../operator/controller/references.ts';
import { experimentsPath, jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import { planExperiment } from '../../operator/plan/plan.ts';
import { createApiClient } from '../cluster/api-client.ts';
import type { ApiClient } from '../cluster/api-client.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { manifest } from '../operator/api/manifests.ts';
import { OperatorConfig } from '../../operator/config.ts';
import { assertHarmless } from './harmless.ts';
import { specValues } from './random-specs.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const NAMESPACE = 'lab';
const TRAINER = 'registry.example.org/cdsp/trainer:1';
const root = buildExperimentCrd().spec.versions[0].schema.openAPIV3Schema as SchemaNode;
const specs = specValues(root.properties?.spec ?? {});

let plane: ControlPlane;
let user: ApiClient;
test.before(async () => {
  if (reason !== undefined) return;
  // Classes of priority and runtime are the administrator's to make; that they exist is asked elsewhere.
  plane = await startControlPlane({ say: console.log, apiServerArgs: ['--disable-admission-plugins=Priority,RuntimeClass'] });
  await applyCrds(plane);
  await plane.kubectl('create', 'namespace', NAMESPACE);
  await plane.kubectl('label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted');
  await plane.kubectl('create', 'serviceaccount', 'default', '-n', NAMESPACE);
  await plane.kubectl('create', 'role', 'author', '-n', NAMESPACE, '--verb=create', '--resource=cdspexperiments.cdsp.dev');
  await plane.kubectl('create', 'rolebinding', 'author', '-n', NAMESPACE, '--role=author', '--user=author');
  user = createApiClient(plane.server, plane.authority.certificate, plane.authority.issueClient('author', { user: 'author' }));
  await plane.waitUntil('the role', async () => (await submit({})).status === 201);
});
test.after(async () => {
  user?.close();
  if (plane !== undefined) await plane.stop();
});

const submit = (spec: object, query = 'dryRun=All') =>
  user.request<{ spec: unknown }>('POST', `${experimentsPath(NAMESPACE)}?${query}`, manifest(spec as Record<string, unknown>));

/** The Jobs that the operator would make, of which nothing but the images is its administrator's choice. */
function jobsOf(spec: object) {
  const experiment = validateExperiment(manifest(spec as Record<string, unknown>));
  const image = experiment.spec.image ?? TRAINER;
  const plan = planExperiment(experiment, { trainerVersion: image, identities: referencedIdentities(experiment.spec) });
  const owner = { name: 'test', namespace: NAMESPACE, uid: 'uid-1', generation: 1, spec: experiment.spec };
  const claim = claimName({ name: 'test', claimName: experiment.spec.storage.claimName });
  const settings = OperatorConfig.parse({ trainerImage: TRAINER, imagePullSecrets: ['pull'] });
  return plan.stages.map((stage) => buildJob(owner, plan, stage, { claim, image, settings }));
}

const podOf = (job: ReturnType<typeof jobsOf>[number]) => {
  const pod = job.spec?.template.spec;
  assert.ok(pod);
  return pod;
};

/** A stage's pod as an object of its own, which Pod Security judges; of Jobs it only warns. */
const dryRun = (job: ReturnType<typeof jobsOf>[number]) => {
  const labels = job.spec?.template.metadata?.labels;
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'stage', labels }, spec: podOf(job) };
  return plane.client.request<V1Pod & { message?: string }>('POST', `${podsPath(NAMESPACE)}?dryRun=All`, pod);
};

clusterTest(
  'whatever experiment is taken, its Jobs and pods are, too; they are harmless before and after admission and pass the restricted level',
  async () => {
    await fc.assert(
      fc.asyncProperty(specs, async (drawn) => {
        const spec = drawn as object;
        assert.is((await submit(spec)).status, 201);
        for (const job of jobsOf(spec)) {
          assertHarmless(podOf(job));
          assert.is(job.metadata?.namespace, NAMESPACE);
          const { status, body } = await dryRun(job);
          assert.is(status, 201, body.message);
          assert.ok(body.spec);
          assertHarmless(body.spec);
        }
      }),
      { numRuns: 40 },
    );
  },
);

clusterTest('paths of an experiment without findings stay on the volumes that are mounted for them', () => {
  const everything = { trainerImage: TRAINER, allowedImages: ['*'], allowedDataImages: ['*'] };
  let checked = 0;
  const segment = fc.constantFrom('..', '.', 'a', '~', 'b.c', '');
  const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'));
  fc.assert(
    fc.property(path, path, path, fc.constantFrom(undefined, 'data'), (folder, labels, weights, claim) => {
      const spec = {
        dataset: { folder: { path: folder || '.', claimName: claim } },
        pseudoLabels: { source: 'External', external: { path: labels || '.' } },
        model: { weights: `${weights}.pth`, ...(claim === undefined ? {} : { weightsFrom: { claimName: claim } }) },
      };
      const { spec: defaulted } = validateExperiment(manifest(spec));
      if (clusterFindings(defaulted, everything).length > 0) return;
      checked++;
      for (const job of jobsOf(spec)) {
        const text = podOf(job).containers[0].env?.find(({ name }) => name === 'CDSP_STAGE')?.value ?? '';
        const input = StageInput.parse(JSON.parse(text)).spec;
        const paths = [input.dataset.folder?.path, input.pseudoLabels.external?.path, input.model.weights];
        for (const inPod of paths) assert.match(inPod ?? '', /^\/(cdsp|data|labels|weights)(\/|$)(?!.*\.\.(\/|$))/);
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(checked > 20, `${checked} had no findings`);
});

const attempts: [why: string, spec: object][] = [
  ['the network of the node', { placement: { default: { hostNetwork: true } } }],
  ['a path of the node', { placement: { default: { volumes: [{ name: 'x', hostPath: { path: '/' } }] } } }],
  ['privilege', { placement: { default: { securityContext: { privileged: true } } } }],
  ['a service account', { placement: { default: { serviceAccountName: 'admin' } } }],
  ['a secret as environment', { placement: { default: { env: [{ name: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] } } }],
  ['a program', { placement: { default: { command: ['sh', '-c', 'id'] } } }],
  ['a node by its name', { placement: { default: { nodeName: 'master' } } }],
  ['data from a path of the node', { dataset: { folder: { path: 'voc', hostPath: '/' } } }],
  ['data from a secret', { dataset: { folder: { path: 'voc', secretName: 's' } } }],
  ['a claim of another namespace', { dataset: { folder: { path: 'voc', claimName: 'data', namespace: 'other' } } }],
  [
    'pods of other namespaces',
    {
      placement: {
        default: {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'k', namespaces: ['kube-system'], namespaceSelector: {} }],
            },
          },
        },
      },
    },
  ],
];
for (const [why, spec] of attempts) {
  clusterTest(`what cannot be asked for is refused, or dropped where the client wants no refusal: ${why}`, async () => {
    assert.is((await submit(spec, 'dryRun=All&fieldValidation=Strict')).status, 400);
    const { status, body } = await submit(spec, 'dryRun=All&fieldValidation=Ignore');
    assert.is(status, 201);
    for (const job of jobsOf(body.spec as object)) assertHarmless(podOf(job));
  });
}

clusterTest('a claim by a name that leads into another namespace is none', async () => {
  for (const claim of ['other/data', '../data', 'data/', 'Data']) {
    assert.is((await submit({ storage: { claimName: claim } })).status, 422, claim);
    assert.is((await submit({ dataset: { folder: { path: 'voc', claimName: claim } } })).status, 422, claim);
  }
});

clusterTest('an image that the administrator did not allow starts nothing', () => {
  const allowances = { trainerImage: TRAINER, allowedImages: ['registry.example.org/lab/*'], allowedDataImages: [] };
  fc.assert(
    fc.property(specs, (drawn) => {
      const { spec } = validateExperiment(manifest(drawn as Record<string, unknown>));
      const isAllowed = spec.image === undefined || spec.image === TRAINER || spec.image.startsWith('registry.example.org/lab/');
      const images = [spec.dataset.folder?.image, spec.pseudoLabels.external?.image, spec.model.weightsFrom?.image];
      const found = clusterFindings(spec, allowances).map(({ field }) => field);
      assert.is(found.includes('spec.image'), !isAllowed);
      assert.is(
        found.filter((field) => field.endsWith('.image') && field !== 'spec.image').length,
        images.filter((image) => image !== undefined).length,
      );
    }),
    { numRuns: 60 },
  );
});

const harmful: [why: string, change: (pod: V1PodSpec) => void][] = [
  ['the network of the node', (pod) => (pod.hostNetwork = true)],
  ['the processes of the node', (pod) => (pod.hostPID = true)],
  ['a token', (pod) => (pod.automountServiceAccountToken = true)],
  ['an account', (pod) => (pod.serviceAccountName = 'admin')],
  ['a path of the node', (pod) => pod.volumes?.push({ name: 'x', hostPath: { path: '/' } })],
  ['a secret as files', (pod) => pod.volumes?.push({ name: 'x', secret: { secretName: 's' } })],
  ['a token as files', (pod) => pod.volumes?.push({ name: 'x', projected: { sources: [] } })],
  ['memory for files', (pod) => pod.volumes?.push({ name: 'x', emptyDir: { medium: 'Memory' } })],
  ['a container more', (pod) => pod.containers.push(pod.containers[0])],
  ['a container before it', (pod) => (pod.initContainers = [pod.containers[0]])],
  ['a program of one’s own', (pod) => (pod.containers[0].command = ['sh'])],
  ['a secret as environment', (pod) => pod.containers[0].env?.push({ name: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } })],
  ['all of a secret', (pod) => (pod.containers[0].envFrom = [{ secretRef: { name: 's' } }])],
  ['a port of the node', (pod) => pod.containers[0].ports?.push({ containerPort: 1, hostPort: 1 })],
  ['privilege', (pod) => (pod.containers[0].securityContext = { privileged: true })],
  ['the user root', (pod) => (pod.securityContext = { ...pod.securityContext, runAsUser: 0 })],
  ['a mount over the root', (pod) => pod.containers[0].volumeMounts?.push({ name: 'storage', mountPath: '/' })],
  ['data that can be written to', (pod) => pod.containers[0].volumeMounts?.push({ name: 'storage', mountPath: '/data' })],
  ['a class of the cluster’s own pods', (pod) => (pod.priorityClassName = 'system-node-critical')],
  ['a node by its name', (pod) => (pod.nodeName = 'master')],
  [
    'other namespaces',
    (pod) =>
      (pod.affinity = {
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'k', namespaces: ['kube-system'] }] },
      }),
  ],
];
function isHarmless(pod: V1PodSpec): boolean {
  try {
    assertHarmless(pod);
    return true;
  } catch {
    return false;
  }
}
for (const [why, change] of harmful) {
  test(`a pod with it would be found harmful: ${why}`, () => {
    const pod = structuredClone(podOf(jobsOf({})[0]));
    assert.ok(isHarmless(pod));
    change(pod);
    assert.is(isHarmless(pod), false);
  });
}

const forbidden: [why: string, method: string, path: string, body?: object][] = [
  ['the status of an experiment', 'PATCH', `${experimentsPath(NAMESPACE)}/test/status`, { status: { phase: 'Succeeded' } }],
  ['an experiment of another namespace', 'POST', experimentsPath('default'), manifest({})],
  ['Jobs', 'GET', jobsPath(NAMESPACE)],
  ['pods', 'GET', podsPath(NAMESPACE)],
  ['secrets', 'GET', `/api/v1/namespaces/${NAMESPACE}/secrets`],
];
for (const [why, method, path, body] of forbidden) {
  clusterTest(`the right to create experiments is no right to ${method === 'GET' ? 'read' : 'write'} ${why}`, async () => {
    const { status } = await user.request(method, path, body, method === 'PATCH' ? 'application/merge-patch+json' : undefined);
    assert.is(status, 403);
  });
}

test.run();
