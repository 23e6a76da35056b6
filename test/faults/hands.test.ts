// People have a hand in a running experiment, in each of its stages: what they delete, edit, suspend and share.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { V1Job } from '@kubernetes/client-node';
import { STAGES } from '../../operator/api/experiment.ts';
import { claimsPath, jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import type { Program } from '../cluster/program.ts';
import { clusterTests } from '../cluster/requirements.ts';
import { setUp } from '../cluster/set-up.ts';
import { checkLeavesNothing, checkStages, fromOn, hold, testsInEveryStage, upTo, withTwice } from './every-stage.ts';
import { FaultCluster, whyNoFaultCluster } from './fault-cluster.ts';
import { clingFirst, holdFirst, SUCCEEDS } from './pod-player.ts';

const reason = whyNoFaultCluster();
const clusterTest = clusterTests(reason);

let cluster: FaultCluster;
let operator: Program;
setUp(reason, async (stopLater) => {
  cluster = stopLater(await FaultCluster.start());
  operator = await cluster.startProcess('operator');
});

const inEveryStage = testsInEveryStage(clusterTest, 'hands', () => cluster);

inEveryStage('a pod that is deleted is replaced, which counts as no failure', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  const { pod } = await hold(cluster, namespace, stage);
  await cluster.delete(`${podsPath(namespace)}/${pod.metadata?.name}`);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await checkStages(cluster, namespace, withTwice(stage));
  await checkLeavesNothing(cluster, namespace);
});

inEveryStage('a Job that is deleted is made again when its pod has ended, and not before', async (namespace, stage) => {
  cluster.player.play(namespace, clingFirst(stage));
  const { pod, job } = await hold(cluster, namespace, stage);
  // Keeps the object for as long as a container takes to end.
  const path = `${podsPath(namespace)}/${pod.metadata?.name}`;
  const finalizers = [...(pod.metadata?.finalizers ?? []), 'cdsp.test/ending'];
  const setFinalizers = (wanted: readonly string[]) =>
    cluster.plane.client.expect('PATCH', path, { metadata: { finalizers: wanted } }, 'application/merge-patch+json');
  await setFinalizers(finalizers);
  await cluster.delete(`${jobsPath(namespace)}/${job}`);
  await cluster.until(namespace, 'cats', `waiting for the pod of ${stage} to end`, ({ stages = [] }) =>
    stages.some(({ name, reason: why }) => name === stage && why === 'Ending'),
  );
  assert.is(cluster.player.stages(namespace).filter((name) => name === stage).length, 1);
  await setFinalizers([]);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await checkStages(cluster, namespace, withTwice(stage));
  await checkLeavesNothing(cluster, namespace);
});

for (const retention of ['Retain', 'Delete'] as const) {
  inEveryStage(
    `an experiment that is deleted takes all with it, its claim where retention is Delete (${retention})`,
    async (namespace, stage) => {
      cluster.player.play(namespace, holdFirst(stage));
      await hold(cluster, namespace, stage, { storage: { retention } });
      await cluster.deleteExperiment(namespace, 'cats');
      await cluster.plane.waitUntil(`the claims in ${namespace} to go`, async () => {
        const claims = await cluster.list(claimsPath(namespace));
        return retention === 'Retain' || claims.length === 0;
      });
      await cluster.checkEmpty(namespace, retention === 'Retain' ? ['cdsp-cats'] : []);
      assert.equal(cluster.player.stages(namespace), upTo(stage));
    },
  );
}

for (const [what, spec, first] of [
  ['λ of the class distance', { losses: { classDistance: { lambda: 5 } } }, 'segment'],
  ['the seed', { seed: 7 }, 'classify'],
] as const) {
  inEveryStage(`${what} is edited: it runs from ${first} on, and the Job that nobody wants any more is gone`, async (namespace, stage) => {
    cluster.player.play(namespace, holdFirst(stage));
    const { job } = await hold(cluster, namespace, stage);
    await cluster.edit(namespace, 'cats', spec);
    await cluster.until(namespace, 'cats', 'seen as edited', () => true);
    cluster.player.play(namespace, SUCCEEDS);
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
    const isConcerned = STAGES.indexOf(stage) >= STAGES.indexOf(first);
    await checkStages(cluster, namespace, isConcerned ? [...upTo(stage), ...fromOn(first)] : STAGES);
    const jobs = (await cluster.jobs(namespace)).map(({ metadata }) => metadata?.name);
    assert.is(jobs.includes(job), !isConcerned, `${job} in ${jobs.join()}`);
    await checkLeavesNothing(cluster, namespace);
  });
}

inEveryStage('an experiment that is suspended stops, and goes on where it was when it is resumed', async (namespace, stage) => {
  cluster.player.play(namespace, holdFirst(stage));
  await hold(cluster, namespace, stage);
  await cluster.edit(namespace, 'cats', { suspend: true });
  await cluster.untilPhase(namespace, 'cats', 'Suspended');
  await checkStages(cluster, namespace, upTo(stage));
  await cluster.edit(namespace, 'cats', { suspend: false });
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await checkStages(cluster, namespace, withTwice(stage));
  await checkLeavesNothing(cluster, namespace);
});

const SHARED = { storage: { claimName: 'shared' } };

/** Whether pods of two Jobs are the same stage's of one key: a Job's name says both. */
function checkNoKeyTwice(namespace: string): void {
  const jobs = cluster.player.pods(namespace).map(({ job }) => job);
  assert.equal(jobs, [...new Set(jobs)], `Jobs of the pods in ${namespace}`);
}

for (const [what, act, pods] of [
  ['deleted', (namespace: string, name: string) => cluster.deleteExperiment(namespace, name), STAGES.length],
  ['edited', (namespace: string, name: string) => cluster.edit(namespace, name, { seed: 7 }), 2 * STAGES.length],
  ['suspended', (namespace: string, name: string) => cluster.edit(namespace, name, { suspend: true }), STAGES.length],
] as const) {
  for (const [who, other] of [
    ['cats', 'dogs'],
    ['dogs', 'cats'],
  ]) {
    inEveryStage(
      `of two experiments that share a running stage, ${who} is ${what}: ${other} goes on undisturbed`,
      async (namespace, stage) => {
        await cluster.makeClaim(namespace, 'shared');
        cluster.player.play(namespace, holdFirst(stage));
        const { job } = await hold(cluster, namespace, stage, SHARED);
        await cluster.create(namespace, 'dogs', { retries: 0, ...SHARED });
        await cluster.plane.waitUntil(`${job} to be owned by two`, async () => {
          const { metadata } = await cluster.plane.client.expect<V1Job>('GET', `${jobsPath(namespace)}/${job}`);
          return metadata?.ownerReferences?.length === 2;
        });
        await act(namespace, who);
        if (what !== 'deleted') await cluster.until(namespace, who, `seen as ${what}`, () => true);
        cluster.player.play(namespace, SUCCEEDS);
        await cluster.untilPhase(namespace, other, 'Succeeded');
        if (what === 'edited') await cluster.untilPhase(namespace, who, 'Succeeded');
        checkNoKeyTwice(namespace);
        assert.is(cluster.player.pods(namespace).length, pods);
        await cluster.checkEnd(namespace);
        await cluster.deleteExperiment(namespace, other);
        if (what !== 'deleted') await cluster.deleteExperiment(namespace, who);
        await cluster.checkEmpty(namespace, ['shared']);
      },
    );
  }
}

clusterTest(
  'Jobs whose time is over are gone; nothing runs again, not after a restart, and after an edit only what it concerns',
  async () => {
    const namespace = await cluster.makeNamespace('time-to-live');
    await cluster.create(namespace, 'cats', { ttlSecondsAfterFinished: 0 });
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
    await cluster.checkRanOnce(namespace);
    await cluster.checkEmpty(namespace, ['cdsp-cats']);
    await operator.stop('SIGTERM');
    operator = await cluster.startProcess('operator');
    await cluster.edit(namespace, 'cats', { losses: { classDistance: { lambda: 5 } } });
    await cluster.untilPhase(namespace, 'cats', 'Succeeded');
    await checkStages(cluster, namespace, [...STAGES, 'segment', 'evaluate']);
    await cluster.checkEmpty(namespace, ['cdsp-cats']);
  },
);

clusterTest('a claim that is kept is found again by an experiment of the same name; one that is to go after all goes', async () => {
  const namespace = await cluster.makeNamespace('retention');
  const uidOfClaim = async () => (await cluster.list(claimsPath(namespace))).map(({ metadata }) => metadata?.uid);
  await cluster.create(namespace, 'cats', { storage: { retention: 'Retain' } });
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  const kept = await uidOfClaim();
  await checkLeavesNothing(cluster, namespace);
  await cluster.create(namespace, 'cats', { storage: { retention: 'Retain' } });
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  assert.equal(await uidOfClaim(), kept);
  await cluster.edit(namespace, 'cats', { storage: { retention: 'Delete' } });
  await cluster.until(namespace, 'cats', 'told that its claim goes', ({ storage }) => storage?.retention === 'Delete');
  await cluster.deleteExperiment(namespace, 'cats');
  await cluster.plane.waitUntil('the claim to go', async () => (await uidOfClaim()).length === 0);
  await cluster.checkEmpty(namespace, []);
});

test.run();
