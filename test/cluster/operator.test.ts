// The operator on a real API server, with the chart's rights: its Jobs get real pods of the real Job controller, which KWOK plays.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExperiment } from '../../operator/api/parse.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { Cluster } from '../../operator/controller/cluster.ts';
import { Controller } from '../../operator/controller/controller.ts';
import { OperatorConfig } from '../../operator/config.ts';
import { checkExperiment } from '../../operator/controller/check-experiment.ts';
import { experimentsPath, jobsPath } from '../../operator/controller/resource-paths.ts';
import { runCli } from '../operator/cli/cli-process.ts';
import { applyCrds } from './apply.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { grantOperatorRights } from './installed-operator.ts';
import { startKwok } from './kwok.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from './requirements.ts';
import { startProvisioner } from './volumes.ts';

const reason = whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kwok', 'helm']);
const clusterTest = clusterTests(reason);

const TRAINER = 'registry.example.org:5000/cdsp-trainer:test';

interface Seen {
  readonly status?: ExperimentStatus;
}

let plane: ControlPlane;
let controller: Controller;
let cluster: Cluster;
test.before(async () => {
  if (reason !== undefined) return;
  plane = await startControlPlane({ controllers: true, say: console.log });
  await applyCrds(plane);
  await startProvisioner(plane);
  await startKwok(plane, { nodes: 2, ends: [{ name: 'good', runMs: 200, message: '{"result": {"meanIou": 0.5}}' }] });
  cluster = new Cluster(readKubeconfig(await grantOperatorRights(plane)));
  const config = OperatorConfig.parse({ trainerImage: TRAINER });
  controller = new Controller({
    cluster,
    config,
    check: (experiment) => checkExperiment(experiment, config),
    log: (message, fields) => console.log(message, fields),
  });
  await controller.sync();
  controller.lead();
});
test.after(async () => {
  if (controller !== undefined) await controller.stop();
  if (cluster !== undefined) cluster.close();
  if (plane !== undefined) await plane.stop();
});

const example = load(readFileSync('examples/quickstart.yaml', 'utf8')) as { metadata: object; spec: object };
const create = (name: string, spec: object = {}) =>
  plane.client.expect('POST', experimentsPath('default'), { ...example, metadata: { name }, spec: { ...example.spec, ...spec } });
const see = (name: string) => plane.client.expect<Seen>('GET', `${experimentsPath('default')}/${name}`);

async function waitForPhase(name: string, phase: string): Promise<ExperimentStatus> {
  let seen: Seen = {};
  await plane
    .waitUntil(`${name} to be ${phase}`, async () => (seen = await see(name)).status?.phase === phase)
    .catch((cause: unknown) => {
      throw new Error(`${name} is not ${phase} but ${JSON.stringify(seen.status, undefined, 1)}`, { cause });
    });
  return seen.status ?? {};
}

clusterTest('an experiment becomes four Jobs, one after the other, and tells its mIoU', async () => {
  await create('first');
  const status = await waitForPhase('first', 'Succeeded');
  assert.is(status.meanIou, 0.5);
  assert.equal(
    status.stages?.map(({ name, state }) => `${name} ${state}`),
    ['classify Complete', 'pseudo-label Complete', 'segment Complete', 'evaluate Complete'],
  );
  const conditions = new Map(status.conditions?.map(({ type, status: value }) => [type, value]));
  assert.equal([conditions.get('Succeeded'), conditions.get('Reconciling'), conditions.get('Stalled')], ['True', 'False', 'False']);
});

clusterTest('what has run in simulated pods can be repeated: they tell a digest, which is that of the image’s name', async () => {
  const { code, stdout, stderr } = await runCli(['reproduce', 'first'], { environment: { KUBECONFIG: plane.kubeconfig } });
  assert.equal([code, stderr], [0, '']);
  const { metadata, spec } = parseExperiment(stdout, 'stdout');
  const digest = createHash('sha256').update(TRAINER).digest('hex');
  assert.equal([metadata.name, spec.image], ['first-repro', `registry.example.org:5000/cdsp-trainer@sha256:${digest}`]);
});

clusterTest('an experiment on the same claim starts only the stages whose keys are new', async () => {
  const storage = { claimName: 'cdsp-first' };
  await create('second', { storage, evaluation: { scales: [1, 1.5] } });
  const status = await waitForPhase('second', 'Succeeded');
  assert.equal(
    status.stages?.map(({ state }) => state),
    ['Cached', 'Cached', 'Cached', 'Complete'],
  );
});

clusterTest('a suspended experiment starts when it is resumed', async () => {
  await create('third', { suspend: true });
  await waitForPhase('third', 'Suspended');
  await plane.kubectl('patch', 'cdsp', 'third', '--type=merge', '-p', '{"spec":{"suspend":false}}');
  await waitForPhase('third', 'Succeeded');
});

clusterTest('deleting an experiment removes its Jobs', async () => {
  await plane.kubectl('delete', 'cdsp', 'third', '--wait=false');
  await plane.waitUntil('the Jobs of third to be gone', async () => {
    const { items } = await plane.client.expect<{ items: { metadata: { ownerReferences?: { name: string }[] } }[] }>(
      'GET',
      jobsPath('default'),
    );
    return items.every(({ metadata }) => metadata.ownerReferences?.every(({ name }) => name !== 'third') ?? true);
  });
});

clusterTest('the operator goes on after a restart of the API server', async () => {
  await plane.restartApiServer();
  await create('fourth', { seed: 7 });
  await waitForPhase('fourth', 'Succeeded');
});

test.run();
