import * as assert from 'uvu/assert';
import type { V1Job, V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { STAGES } from '../../operator/api/experiment.ts';
import type { StageName } from '../../operator/api/experiment.ts';
import { EXIT } from '../../operator/api/stage-contract.ts';
import { claimName, LABELS } from '../../operator/controller/names.ts';
import { claimsPath, jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import type { FaultCluster } from './fault-cluster.ts';
import { holdFirst, SUCCEEDS } from './pod-player.ts';
import type { Rule } from './pod-player.ts';

/**
 * A life of one or two experiments in a namespace of its own, to the end that it has to have, with no stage run twice for the same key but
 * where it was stopped. Whatever becomes of the operator meanwhile, it ends like this.
 */
export type Course = (cluster: FaultCluster, namespace: string) => Promise<void>;

/** Segment is held twice: for a suspension, and for an edit. */
const HOLDS_SEGMENT: Rule = (stage, attempt, isStopping) =>
  stage === 'segment' && attempt <= 2 && !isStopping ? 'hold' : SUCCEEDS(stage, attempt, isStopping);

/** Suspended, resumed and edited while it runs. */
export const stopAndEdit: Course = async (cluster, namespace) => {
  cluster.player.play(namespace, HOLDS_SEGMENT);
  await cluster.create(namespace, 'cats', { retries: 0 });
  await cluster.untilRuns(namespace, 'segment');
  await cluster.edit(namespace, 'cats', { suspend: true });
  await cluster.untilPhase(namespace, 'cats', 'Suspended');
  await cluster.edit(namespace, 'cats', { suspend: false });
  // Not the pod that was asked to end.
  const isSegment = (stage: StageName) => stage === 'segment';
  await cluster.plane.waitUntil(`segment to go on in ${namespace}`, () => cluster.player.stages(namespace).filter(isSegment).length === 2);
  await cluster.untilRuns(namespace, 'segment');
  await cluster.edit(namespace, 'cats', { losses: { classDistance: { lambda: 5 } } });
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  assert.equal(cluster.player.stages(namespace), ['classify', 'pseudo-label', 'segment', 'segment', 'segment', 'evaluate']);
  await cluster.checkEnd(namespace);
};

const SHARED = { retries: 0, storage: { claimName: 'shared' } };

/** How many pods each stage has had; of experiments side by side nothing says whose turn comes first. */
function countOf(cluster: FaultCluster, namespace: string): readonly number[] {
  const stages = cluster.player.stages(namespace);
  return STAGES.map((stage) => stages.filter((name) => name === stage).length);
}

/** Two experiments share a stage that runs; one is suspended and resumed, the other is edited and has no use for it any more. */
export const share: Course = async (cluster, namespace) => {
  let job = '';
  const untilOwners = (count: number) =>
    cluster.plane.waitUntil(`${job} in ${namespace} to have ${count} owners`, async () => {
      const { metadata } = await cluster.plane.client.expect<V1Job>('GET', `${jobsPath(namespace)}/${job}`);
      return metadata?.ownerReferences?.length === count;
    });
  await cluster.makeClaim(namespace, 'shared');
  cluster.player.play(namespace, holdFirst('segment'));
  await cluster.create(namespace, 'cats', SHARED);
  const pod = await cluster.untilRuns(namespace, 'segment');
  job = pod.metadata?.labels?.['batch.kubernetes.io/job-name'] ?? '';
  await cluster.create(namespace, 'dogs', SHARED);
  await untilOwners(2);
  await cluster.edit(namespace, 'dogs', { suspend: true });
  await untilOwners(1);
  await cluster.untilPhase(namespace, 'dogs', 'Suspended');
  await cluster.edit(namespace, 'dogs', { suspend: false });
  await untilOwners(2);
  await cluster.edit(namespace, 'cats', { losses: { classDistance: { lambda: 5 } } });
  await untilOwners(1);
  cluster.player.play(namespace, SUCCEEDS);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await cluster.untilPhase(namespace, 'dogs', 'Succeeded');
  assert.equal(countOf(cluster, namespace), [1, 1, 2, 2]);
  const jobs = cluster.player.pods(namespace).map((played) => played.job);
  assert.equal(jobs, [...new Set(jobs)], `Jobs of the pods in ${namespace}`);
  await cluster.checkEnd(namespace);
};

/** What may change about it while it waits for a place and while it runs: the place, retries and deadline, its claim. Its Jobs go when they have ended. */
export const changeInPlace: Course = async (cluster, namespace) => {
  const seesClaim = async (what: string, isSo: (claim: V1PersistentVolumeClaim) => boolean) => {
    const path = `${claimsPath(namespace)}/${claimName({ name: 'cats' })}`;
    await cluster.plane.waitUntil(`the claim in ${namespace} ${what}`, async () => isSo(await cluster.plane.client.expect('GET', path)));
  };
  // The second pod of classify is the first to have a place.
  cluster.player.play(namespace, (stage, attempt, isStopping) =>
    stage === 'classify' && attempt === 2 && !isStopping ? 'hold' : SUCCEEDS(stage, attempt, isStopping),
  );
  const placement = { classify: { nodeSelector: { 'cdsp.test/place': 'none' } } };
  await cluster.create(namespace, 'cats', { ttlSecondsAfterFinished: 0, placement, storage: { size: '1Gi' } });
  await cluster.plane.waitUntil(`a pod in ${namespace} without a place`, () => cluster.player.active(namespace).length === 1);
  await cluster.edit(namespace, 'cats', { placement: { classify: { nodeSelector: null } } });
  await cluster.untilRuns(namespace, 'classify');
  await cluster.edit(namespace, 'cats', { retries: 5, placement: { classify: { deadlineSeconds: 3600 } } });
  await cluster.plane.waitUntil(`the Job in ${namespace} to be told of its deadline`, async () => {
    const jobs = await cluster.jobs(namespace);
    return jobs.some(({ spec }) => spec?.activeDeadlineSeconds === 3600 && spec.backoffLimit === 5);
  });
  await cluster.plane.waitUntil(`the claim in ${namespace} to be bound`, async () => {
    const claims = await cluster.list<V1PersistentVolumeClaim>(claimsPath(namespace));
    return claims.every(({ status }) => status?.phase === 'Bound');
  });
  await cluster.edit(namespace, 'cats', { storage: { size: '2Gi', retention: 'Delete' } });
  await seesClaim('grows', ({ spec }) => spec?.resources?.requests?.storage === '2Gi');
  await seesClaim('has an owner', ({ metadata }) => metadata?.ownerReferences?.length === 1);
  cluster.player.play(namespace, SUCCEEDS);
  const { storage } = await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  assert.equal([storage?.size, storage?.retention], ['2Gi', 'Delete']);
  assert.equal(cluster.player.stages(namespace), ['classify', ...STAGES]);
  await cluster.plane.waitUntil(`the Jobs in ${namespace} to have had their time`, async () => {
    const left = [...(await cluster.jobs(namespace)), ...(await cluster.list(podsPath(namespace)))];
    return left.length === 0;
  });
};

/** Segment does not find what the stages before it have left, which run again, once; another experiment then finds all of it. */
export const loseArtifacts: Course = async (cluster, namespace) => {
  await cluster.makeClaim(namespace, 'shared');
  cluster.player.play(namespace, (stage, attempt, isStopping) =>
    stage === 'segment' && attempt === 1 ? EXIT.upstreamMissing : SUCCEEDS(stage, attempt, isStopping),
  );
  await cluster.create(namespace, 'cats', SHARED);
  await cluster.untilPhase(namespace, 'cats', 'Succeeded');
  await cluster.create(namespace, 'dogs', SHARED);
  const { stages = [] } = await cluster.untilPhase(namespace, 'dogs', 'Succeeded');
  assert.equal([...new Set(stages.map(({ state }) => state))], ['Cached']);
  assert.equal(cluster.player.stages(namespace), ['classify', 'pseudo-label', 'segment', ...STAGES]);
  const jobs = await cluster.jobs(namespace);
  assert.equal(jobs.map(({ metadata }) => metadata?.labels?.[LABELS.stage]).toSorted(), STAGES.toSorted());
  await cluster.checkEnd(namespace);
};
