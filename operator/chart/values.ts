import { z } from 'zod';
import { OperatorConfig } from '../config.ts';
import { imageReference } from '../api/storage.ts';
import { objectName, quantity } from '../api/names.ts';
import { DefaultPlacement } from '../api/placement.ts';

/**
 * The values of the Helm chart: the one source of helm/cdsp/values.yaml with its comments and of values.schema.json. The operator's own
 * settings are those of its configuration file, under `config`.
 */

const { nodeSelector, tolerations, affinity, topologySpreadConstraints } = DefaultPlacement.shape;

const texts = () => z.record(z.string(), z.string());
/** Part of a Kubernetes object that the chart hands on as it is; the API server holds it against its own schema. */
const anything = () => z.record(z.string(), z.unknown());
const optionalName = () =>
  z
    .string()
    .max(253)
    .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/, { message: 'must be the name of a Kubernetes object, or empty' });
const amounts = () => z.record(z.string(), z.union([quantity(), z.number().min(0)]));
/** By these a Deployment and its Service find the operator's pods. */
const SELECTOR_LABELS = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component'];
/** Labels of every object of the chart: templates/_helpers.tpl. */
const OWN_LABELS = [...SELECTOR_LABELS, 'app.kubernetes.io/version', 'app.kubernetes.io/managed-by', 'helm.sh/chart'];
/** Texts under keys other than these, which the chart sets itself. */
const textsBeside = (keys: readonly string[]) =>
  texts()
    .refine((entries) => !keys.some((key) => Object.hasOwn(entries, key)), { message: `must not set ${keys.join(', ')}` })
    .meta({ patternProperties: Object.fromEntries(keys.map((key) => [`^${key.replaceAll('.', '[.]')}$`, false])) });
const labels = () => textsBeside(OWN_LABELS).default({}).describe('Further labels, such as those that a Prometheus selects by.');
const interval = () =>
  z
    .string()
    .regex(/^([0-9]+(ms|[smh]))+$/, { message: 'must be a duration such as 15s' })
    .default('15s')
    .describe('Time between two scrapes.');
const peers = () => z.array(anything());
const port = () => z.int().min(1).max(65535);

const RESTRICTED_POD = { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' } };
const RESTRICTED_CONTAINER = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };

const Image = z.strictObject({
  repository: z.string().min(1).max(512).default('cdsp-operator').describe('Registry and name.'),
  tag: z
    .string()
    .max(128)
    .regex(/^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$/, { message: 'must be an image tag such as 0.1.0' })
    .default('')
    .describe('Tag; empty: the chart’s appVersion.'),
  digest: z
    .string()
    .regex(/^(sha256:[0-9a-f]{64})?$/, { message: 'must be sha256: and 64 digits' })
    .default('')
    .describe('Digest, which wins over the tag: what runs cannot change.'),
  pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When nodes pull it.'),
});

/** Without what the chart's own objects depend on as well: values of their own, outside `config`. */
const Config = OperatorConfig.omit({ namespaces: true, stageUser: true }).extend({
  trainerImage: imageReference()
    .optional()
    .describe(
      'Image of the stages of experiments that name none; by digest in production. Left out: cdsp-trainer with the chart’s appVersion.',
    ),
});

const NetworkPolicies = z.strictObject({
  enabled: z.boolean().default(true).describe('Makes them; a network that knows no policies ignores them.'),
  apiServer: z
    .strictObject({
      cidrs: z.array(z.string().min(1)).default([]).describe('Addresses of the API server (CIDRs); none: any.'),
      ports: z
        .array(port())
        .min(1)
        .default([443, 6443])
        .describe('Its ports, of the service and of the server itself (minikube: 8443, MicroK8s: 16443).'),
    })
    .prefault({})
    .describe('Where the operator finds the API server.'),
  metricsFrom: peers().default([]).describe('Peers (NetworkPolicyPeer) that may read the operator’s metrics; none: all.'),
  prometheus: peers()
    .default([{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }])
    .describe('Peers that may read the metrics of stage pods, beside the operator.'),
  stageNamespaces: z
    .array(objectName())
    .default([])
    .describe('Namespaces whose stage pods get a policy; `namespaces` do in any case. They have to exist.'),
  stageEgress: z.enum(['None', 'DNS', 'All']).default('DNS').describe('What stage pods may reach: a stage itself needs nothing.'),
});

const Monitoring = z.strictObject({
  service: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Makes it.'),
      annotations: texts().default({}).describe('Its annotations.'),
    })
    .prefault({})
    .describe('Service in front of the operator’s /metrics.'),
  serviceMonitor: z
    .strictObject({ enabled: z.boolean().default(false).describe('Makes it; needs the service.'), interval: interval(), labels: labels() })
    .prefault({})
    .describe('ServiceMonitor for the operator (Prometheus operator).'),
  podMonitor: z
    .strictObject({ enabled: z.boolean().default(false).describe('Makes it.'), interval: interval(), labels: labels() })
    .prefault({})
    .describe('PodMonitor for stage pods (Prometheus operator).'),
  prometheusRule: z
    .strictObject({ enabled: z.boolean().default(false).describe('Makes it.'), labels: labels() })
    .prefault({})
    .describe('PrometheusRule with the alerts (Prometheus operator).'),
  dashboard: z
    .strictObject({
      enabled: z.boolean().default(false).describe('Makes it.'),
      labels: textsBeside(OWN_LABELS).default({ grafana_dashboard: '1' }).describe('Labels by which Grafana’s sidecar finds it.'),
      annotations: texts().default({}).describe('Its annotations, such as the folder.'),
    })
    .prefault({})
    .describe('ConfigMap with the Grafana dashboards.'),
});

export const ChartValues = z.strictObject({
  nameOverride: optionalName().default('').describe('Name of the app in labels and object names; empty: cdsp.'),
  fullnameOverride: optionalName().default('').describe('Name of the chart’s objects; empty: made of release and app.'),
  replicas: z
    .int()
    .min(0)
    .max(16)
    .default(1)
    .describe('Operator pods. One works, the others wait to take over; from 2 on there is a PodDisruptionBudget.'),
  image: Image.prefault({}).describe('The operator’s image.'),
  imagePullSecrets: z
    .array(objectName())
    .default([])
    .describe('Pull secrets of the operator’s pod, by name; those of stages: config.imagePullSecrets.'),
  namespaces: z
    .array(objectName())
    .default([])
    .describe(
      'Namespaces to work in. None: all of them, by a ClusterRole. Listed: a Role in each, and nothing cluster-wide but the CRD; they have to exist.',
    ),
  openshift: z
    .boolean()
    .default(false)
    .describe(
      'For OpenShift: leaves user, group and fsGroup of the operator’s pod and of stages to its security context constraints, and sets rbac.ownerReferencesPermissionEnforcement.',
    ),
  config: Config.prefault({}).describe('The operator’s settings, which no experiment can change. A change restarts its pods.'),
  crds: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe('Installs and upgrades it. One release of a cluster does; uninstalling keeps it, and all experiments.'),
    })
    .prefault({})
    .describe('The CustomResourceDefinition of CDSPExperiment.'),
  rbac: z
    .strictObject({
      create: z.boolean().default(true).describe('Gives the operator its rights.'),
      ownerReferencesPermissionEnforcement: z
        .boolean()
        .default(false)
        .describe(
          'For an API server with the admission plugin of this name: adds the right to delete claims, without which it lets nobody change whether a claim goes with its experiment.',
        ),
      userRoles: z
        .boolean()
        .default(true)
        .describe(
          'Roles for people, NAME-view and NAME-edit: added to the cluster’s view, edit and admin; with `namespaces`, in each of these instead.',
        ),
    })
    .prefault({})
    .describe('Roles and bindings.'),
  serviceAccount: z
    .strictObject({
      create: z.boolean().default(true).describe('Makes it.'),
      name: optionalName().default('').describe('Its name; empty: that of the other objects, or `default` where none is made.'),
      annotations: texts().default({}).describe('Its annotations.'),
    })
    .prefault({})
    .describe('The operator’s service account.'),
  resources: z
    .strictObject({
      requests: amounts().default({ cpu: '50m', memory: '128Mi' }).describe('What is set aside.'),
      limits: amounts().default({ memory: '512Mi' }).describe('What it may use at most.'),
    })
    .prefault({})
    .describe('Resources of the operator’s container.'),
  podSecurityContext: anything()
    .default(RESTRICTED_POD)
    .describe('Of the operator’s pod; as it is, the restricted Pod Security level admits it.'),
  securityContext: anything().default(RESTRICTED_CONTAINER).describe('Of its container.'),
  podLabels: textsBeside(SELECTOR_LABELS)
    .default({})
    .describe('Further labels of the operator’s pods, beside those by which they are found.'),
  podAnnotations: texts().default({}).describe('Further annotations of the operator’s pods.'),
  nodeSelector: nodeSelector.unwrap().default({}).describe('Labels that the operator’s node must have; those of stages: config.placement.'),
  tolerations: tolerations.unwrap().default([]).describe('Taints that the operator tolerates.'),
  affinity: affinity.unwrap().prefault({}).describe('Affinity of the operator’s pods.'),
  topologySpreadConstraints: topologySpreadConstraints
    .unwrap()
    .default([])
    .describe('How the operator’s pods spread. None: from 2 replicas on over nodes, where there are enough.'),
  priorityClassName: optionalName().default('').describe('Priority class of the operator’s pods.'),
  extraEnv: z
    .array(z.strictObject({ name: z.string().min(1), value: z.string().optional(), valueFrom: anything().optional() }))
    .default([])
    .describe(
      'Further environment of the operator, such as KUBERNETES_SERVICE_HOST where the API server has another address; HTTPS_PROXY is not read.',
    ),
  podDisruptionBudget: z
    .strictObject({ enabled: z.boolean().default(true).describe('Makes it, from 2 replicas on.') })
    .prefault({})
    .describe('Keeps all but one of the operator’s pods while nodes are drained.'),
  networkPolicy: NetworkPolicies.prefault({}).describe('NetworkPolicies of the operator and of stage pods.'),
  monitoring: Monitoring.prefault({}).describe('Prometheus and Grafana.'),
  argocd: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe(
          'Renders the ConfigMap argocd-cm with health and actions of experiments, to be applied beside the chart (docs/gitops.md).',
        ),
      namespace: objectName().default('argocd').describe('Namespace of Argo CD.'),
    })
    .prefault({})
    .describe('Argo CD.'),
  enabled: z.boolean().optional().describe('Not read by this chart: the condition of a chart that depends on it.'),
  global: anything().optional().describe('Not read by this chart: Helm hands it to every chart that another one depends on.'),
});
export type ChartValues = z.output<typeof ChartValues>;
export type ChartValuesInput = z.input<typeof ChartValues>;
