// The runner of the operator with real pods: each case is an experiment on a claim of its own, whose stages are pods of the fake stage.
import { join } from 'node:path';
import { test } from 'uvu';
import { Cluster } from '../../operator/controller/cluster.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { readKubeconfig } from '../cluster/kubeconfig.ts';
import { writeFakeStageImage } from '../cluster/fake-stage-image.ts';
import { createFolderVolume } from '../cluster/folder-volume.ts';
import { startNode } from '../cluster/node.ts';
import { missingForNode } from '../cluster/node-requirements.ts';
import { clusterTests, CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from '../cluster/requirements.ts';
import { sideBySide } from '../cluster/side-by-side.ts';
import { startJobRun } from './job-run.ts';
import { testStageRunner } from './stage-runner.ts';

const reason = missingForNode() ?? whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kubelet', 'kube-proxy']);

let plane: ControlPlane;
let cluster: Cluster;
test.before(async () => {
  if (reason !== undefined) return;
  plane = await startControlPlane({ controllers: true, network: true, say: console.log });
  const node = await startNode(plane);
  const archive = join(plane.workspace.folder, 'fake-stage.tar');
  await Promise.all([applyCrds(plane), writeFakeStageImage(archive)]);
  await node.importImages(archive);
  cluster = new Cluster(readKubeconfig(plane.kubeconfig));
});
test.after(async () => {
  if (plane === undefined) return;
  cluster?.close();
  await plane.stop();
});

let cases = 0;
testStageRunner(
  'Jobs',
  async (behaviours, use) => {
    const claim = `case-${++cases}`;
    const folder = await createFolderVolume(plane, claim, { files: { 'fake-stage.json': JSON.stringify(behaviours) } });
    await use(await startJobRun({ plane, cluster, claim, folder }));
  },
  sideBySide(clusterTests(reason)),
);

test.run();
