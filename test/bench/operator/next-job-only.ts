import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { validateExperiment } from '../../../operator/api/parse.ts';
import { buildClaim } from '../../../operator/controller/build-claim.ts';
import { buildJob } from '../../../operator/controller/build-job.ts';
import { jobOfPod } from '../../../operator/controller/caches.ts';
import { Cluster } from '../../../operator/controller/cluster.ts';
import type { ClusterExperiment } from '../../../operator/controller/cluster-experiment.ts';
import { Informer } from '../../../operator/controller/informer.ts';
import { claimName, MANAGED_SELECTOR } from '../../../operator/controller/names.ts';
import { referencedIdentities } from '../../../operator/controller/references.ts';
import { claimsPath, jobsPath, podsPath } from '../../../operator/controller/resource-paths.ts';
import { planExperiment } from '../../../operator/plan/plan.ts';
import { OperatorConfig } from '../../../operator/config.ts';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import { inParallel } from '../../in-parallel.ts';
import { NAMESPACE } from './bench.ts';
import type { Bench } from './bench.ts';
import { TRAINER_IMAGE } from './operator-process.ts';

const WIDTH = 16;

interface Chain {
  readonly experiment: ClusterExperiment;
  readonly claim: string;
  readonly jobs: readonly V1Job[];
}

/** The Jobs that the operator would make, but without an owner: there is no experiment, and what has an owner that is not there is removed. */
function chainOf(manifest: unknown): Chain {
  const parsed = validateExperiment(manifest);
  const { spec, metadata } = parsed;
  const experiment = { name: metadata.name, namespace: NAMESPACE, uid: metadata.name, generation: 1, spec };
  const claim = claimName({ name: metadata.name, claimName: spec.storage.claimName });
  const plan = planExperiment(parsed, { trainerVersion: TRAINER_IMAGE, identities: referencedIdentities(spec) });
  const settings = OperatorConfig.parse({ trainerImage: TRAINER_IMAGE });
  const jobs = plan.stages.map((stage) => {
    const job = buildJob(experiment, plan, stage, { claim, image: TRAINER_IMAGE, settings });
    return { ...job, metadata: { ...job.metadata, ownerReferences: [] } };
  });
  return { experiment, claim, jobs };
}

/**
 * The least that any controller of Jobs has to ask for: a claim where each has one, and the next Job as soon as a pod has succeeded. No experiments,
 * no status, no events. What this takes on a machine, nothing that is built on Jobs can undercut there.
 * @returns when the last pod of all has succeeded
 */
export async function makeNextJobsOnly({ cluster: { kubeconfig } }: Bench, manifests: readonly unknown[]): Promise<void> {
  const cluster = new Cluster(readKubeconfig(kubeconfig));
  const chains = manifests.map(chainOf);
  const next = new Map(chains.flatMap(({ jobs }) => jobs.map((job, index) => [job.metadata?.name, jobs.at(index + 1)] as const)));
  const ended = new Set<string>();
  const { promise: done, resolve: finish, reject: fail } = Promise.withResolvers<void>();

  const create = (job: V1Job) => cluster.create<V1Job>(jobsPath(NAMESPACE), job);
  function podChanged(pod: V1Pod | undefined): void {
    const job = pod === undefined ? undefined : jobOfPod(pod);
    if (job === undefined || pod?.status?.phase !== 'Succeeded' || ended.has(job)) return;
    ended.add(job);
    if (ended.size === next.size) finish();
    const following = next.get(job);
    if (following !== undefined) create(following).catch(fail);
  }
  const informer = new Informer<V1Pod, V1Pod>({
    cluster,
    path: podsPath(),
    query: { labelSelector: MANAGED_SELECTOR },
    keep: (pod) => pod,
    onChange: (_key, after) => podChanged(after),
    onError: fail,
  });
  await informer.start();
  try {
    await inParallel(chains, WIDTH, async ({ experiment, claim, jobs }) => {
      if (experiment.spec.storage.claimName === undefined) await cluster.create(claimsPath(NAMESPACE), buildClaim(experiment, claim));
      await create(jobs[0]);
    });
    await done;
  } finally {
    await informer.stop();
    cluster.close();
  }
}
