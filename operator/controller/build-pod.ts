import type { V1Affinity, V1Container, V1PodSpec } from '@kubernetes/client-node';
import { PORT_ENVIRONMENT, STAGE_ENVIRONMENT, TERMINATION_LOG_ENVIRONMENT } from '../api/stage-contract.ts';
import type { SentStageInput } from '../api/stage-contract.ts';
import type { OperatorConfig } from '../config.ts';
import type { StagePlacement } from '../plan/placement.ts';
import { defined } from './defined.ts';
import { LABELS } from './names.ts';
import type { PodVolumes } from './pod-volumes.ts';

/** Port on which a stage serves /metrics and /progress. */
export const STAGE_PORT = 9090;
export const CONTAINER = 'stage';
const TERMINATION_LOG = '/dev/termination-log';
/** Time for a checkpoint after SIGTERM, in seconds. */
const GRACE_SECONDS = 120;
const DEFAULT_GPU_RESOURCE = 'nvidia.com/gpu';
/** The trainer image's own user. */
const USER = 65532;
const FIXED_USER = { runAsUser: USER, runAsGroup: USER, fsGroup: USER };

/** What the operator's configuration says about stage pods. */
export type StagePodSettings = Pick<OperatorConfig, 'trainerImage' | 'imagePullPolicy' | 'imagePullSecrets' | 'placement' | 'stageUser'>;

export interface StagePod {
  readonly input: SentStageInput;
  readonly image: string;
  readonly placement: StagePlacement;
  readonly volumes: PodVolumes;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether pods with the same claim have to run on one node. */
  readonly sharesNode: boolean;
  readonly settings: StagePodSettings;
}

function resources({ cpu, memory, gpus = 0, gpuResource = DEFAULT_GPU_RESOURCE, resourceClaims }: StagePlacement) {
  const gpu = gpus > 0 ? { [gpuResource]: String(gpus) } : {};
  const limits = defined({ memory, ...gpu });
  const requests = defined({ cpu, memory, ...gpu });
  return defined({
    limits: Object.keys(limits).length > 0 ? limits : undefined,
    requests: Object.keys(requests).length > 0 ? requests : undefined,
    claims: resourceClaims?.map(({ name, request }) => defined({ name, request })),
  }) as V1Container['resources'];
}

function container({ input, image, placement, volumes, settings }: StagePod): V1Container {
  return defined({
    name: CONTAINER,
    image,
    imagePullPolicy: settings.imagePullPolicy,
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
    terminationMessagePolicy: 'FallbackToLogsOnError',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: volumes.volumeMounts,
  });
}

/**
 * The experiment's affinity, and the node of whoever has the claim mounted already. A pod that finds no other one matches itself, which Kubernetes
 * takes for enough: it may run anywhere.
 */
function affinityOf({ placement: { affinity }, labels, sharesNode }: StagePod): V1Affinity | undefined {
  if (!sharesNode) return affinity;
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { [LABELS.claim]: labels[LABELS.claim] } } };
  const required = [...(affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []), term];
  return { ...affinity, podAffinity: { ...affinity?.podAffinity, requiredDuringSchedulingIgnoredDuringExecution: required } };
}

/** Pods of one stage, where a constraint does not say which. */
function spreadOf({ placement, labels }: StagePod): V1PodSpec['topologySpreadConstraints'] {
  const own = { matchLabels: { [LABELS.key]: labels[LABELS.key], [LABELS.claim]: labels[LABELS.claim] } };
  return placement.topologySpreadConstraints?.map((constraint) => ({ ...constraint, labelSelector: constraint.labelSelector ?? own }));
}

/**
 * The pod of a stage. Whatever the experiment says, it has no access to the API, no privilege and no path of the node, and passes the
 * restricted Pod Security level.
 */
export function buildPodSpec(pod: StagePod): V1PodSpec {
  const { placement, settings, volumes } = pod;
  const { nodeSelector, tolerations, priorityClassName, runtimeClassName, schedulerName, resourceClaims } = placement;
  const secrets = settings.imagePullSecrets.map((name) => ({ name }));
  return defined({
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    // So that the stage is not the first process: the kernel keeps from that one a SIGTERM that comes before it listens.
    shareProcessNamespace: true,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      // OpenShift refuses ids that are not of the namespace's own range, and sets those itself.
      ...(settings.stageUser === 'Assigned' ? {} : FIXED_USER),
      // Data of many files would be gone through at every start.
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [container(pod)],
    volumes: volumes.volumes,
    imagePullSecrets: secrets.length > 0 ? secrets : undefined,
    nodeSelector,
    tolerations,
    affinity: affinityOf(pod),
    topologySpreadConstraints: spreadOf(pod),
    priorityClassName,
    runtimeClassName,
    schedulerName,
    resourceClaims: resourceClaims?.map(({ name, resourceClaimName, resourceClaimTemplateName }) =>
      defined({ name, resourceClaimName, resourceClaimTemplateName }),
    ),
  });
}
