// What the tests that do the same in each of the four stages have in common.
import type { V1Pod } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { STAGES } from '../../operator/api/experiment.ts';
import type { StageName } from '../../operator/api/experiment.ts';
import { jobOfPod } from '../../operator/controller/caches.ts';
import type { ClusterTest } from '../cluster/requirements.ts';
import type { FaultCluster, SpecInput } from './fault-cluster.ts';

export const upTo = (stage: StageName): StageName[] => STAGES.slice(0, STAGES.indexOf(stage) + 1);
export const before = (stage: StageName): StageName[] => STAGES.slice(0, STAGES.indexOf(stage));
export const fromOn = (stage: StageName): StageName[] => STAGES.slice(STAGES.indexOf(stage));
/** The stages up to this one and, again, from this one on. */
export const withTwice = (stage: StageName): StageName[] => [...upTo(stage), ...fromOn(stage)];

export interface Held {
  readonly pod: V1Pod;
  /** The pod's Job. */
  readonly job: string;
}

/** An experiment `cats` whose stage runs and is held there. A failure that counts would end it. */
export async function hold(cluster: FaultCluster, namespace: string, stage: StageName, spec: SpecInput = {}): Promise<Held> {
  await cluster.create(namespace, 'cats', { retries: 0, ...spec });
  const pod = await cluster.untilRuns(namespace, stage);
  return { pod, job: jobOfPod(pod) ?? '' };
}

/** These stages have run, in this order, and nothing runs any more. */
export async function checkStages(cluster: FaultCluster, namespace: string, stages: readonly StageName[]): Promise<void> {
  assert.equal(cluster.player.stages(namespace), stages, `pods in ${namespace}`);
  await cluster.checkEnd(namespace);
}

/** The experiment goes, and all that was made for it but the claim that it keeps. */
export async function checkLeavesNothing(
  cluster: FaultCluster,
  namespace: string,
  claims: readonly string[] = ['cdsp-cats'],
): Promise<void> {
  await cluster.deleteExperiment(namespace, 'cats');
  await cluster.checkEmpty(namespace, claims);
}

export type InEveryStage = (why: string, act: (namespace: string, stage: StageName) => Promise<void>) => void;

/** How a file declares one test of all stages side by side, each in a namespace of its own. */
export function testsInEveryStage(clusterTest: ClusterTest, prefix: string, cluster: () => FaultCluster): InEveryStage {
  let tests = 0;
  return (why, act) => {
    const number = ++tests;
    clusterTest(`${why}: in every stage`, async () => {
      await Promise.all(STAGES.map(async (stage) => act(await cluster().makeNamespace(`${prefix}-${number}-${stage}`), stage)));
    });
  };
}
