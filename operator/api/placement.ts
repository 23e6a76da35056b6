import { z } from 'zod';
import { bytes, objectName, podLocalName, quantity } from './names.ts';
import { notOfForm, ofForm, withRules } from './rules.ts';
import { Affinity, labels, LARGEST_INT32, Toleration, TopologySpreadConstraints } from './scheduling.ts';

/**
 * Where and how the stages' pods run: the fields of a Kubernetes pod that an experiment may choose, under Kubernetes' own names. What is
 * not here cannot be asked for: host paths, privileges, service accounts. Local runs read `gpus` alone.
 */

const ResourceClaim = withRules(
  z.object({
    name: podLocalName().describe('Name of the claim within the pod.'),
    resourceClaimName: objectName().optional().describe('An existing ResourceClaim, shared by all pods that name it.'),
    resourceClaimTemplateName: objectName().optional().describe('A ResourceClaimTemplate: each pod gets a claim of its own.'),
    request: podLocalName().optional().describe('One request of the claim; left out: all of them.'),
  }),
  {
    cel: 'has(self.resourceClaimName) != has(self.resourceClaimTemplateName)',
    holds: ({ resourceClaimName, resourceClaimTemplateName }) =>
      (resourceClaimName === undefined) !== (resourceClaimTemplateName === undefined),
    message: 'exactly one of resourceClaimName and resourceClaimTemplateName must be set',
  },
);

/** A list map: entries are told apart by their name, in a cluster by the API server. */
const namedList = <S extends z.ZodType<{ name: string }[]>>(list: S): S =>
  list
    .refine((entries) => new Set(entries.map(({ name }) => name)).size === entries.length, { message: 'names must differ from each other' })
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });

const fields = {
  gpus: z.int().min(0).max(1024).optional().describe('GPUs of the stage; 0: CPU only, on one’s own machine, too.'),
  gpuResource: notOfForm(
    ofForm(
      z.string().min(1).max(253),
      /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*[/][A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
      'must be an extended resource with its domain, such as nvidia.com/gpu or nvidia.com/mig-1g.5gb',
    ),
    /kubernetes[.]io[/]|^requests[.]/,
    'must not lie in a domain of Kubernetes’ own resources (kubernetes.io, requests.…); name a device plugin’s resource',
  )
    .optional()
    .describe('Extended resource that stands for a GPU: nvidia.com/gpu, nvidia.com/mig-1g.5gb, amd.com/gpu … Left out: nvidia.com/gpu.'),
  resourceClaims: namedList(z.array(ResourceClaim).max(16))
    .optional()
    .describe('Claims of dynamic resource allocation (DRA), instead of or beside gpus.'),
  cpu: quantity().optional().describe('CPU request. Locally: not used.'),
  memory: bytes('64Mi', { none: true })
    // For the values of the chart, which know no quantities: what was meant to have a unit.
    .meta({ not: { pattern: '^0*[1-9][0-9]{0,6}([.][0-9]+)?m?$' } })
    .optional()
    .describe('Memory request and limit; 0: none. Locally: not used.'),
  nodeSelector: labels(50).optional().describe('Labels that the node must have.'),
  tolerations: z.array(Toleration).max(32).optional().describe('Taints that are tolerated.'),
  affinity: Affinity.optional().describe('Node and pod affinity, as in a pod.'),
  topologySpreadConstraints: TopologySpreadConstraints.optional().describe(
    'How the pods of one stage spread over nodes; for shards. Without a labelSelector: the pods of the stage.',
  ),
  priorityClassName: notOfForm(
    objectName(),
    /^system-/,
    'must not start with system-, whose priority classes are for the cluster’s own pods; name another one',
  )
    .optional()
    .describe('Priority class of the pods.'),
  runtimeClassName: objectName().optional().describe('Runtime class of the pods.'),
  schedulerName: objectName().optional().describe('Scheduler of the pods.'),
  deadlineSeconds: z
    .int()
    .min(1)
    .max(LARGEST_INT32)
    .optional()
    .describe(
      'Seconds the stage may take, all attempts and the time that its pod waits for a place together; then it has failed. Left out: no limit. Locally: not used.',
    ),
};

const Placement = z.object(fields);
/** What an administrator gives for all experiments. */
export const DefaultPlacement = Placement;
const ShardedPlacement = z.object({
  ...fields,
  shards: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('Pods that share the images of the stage; the result is the same for any number. Left out: 1. Locally: not used.'),
});

const overrides = (stage: string) => `Overrides for ${stage}.`;

export const Placements = z.object({
  default: Placement.prefault({}).describe('All stages, unless said otherwise below.'),
  classify: Placement.prefault({}).describe(overrides('classify')),
  pseudoLabel: ShardedPlacement.prefault({}).describe(overrides('pseudo-label')),
  segment: Placement.prefault({}).describe(overrides('segment')),
  evaluate: ShardedPlacement.prefault({}).describe(overrides('evaluate')),
});
