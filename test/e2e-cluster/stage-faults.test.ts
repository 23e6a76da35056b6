// What goes wrong with a stage's pod on a real node, and what the experiment's status says of it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { FAKE_STAGE_IMAGE } from '../cluster/fake-stage-image.ts';
import { sideBySide } from '../cluster/side-by-side.ts';
import { conditionOf, Pods, release, stageOf, stepsIn, whyNoPods } from './pods.ts';

const reason = whyNoPods();
const clusterTest = sideBySide(clusterTests(reason));

let pods: Pods;
setUp(reason, async (stopLater) => {
  pods = stopLater(await Pods.start());
});

clusterTest('an image that cannot be pulled is told in the kubelet’s words; another image in the spec heals it', async () => {
  await pods.createClaim('no-image');
  await pods.create('no-image', { image: 'registry.invalid/nobody/trainer:1' });
  const { message } = await pods.waitForCondition('no-image', 'Started', 'False', 'ImagePullBackOff');
  assert.match(message, /registry\.invalid\/nobody\/trainer:1/);
  const status = await pods.see('no-image');
  assert.match(conditionOf(status, 'Succeeded')?.message ?? '', /^classify does not run: .*registry\.invalid/s);
  await pods.patch('no-image', { image: FAKE_STAGE_IMAGE });
  const healed = await pods.waitForPhase('no-image', 'Succeeded');
  assert.is(conditionOf(healed, 'Started'), undefined, 'what was wrong is no longer told');
});

clusterTest('a claim that is not there is told in the scheduler’s words; making it heals', async () => {
  await pods.create('no-claim');
  const { reason: word, message } = await pods.waitForCondition('no-claim', 'Scheduled', 'False');
  assert.is(word, 'Unschedulable');
  assert.match(message, /persistentvolumeclaim "no-claim" not found/);
  await pods.createClaim('no-claim');
  await pods.waitForPhase('no-claim', 'Succeeded');
});

clusterTest('bad input fails at once, and the condition names file and field', async () => {
  await pods.createClaim('bad-input', { classify: [{ exitCode: 65 }] });
  await pods.create('bad-input', { retries: 3 });
  const status = await pods.waitForPhase('bad-input', 'Failed');
  const condition = conditionOf(status, 'Succeeded');
  assert.equal([condition?.status, condition?.reason], ['False', 'BadInput']);
  assert.match(condition?.message ?? '', /^classify: spec\.x: cat\.jpg: as told/);
  assert.equal(stageOf(status, 'classify')?.attempts, 1, 'it is not tried again');
  assert.is(conditionOf(status, 'Stalled')?.status, 'True');
});

clusterTest('a stage that keeps failing is given up with its last words, and an edit gives it a new budget', async () => {
  await pods.createClaim('fails', { classify: [{ exitCode: 3 }, { exitCode: 3 }, {}] });
  await pods.create('fails', { retries: 1 });
  const retrying = await pods.waitFor('fails', 'to be tried again', (seen) => stageOf(seen, 'classify')?.reason === 'Retrying');
  assert.match(stageOf(retrying, 'classify')?.message ?? '', /attempt 2 of 2 after: as told/);
  const status = await pods.waitForPhase('fails', 'Failed');
  assert.is(conditionOf(status, 'Succeeded')?.reason, 'RetriesExhausted');
  assert.match(conditionOf(status, 'Succeeded')?.message ?? '', /failed 2 times: as told/);
  await pods.patch('fails', { retries: 2 });
  await pods.waitForPhase('fails', 'Succeeded');
});

clusterTest('a stage that is killed for its memory says so, and what to do', async () => {
  await pods.createClaim('memory', { classify: [{ allocate: true }] });
  await pods.create('memory', { placement: { default: { memory: '128Mi' } } });
  const status = await pods.waitForPhase('memory', 'Failed');
  assert.match(conditionOf(status, 'Succeeded')?.message ?? '', /killed for its memory; raise .*memory/);
  assert.is(stageOf(status, 'classify')?.failure?.exitCode, 137);
});

clusterTest('a stage that takes longer than its deadline has failed, and its pod ends at whatever point it is', async () => {
  await pods.createClaim('late', { classify: [{ hold: true }] });
  await pods.create('late', { retries: 3, placement: { classify: { deadlineSeconds: 5 } } });
  const status = await pods.waitForPhase('late', 'Failed');
  assert.match(conditionOf(status, 'Succeeded')?.message ?? '', /took longer than deadlineSeconds \(5 s\)/);
  await pods.plane.waitUntil('its pods to end', async () => {
    const phases = (await pods.podsOf('late', 'classify')).map((pod) => pod.status?.phase);
    return phases.every((phase) => phase === 'Failed');
  });
});

clusterTest('a pod that is deleted by hand is replaced; the stage goes on from its checkpoint and no attempt is counted', async () => {
  const folder = await pods.createClaim('deleted', { classify: [{ hold: true }, {}] });
  await pods.create('deleted');
  const stageFolder = await pods.waitForAttempt(folder, 'classify', 1);
  const before = stepsIn(stageFolder);
  const [pod] = await pods.podsOf('deleted', 'classify');
  await pods.plane.kubectl('delete', 'pod', pod.metadata?.name ?? '', '--wait=false');
  const status = await pods.waitForPhase('deleted', 'Succeeded');
  assert.ok(stepsIn(stageFolder) >= before, 'no step is lost');
  assert.is(stageOf(status, 'classify')?.failure, undefined);
  assert.is((await pods.jobOf('deleted', 'classify')).status?.failed ?? 0, 0);
});

clusterTest(
  'a pod that is deleted by force, without time for a checkpoint, is replaced; no checkpoint is lost and no attempt is counted',
  async () => {
    const folder = await pods.createClaim('forced', { classify: [{ hold: true }, {}] });
    await pods.create('forced', { retries: 0 });
    const stageFolder = await pods.waitForAttempt(folder, 'classify', 1);
    const before = stepsIn(stageFolder);
    const [pod] = await pods.podsOf('forced', 'classify');
    await pods.plane.kubectl('delete', 'pod', pod.metadata?.name ?? '', '--force', '--grace-period=0');
    await pods.waitForPhase('forced', 'Succeeded');
    assert.ok(stepsIn(stageFolder) >= before);
    assert.is((await pods.jobOf('forced', 'classify')).status?.failed ?? 0, 0);
  },
);

clusterTest('a stage gets the time that it needs for its checkpoint; the experiment is suspended when its pod has ended', async () => {
  const folder = await pods.createClaim('slow-end', { classify: [{ hold: true, lingers: true }, {}] });
  await pods.create('slow-end');
  const stageFolder = await pods.waitForAttempt(folder, 'classify', 1);
  await pods.patch('slow-end', { suspend: true });
  const isEnding = (seen: ExperimentStatus) => /classify is writing its checkpoint/.test(conditionOf(seen, 'Suspended')?.message ?? '');
  await pods.waitFor('slow-end', 'to stop', (seen) => stageOf(seen, 'classify')?.reason === 'Stopping' && isEnding(seen));
  await pods.plane.waitUntil('the stage to be asked to end', () => existsSync(join(stageFolder, 'lingers')));
  const [pod] = await pods.podsOf('slow-end', 'classify');
  assert.is(pod.status?.phase, 'Running');
  release(stageFolder);
  const suspended = await pods.waitFor('slow-end', 'to have stopped', (seen) => stageOf(seen, 'classify')?.state === 'Interrupted');
  assert.is(suspended.phase, 'Suspended');
  const before = stepsIn(stageFolder);
  await pods.patch('slow-end', { suspend: false });
  const status = await pods.waitForPhase('slow-end', 'Succeeded');
  assert.ok(stepsIn(stageFolder) >= before);
  assert.is((await pods.jobOf('slow-end', 'classify')).status?.failed ?? 0, 0);
  assert.is(stageOf(status, 'classify')?.failure, undefined);
});

clusterTest('a Job that is deleted by hand is made again', async () => {
  const folder = await pods.createClaim('no-job', { classify: [{ hold: true }, {}] });
  await pods.create('no-job');
  const stageFolder = await pods.waitForAttempt(folder, 'classify', 1);
  const job = await pods.jobOf('no-job', 'classify');
  await pods.plane.kubectl('delete', 'job', job.metadata?.name ?? '', '--wait=false');
  await pods.waitForPhase('no-job', 'Succeeded');
  assert.not.equal((await pods.jobOf('no-job', 'classify')).metadata?.uid, job.metadata?.uid);
  assert.ok(stepsIn(stageFolder) >= 4);
});

test.run();
