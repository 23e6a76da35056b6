import type { V1Job, V1JobSpec } from '@kubernetes/client-node';
import { API_VERSION, KIND } from '../api/experiment.ts';
import { EXIT } from '../api/stage-contract.ts';
import { canonicalJson } from '../plan/canonical-json.ts';
import type { Json } from '../plan/canonical-json.ts';
import { placementOf } from '../plan/placement.ts';
import type { StagePlacement } from '../plan/placement.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import { buildStageInput } from '../plan/stage-input.ts';
import { buildPodSpec, CONTAINER } from './build-pod.ts';
import type { StagePodSettings } from './build-pod.ts';
import { ownerReference } from './cluster-experiment.ts';
import type { ClusterExperiment } from './cluster-experiment.ts';
import { defined } from './defined.ts';
import { ANNOTATIONS, claimDigest, digest, jobName, LABELS, MANAGED_BY, shortKey } from './names.ts';
import { podVolumes, specInPod, stageFolderInPod } from './pod-volumes.ts';

export interface JobSurroundings {
  readonly claim: string;
  /** The trainer; part of the stage keys. */
  readonly image: string;
  readonly settings: StagePodSettings;
  /** Where artifacts were lost: the uid of the Job that missed them. */
  readonly remakesFor?: string;
}

/** Asked to end before it had begun to listen. */
const ENDED_BY_SIGTERM = 128 + 15;

/** What ends of a pod mean to its Job: bad input is never tried again, disruptions and checkpointed stops do not count. */
const FAILURE_POLICY: V1JobSpec['podFailurePolicy'] = {
  rules: [
    {
      action: 'FailJob',
      onExitCodes: { containerName: CONTAINER, operator: 'In', values: [EXIT.badInput, EXIT.upstreamMissing, EXIT.unavailable] },
    },
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'Ignore', onExitCodes: { containerName: CONTAINER, operator: 'In', values: [EXIT.interrupted, ENDED_BY_SIGTERM] } },
  ],
};

/** Shards work on one folder, and each of them ends when all images are done: one that has succeeded is enough. */
function sharding(shards: number): Partial<V1JobSpec> {
  if (shards === 1) return {};
  return {
    completionMode: 'Indexed',
    completions: shards,
    parallelism: shards,
    successPolicy: { rules: [{ succeededCount: 1 }] },
  };
}

/**
 * Pods on a claim that one node alone may mount have to be on that node. All of them: shards, experiments that name the claim, and the one that it
 * was made for, which does not know of those. But the scheduler looks for one pod that fits all required terms of a pod; where a lone pod has terms
 * of its own, which speak of others, another one would leave it without a place for ever.
 */
function sharesNode({ storage }: ClusterExperiment['spec'], { shards = 1, affinity }: StagePlacement): boolean {
  if (storage.accessModes.includes('ReadWriteMany')) return false;
  const hasTerms = (affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;
  return shards > 1 || storage.claimName !== undefined || !hasTerms;
}

/** What of a Job may be changed while it is there. */
export function mutableJobSpec({ spec }: ClusterExperiment, { deadlineSeconds }: StagePlacement) {
  return defined({
    backoffLimit: spec.retries,
    activeDeadlineSeconds: deadlineSeconds,
  });
}

export const stagePlacement = (experiment: ClusterExperiment, stage: PlannedStage, { settings }: JobSurroundings): StagePlacement =>
  placementOf(experiment.spec.placement, stage.name, settings.placement);

/** The Job that makes a stage's artifacts on a claim. Pure: the same input gives the same Job. */
export function buildJob(experiment: ClusterExperiment, plan: Plan, stage: PlannedStage, surroundings: JobSurroundings): V1Job {
  const { name, namespace, spec } = experiment;
  const { claim, image, settings, remakesFor } = surroundings;
  const placement = stagePlacement(experiment, stage, surroundings);
  const shards = placement.shards ?? 1;
  const inPod = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec: specInPod(spec) } as const;
  const input = { ...buildStageInput(inPod, plan, stage, stageFolderInPod), ...(shards > 1 ? { shards } : {}) };
  const labels = {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.component]: 'stage',
    [LABELS.stage]: stage.name,
    [LABELS.key]: shortKey(stage.key),
    [LABELS.claim]: claimDigest(claim),
  };
  const pod = { input, image, placement, settings, labels, volumes: podVolumes(spec, claim), sharesNode: sharesNode(spec, placement) };
  const podSpec = buildPodSpec(pod);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(stage.name, stage.key, claim),
      namespace,
      labels: { ...labels, ...(spec.queueName === undefined ? {} : { [LABELS.queue]: spec.queueName }) },
      annotations: {
        [ANNOTATIONS.key]: stage.key,
        [ANNOTATIONS.claim]: claim,
        [ANNOTATIONS.template]: templateDigest(podSpec, shards, spec.queueName),
        ...(remakesFor === undefined ? {} : { [ANNOTATIONS.remakesFor]: remakesFor }),
      },
      ownerReferences: [ownerReference(experiment)],
    },
    spec: {
      ...mutableJobSpec(experiment, placement),
      ...sharding(shards),
      podFailurePolicy: FAILURE_POLICY,
      // A pod that is being ended may still write a checkpoint; the next one reads it.
      podReplacementPolicy: 'Failed',
      ...(spec.queueName === undefined ? {} : { suspend: true }),
      template: {
        metadata: { labels, annotations: { [ANNOTATIONS.key]: stage.key } },
        spec: podSpec,
      },
    },
  };
}

/** Stands for all of a pod but its input, in which the rest of the experiment is repeated: whether an edit concerns the pod at all. */
function templateDigest(podSpec: ReturnType<typeof buildPodSpec>, shards: number, queueName: string | undefined): string {
  const containers = podSpec.containers.map((container) => ({ ...container, env: undefined }));
  return digest(canonicalJson({ ...podSpec, containers, shards, queueName } as unknown as Json), 12);
}
