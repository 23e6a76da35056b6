import type { V1Container, V1Job, V1OwnerReference, V1PodSpec, V1Volume } from '@kubernetes/client-node';
import { API_VERSION, KIND } from '../api/experiment.ts';
import type { Experiment } from '../api/experiment.ts';
import { EXIT, PORT_ENVIRONMENT, STAGE_ENVIRONMENT, TERMINATION_LOG_ENVIRONMENT } from '../api/stage-contract.ts';
import type { StageInput } from '../api/stage-contract.ts';
import { placementOf } from '../plan/placement.ts';
import type { Placement } from '../plan/placement.ts';
import { buildStageInput } from '../plan/stage-input.ts';
import type { Plan, PlannedStage } from '../plan/plan.ts';
import { ANNOTATIONS, jobName, LABELS, MANAGED_BY, shortKey } from './names.ts';

/** Where the claim of the artifacts is mounted in a stage's pod. */
const STORAGE_MOUNT = '/cdsp';
/** Port on which a stage serves /metrics and /progress. */
const STAGE_PORT = 9090;
export const CONTAINER = 'stage';
const TERMINATION_LOG = '/dev/termination-log';
/** Time for a checkpoint after SIGTERM, in seconds. */
const GRACE_SECONDS = 120;
const DEFAULT_GPU_RESOURCE = 'nvidia.com/gpu';
/** The trainer image's own user. */
const USER = 65532;

/** What the operator's configuration says about stage pods. */
export interface StagePodSettings {
  readonly trainerImage: string;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets?: readonly string[];
}

/** An experiment as it lies in the cluster, defaulted by the API server. */
export interface ClusterExperiment {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly spec: Experiment['spec'];
}

export function ownerReference({ name, uid }: Pick<ClusterExperiment, 'name' | 'uid'>): V1OwnerReference {
  return { apiVersion: API_VERSION, kind: KIND, name, uid };
}

/** Folder of a stage's artifacts in its pod. */
const stageFolderInPod = ({ name, key }: PlannedStage): string => `${STORAGE_MOUNT}/stages/${name}/${key}`;

function resources({ cpu, memory, gpus = 0, gpuResource = DEFAULT_GPU_RESOURCE }: Placement): V1Container['resources'] {
  const gpu = gpus > 0 ? { [gpuResource]: String(gpus) } : {};
  const limits = { ...(memory === undefined ? {} : { memory }), ...gpu };
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }), ...gpu };
  return { ...(Object.keys(limits).length > 0 ? { limits } : {}), ...(Object.keys(requests).length > 0 ? { requests } : {}) };
}

function container(input: StageInput, placement: Placement, settings: StagePodSettings): V1Container {
  return {
    name: CONTAINER,
    image: settings.trainerImage,
    ...(settings.imagePullPolicy === undefined ? {} : { imagePullPolicy: settings.imagePullPolicy }),
    env: [
      { name: STAGE_ENVIRONMENT, value: JSON.stringify(input) },
      { name: PORT_ENVIRONMENT, value: String(STAGE_PORT) },
      { name: TERMINATION_LOG_ENVIRONMENT, value: TERMINATION_LOG },
      // TensorFlow and Node look for a home that can be written to.
      { name: 'HOME', value: '/tmp' },
    ],
    ports: [{ name: 'metrics', containerPort: STAGE_PORT }],
    resources: resources(placement),
    terminationMessagePath: TERMINATION_LOG,
    terminationMessagePolicy: 'File',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'storage', mountPath: STORAGE_MOUNT },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}

function podSpec(input: StageInput, claim: string, placement: Placement, settings: StagePodSettings): V1PodSpec {
  const { nodeSelector, tolerations, priorityClassName, runtimeClassName, schedulerName } = placement;
  const volumes: V1Volume[] = [
    { name: 'storage', persistentVolumeClaim: { claimName: claim } },
    { name: 'tmp', emptyDir: {} },
  ];
  return {
    restartPolicy: 'Never',
    // Whatever the resource says, a stage has no access to the API.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: { runAsNonRoot: true, runAsUser: USER, runAsGroup: USER, fsGroup: USER, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container(input, placement, settings)],
    volumes,
    ...(settings.imagePullSecrets === undefined ? {} : { imagePullSecrets: settings.imagePullSecrets.map((name) => ({ name })) }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    ...(schedulerName === undefined ? {} : { schedulerName }),
  };
}

/** What ends of a pod mean to its Job: bad input is never tried again, disruptions and checkpointed stops do not count. */
const FAILURE_POLICY: NonNullable<V1Job['spec']>['podFailurePolicy'] = {
  rules: [
    { action: 'FailJob', onExitCodes: { containerName: CONTAINER, operator: 'In', values: [EXIT.badInput, EXIT.unavailable] } },
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'Ignore', onExitCodes: { containerName: CONTAINER, operator: 'In', values: [EXIT.interrupted] } },
  ],
};

/** The Job that makes a stage's artifacts on a claim. Pure: the same input gives the same Job. */
export function buildJob(
  experiment: ClusterExperiment,
  plan: Plan,
  stage: PlannedStage,
  { claim, settings }: { readonly claim: string; readonly settings: StagePodSettings },
): V1Job {
  const { name, namespace, spec } = experiment;
  const input = buildStageInput({ apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec }, plan, stage, stageFolderInPod);
  const labels = {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.component]: 'stage',
    [LABELS.stage]: stage.name,
    [LABELS.key]: shortKey(stage.key),
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(stage.name, stage.key, claim),
      namespace,
      labels,
      annotations: { [ANNOTATIONS.key]: stage.key, [ANNOTATIONS.claim]: claim },
      ownerReferences: [ownerReference(experiment)],
    },
    spec: {
      backoffLimit: spec.retries,
      podFailurePolicy: FAILURE_POLICY,
      podReplacementPolicy: 'Failed',
      template: {
        metadata: { labels, annotations: { [ANNOTATIONS.key]: stage.key } },
        spec: podSpec(input, claim, placementOf(spec.placement, stage.name), settings),
      },
    },
  };
}

/** The claim that the operator makes for an experiment that names none. */
export function buildClaim(experiment: ClusterExperiment, name: string) {
  const { storage } = experiment.spec;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      namespace: experiment.namespace,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.component]: 'storage' },
      // Kept artifacts outlive the experiment: without an owner the claim stays.
      ...(storage.retention === 'Delete' ? { ownerReferences: [ownerReference(experiment)] } : {}),
    },
    spec: {
      accessModes: storage.accessModes,
      resources: { requests: { storage: storage.size } },
      ...(storage.storageClassName === undefined ? {} : { storageClassName: storage.storageClassName }),
    },
  };
}
