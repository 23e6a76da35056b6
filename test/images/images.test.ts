// The project's two images, as their Dockerfiles make them: what is in them, and that they work in pods that may do nothing.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageInput } from '../../operator/api/stage-contract.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { buildProjectImages } from '../cluster/installed-operator.ts';
import { startNode } from '../cluster/node.ts';
import { missingForNode } from '../cluster/node-requirements.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { experiment } from '../operator/plan/experiments.ts';
import { findTools, readImage } from './image-content.ts';
import type { ImageContent } from './image-content.ts';
import { runPod } from './restricted-pod.ts';

const reason = missingForNode({ images: true }) ?? whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kubelet', 'kube-proxy']);
const clusterTest = clusterTests(reason);

const NAMES = ['operator', 'trainer'] as const;
const images = new Map<(typeof NAMES)[number], ImageContent>();
let cluster: ControlPlane;
setUp(reason, async (stopLater) => {
  const built = await buildProjectImages(console.log);
  cluster = stopLater(await startControlPlane({ controllers: true, network: true, say: console.log }));
  const node = await startNode(cluster);
  for (const name of NAMES) {
    images.set(name, readImage(built[name].archive));
    await node.importImages(built[name].archive);
  }
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await cluster.client.expect('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'lab', labels } });
});

function look(name: (typeof NAMES)[number]): ImageContent {
  const image = images.get(name);
  assert.ok(image);
  return image;
}

for (const name of NAMES) {
  clusterTest(`no layer of the ${name}'s image holds a shell, npm, a compiler or another tool`, () => {
    const { entries } = look(name);
    assert.ok(entries.some(({ path }) => path === 'usr/local/bin/node'));
    assert.equal(findTools(entries), []);
  });

  clusterTest(`nothing in the ${name}'s image belongs to its user or can be written but /tmp`, () => {
    const writable = look(name).entries.filter(
      ({ kind, owner, permissions }) => kind !== 'link' && (owner !== '0/0' || permissions.slice(3).includes('w')),
    );
    assert.equal(
      writable.map(({ path }) => path),
      ['tmp/'],
    );
  });

  clusterTest(`the ${name}'s image says what it is, and in which version`, () => {
    const { config } = look(name);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    assert.is(config.User, '65532:65532');
    assert.is(config.Labels['org.opencontainers.image.version'], version);
    assert.is(config.Labels['org.opencontainers.image.licenses'], 'Apache-2.0');
  });

  clusterTest(`the ${name}'s image carries the terms of what is in it`, () => {
    const paths = new Set(look(name).entries.map(({ path }) => path));
    for (const file of ['app/LICENSE', 'app/NOTICE']) assert.ok(paths.has(file), file);
    const others = name === 'operator' ? /^app\/LICENSES\.txt$/ : /^opt\/cdsp\/tensorflow-[^/]*\/THIRD_PARTY_NOTICES\.txt$/;
    assert.ok([...paths].some((path) => others.test(path)));
  });
}

clusterTest('the trainer has ImageNet weights and the drawings of the built-in scenes, and of the packages only what it loads', () => {
  const paths = look('trainer').entries.map(({ path }) => path);
  const count = (pattern: RegExp) => paths.filter((path) => pattern.test(path)).length;
  assert.is(count(/^opt\/cdsp\/.*\/efficientnet-lite0-.*\.pth$/), 1);
  assert.is(count(/^app\/node_modules\/@iconify-json\/.*\/icons\.json$/), 4);
  assert.is(count(/^app\/node_modules\/(echarts|express|commander|core-js)\/$/), 0);
  assert.is(count(/\.map$|\.d\.ts$|_test\.js$/), 0);
});

clusterTest('an operator without configuration ends in a restricted pod and says what it lacks', async () => {
  const { exitCode, log } = await runPod(cluster, { name: 'operator', image: 'docker.io/library/cdsp-operator:test' });
  assert.is(exitCode, 1, log);
  assert.match(log, /the environment variable CDSP_CONFIG must name the operator’s configuration file/);
});

clusterTest('a trainer that is told nothing it understands ends with 65 and a termination message', async () => {
  const environment = { CDSP_STAGE: '{"version": "v0"}', CDSP_TERMINATION_LOG: '/dev/termination-log' };
  const { exitCode, message } = await runPod(cluster, { name: 'lost', image: 'docker.io/library/cdsp-trainer:test', environment });
  assert.is(exitCode, 65);
  const { error } = JSON.parse(message) as { error: { message: string; field: string } };
  assert.match(error.message, /CDSP_STAGE holds no stage input of version v1/);
  assert.is(error.field, 'CDSP_STAGE');
});

const generator = { train: 24, val: 4, size: 64, maxObjects: 3, seed: 0 };
const { spec } = experiment({
  dataset: { generator },
  model: { backbone: 'efficientnet-lite0', segmentor: 'deeplabv2', weights: 'ImageNet' },
  classify: { epochs: 1, batchSize: 2, cropSize: 64 },
  storage: { path: '/cdsp' },
});
const input: StageInput = {
  version: 'v1',
  experiment: 'tiny',
  stage: 'classify',
  key: 'a',
  spec,
  upstream: {},
  output: '/cdsp/stages/classify/a',
};

clusterTest('the trainer draws scenes and trains a classifier from ImageNet weights in a restricted pod', async () => {
  const environment = { CDSP_STAGE: JSON.stringify(input), CDSP_TERMINATION_LOG: '/dev/termination-log', CDSP_PORT: '9090' };
  const pod = { name: 'trains', image: 'docker.io/library/cdsp-trainer:test', environment };
  const { exitCode, message, log } = await runPod(cluster, pod);
  assert.is(exitCode, 0, log);
  const { result } = JSON.parse(message) as { result: Record<string, unknown> };
  assert.type(result.loss, 'number', message);
  assert.match(log, /backbone starts from \/opt\/cdsp\//);
});

test.run();
