// The trainer's image in real pods: shards that share a stage, and what it says of a volume without space and of data that are not there.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../operator/api/experiment.ts';
import { Manifest } from '../../operator/api/stage-contract.ts';
import { createFolderVolume } from '../cluster/folder-volume.ts';
import { buildTrainerImage, TRAINER_IMAGE } from '../cluster/installed-operator.ts';
import { missingForNode } from '../cluster/node-requirements.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { conditionOf, Pods, release, stageOf, whyNoPods } from './pods.ts';

const reason = whyNoPods() ?? missingForNode({ images: true });
const clusterTest = clusterTests(reason);

let pods: Pods;
setUp(reason, async (stopLater) => {
  const { archive } = await buildTrainerImage(console.log);
  pods = stopLater(await Pods.start({ archives: [archive], config: { imagePullPolicy: 'Never' } }));
});

const TRAINING = { epochs: 1, batchSize: 2, cropSize: 48, warmupEpochs: 0 };
const SPEC = {
  image: TRAINER_IMAGE,
  dataset: { generator: { train: 8, val: 6, size: 48, maxObjects: 2 } },
  model: { backbone: 'efficientnet-lite0', weights: 'None' },
  classify: TRAINING,
  segment: TRAINING,
  pseudoLabels: { scales: [1], flips: false, refinement: { iterations: 2, minProbability: 0.5 } },
  evaluation: { scales: [1] },
};
const SHARDS = { pseudoLabel: { shards: 3 }, evaluate: { shards: 3 } };
const SHARED: readonly StageName[] = ['pseudo-label', 'evaluate'];

/** What a stage has left on a volume: its only folder, and the manifest in it. */
function artifactsOf(folder: string, stage: StageName): { names: string[]; manifest: Manifest } {
  const [key, ...others] = readdirSync(join(folder, 'stages', stage));
  assert.equal(others, []);
  const stageFolder = join(folder, 'stages', stage, key);
  return {
    names: readdirSync(stageFolder).sort(),
    manifest: Manifest.parse(JSON.parse(readFileSync(join(stageFolder, 'manifest.json'), 'utf8'))),
  };
}

clusterTest('three pods that share pseudo-label and evaluate make the files that one makes', async () => {
  const alone = await pods.createClaim('alone');
  await pods.create('alone', SPEC);
  await pods.waitForPhase('alone', 'Succeeded');
  const shared = await pods.createClaim('shared');
  await pods.create('shared', { ...SPEC, placement: SHARDS });
  const status = await pods.waitForPhase('shared', 'Succeeded');
  for (const stage of SHARED) {
    const [one, three] = [artifactsOf(alone, stage), artifactsOf(shared, stage)];
    assert.equal(three.manifest.files, one.manifest.files, stage);
    assert.is(three.manifest.key, one.manifest.key, 'shards are no part of the key');
    assert.equal(three.names, one.names, 'nothing else is left in the folder');
    const job = await pods.jobOf('shared', stage);
    assert.equal([job.spec?.completionMode, job.spec?.completions, job.spec?.parallelism], ['Indexed', 3, 3]);
  }
  const before = await pods.see('alone');
  assert.equal(status.results, before?.results);
  assert.ok((status.results?.meanIou ?? -1) >= 0);
});

clusterTest('the next stage starts when the first shard has succeeded, while the others have not ended', async () => {
  const folder = await pods.createClaim('first', { 'pseudo-label': [{ hold: true, lingers: true }] });
  await pods.create('first', { placement: SHARDS });
  const waits = ['-0', '-1', '-2'].map((shard) => pods.waitForAttempt(folder, 'pseudo-label', 1, shard));
  const [stageFolder] = await Promise.all(waits);
  release(stageFolder, '-0');
  const status = await pods.waitFor('first', 'to have come to segment', (seen) => stageOf(seen, 'segment')?.job !== undefined);
  assert.is(stageOf(status, 'pseudo-label')?.state, 'Complete');
  const { conditions } = (await pods.jobOf('first', 'pseudo-label')).status ?? {};
  assert.not(
    conditions?.some(({ type }) => type === 'Complete'),
    'the Job itself waits for the other pods',
  );
  release(stageFolder, '-1');
  release(stageFolder, '-2');
  await pods.waitForPhase('first', 'Succeeded');
});

clusterTest('a volume without free space is told with file and field; what is complete stays', async () => {
  const [node] = pods.nodes;
  const folder = join(pods.plane.workspace.folder, 'small');
  await node.run('mkdir', '-p', folder);
  await node.run('mount', '-t', 'tmpfs', '-o', 'size=256k,mode=777', 'tmpfs', folder);
  await createFolderVolume(pods.plane, 'small', { folder });
  await pods.create('small', SPEC);
  const status = await pods.waitForPhase('small', 'Failed');
  const { reason: word, message = '' } = conditionOf(status, 'Succeeded') ?? {};
  console.log(message);
  assert.is(word, 'BadInput');
  assert.match(message, /^classify: .*the disk is full.*spec\.storage/);
});

clusterTest('data that are not on their claim are told with the file that is missing and the field that names it', async () => {
  await createFolderVolume(pods.plane, 'voc', { accessModes: ['ReadOnlyMany'] });
  await pods.createClaim('no-data');
  await pods.create('no-data', { ...SPEC, dataset: { folder: { path: 'VOC2012', claimName: 'voc' }, classes: ['background', 'cat'] } });
  const status = await pods.waitForPhase('no-data', 'Failed');
  const { reason: word, message = '' } = conditionOf(status, 'Succeeded') ?? {};
  console.log(message);
  assert.is(word, 'BadInput');
  assert.match(message, /spec\.dataset\.folder/);
  assert.match(message, /\/data\/VOC2012/);
  assert.is(stageOf(status, 'classify')?.attempts, 1);
});

test.run();
