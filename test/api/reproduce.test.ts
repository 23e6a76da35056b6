// cdsp reproduce against a real API server: what a status says is read back, and the printed experiment is taken.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExperiment } from '../../operator/api/parse.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { experimentsPath } from '../../operator/controller/resource-paths.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clusterTests, CONTROL_PLANE, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { DIGEST, manifest } from '../operator/api/manifests.ts';
import { runCli } from '../operator/cli/cli-process.ts';
import { IMAGE, SUCCEEDED } from '../operator/cli/reproduce/finished.ts';
import { askServer } from './judges.ts';

const reason = whyNoPrograms(CONTROL_PLANE);
const clusterTest = clusterTests(reason);
const SPEC = { seed: 7, dataset: { folder: { path: 'voc' } }, placement: { segment: { gpus: 2 } } };

let plane: ControlPlane;
setUp(reason, async (stopLater) => {
  plane = stopLater(await startControlPlane({ say: console.log }));
  await applyCrds(plane);
  await plane.kubectl('create', 'namespace', 'lab');
  await run('lab', 'cats', { ...SUCCEEDED, observedGeneration: 1 });
  await run('lab', 'running', {
    observedGeneration: 1,
    conditions: [{ ...SUCCEEDED.conditions![0], status: 'Unknown', reason: 'Running', message: 'segment: running' }],
  });
});

async function run(namespace: string, name: string, status: ExperimentStatus): Promise<void> {
  const path = experimentsPath(namespace);
  await plane.client.expect('POST', path, { ...manifest(SPEC), metadata: { name } });
  await plane.client.expect('PATCH', `${path}/${name}/status`, { status }, 'application/merge-patch+json');
}
const reproduce = (...args: string[]) => runCli(['reproduce', ...args], { environment: { KUBECONFIG: plane.kubeconfig } });

clusterTest('the printed experiment is pinned, and the API server takes it as it is, all defaults written out', async () => {
  const { code, stdout, stderr } = await reproduce('cats', '--namespace', 'lab');
  assert.equal([code, stderr], [0, '']);
  const { spec, metadata } = parseExperiment(stdout, 'stdout');
  assert.equal(metadata, { name: 'cats-repro', namespace: 'lab' });
  assert.equal([spec.image, spec.dataset.digest, spec.seed, spec.placement.segment.gpus], [IMAGE, DIGEST, 7, 2]);
  assert.equal(spec.dataset.folder?.claimName, 'cdsp-cats');
  assert.match(stdout, /^# Repeats the CDSPExperiment lab\/cats \(uid [0-9a-f-]{36}, generation 1, succeeded /);
  const written = load(stdout) as { spec: unknown };
  const verdict = await askServer(plane.client, written, 'lab');
  assert.is(verdict.message, '');
  assert.equal(verdict.spec, written.spec);
});

clusterTest('the namespace of the context is taken where none is named; another context is taken by its name', async () => {
  const config = JSON.parse(await plane.kubectl('config', 'view', '--raw', '-o', 'json')) as {
    contexts: { name: string; context: object }[];
  };
  const [{ context }] = config.contexts;
  const file = join(plane.workspace.folder, 'lab.kubeconfig');
  const contexts = [...config.contexts, { name: 'lab', context: { ...context, namespace: 'lab' } }];
  writeFileSync(file, JSON.stringify({ ...config, contexts }));
  const { code, stderr } = await reproduce('cats', '--kubeconfig', file, '--context', 'lab');
  assert.equal([code, stderr], [0, '']);
  const elsewhere = await reproduce('cats', '--kubeconfig', file);
  assert.match(elsewhere.stderr, 'default/cats: no experiment of this name; there is none in this namespace');
});

clusterTest('what kubectl prints is repeated in the same way', async () => {
  const file = join(plane.workspace.folder, 'cats.yaml');
  writeFileSync(file, await plane.kubectl('get', 'cdsp', 'cats', '-n', 'lab', '-o', 'yaml'));
  const [byFile, byName] = [await reproduce('--file', file), await reproduce('cats', '-n', 'lab')];
  assert.is(byFile.code, 0);
  assert.is(byFile.stdout, byName.stdout);
});

clusterTest('an unfinished run is refused with what it does', async () => {
  const { code, stdout, stderr } = await reproduce('running', '-n', 'lab');
  assert.equal([code, stdout], [65, '']);
  assert.is(stderr, 'error: lab/running: status.conditions: the run is not finished: Running: segment: running\n');
});

clusterTest('a name that is not there is answered with the nearest one, or with those that there are', async () => {
  assert.match((await reproduce('cat', '-n', 'lab')).stderr, /^error: lab\/cat: no experiment of this name; did you mean cats\?\n$/);
  assert.match((await reproduce('zebras', '-n', 'lab')).stderr, 'there are: cats, running');
});

clusterTest('somebody who may not read experiments is told which right is missing', async () => {
  const { code, stderr } = await reproduce('cats', '-n', 'lab', '--kubeconfig', plane.kubeconfigFor({ user: 'stranger', groups: [] }));
  assert.is(code, 65);
  assert.match(
    stderr,
    /^error: lab\/cats: the cluster does not let you read it: .*"stranger" cannot get resource "cdspexperiments".*; it takes the right to get/,
  );
});

clusterTest('somebody who may get but not list experiments is told that there is none of the name', async () => {
  await plane.kubectl('create', 'role', 'getter', '-n', 'lab', '--verb=get', '--resource=cdspexperiments.cdsp.dev');
  await plane.kubectl('create', 'rolebinding', 'getter', '-n', 'lab', '--role=getter', '--user=getter');
  const kubeconfig = plane.kubeconfigFor({ user: 'getter', groups: [] });
  await plane.waitUntil('the role', async () => (await reproduce('cats', '-n', 'lab', '--kubeconfig', kubeconfig)).code === 0);
  const { stderr } = await reproduce('cat', '-n', 'lab', '--kubeconfig', kubeconfig);
  assert.match(stderr, /^error: lab\/cat: no experiment of this name\n$/);
});

clusterTest('a cluster without the resource is told so', async () => {
  await using bare = await startControlPlane();
  const { code, stderr } = await reproduce('cats', '--kubeconfig', bare.kubeconfig);
  assert.is(code, 65);
  assert.match(stderr, 'default/cats: the cluster does not serve experiments; is the operator installed there?');
});

test.run();
