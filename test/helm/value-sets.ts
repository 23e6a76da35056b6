import type { ChartValuesInput } from '../../operator/chart/values.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

/** Ways to install the chart, each with the file of what it renders in golden/. */
export const VALUE_SETS: Readonly<Record<string, ChartValuesInput>> = {
  defaults: {},
  'highly-available': { replicas: 3 },
  namespaced: { namespaces: ['team-a', 'team-b'] },
  monitored: {
    monitoring: {
      service: { annotations: { 'example.org/team': 'vision' } },
      serviceMonitor: { enabled: true, interval: '30s', labels: { release: 'prometheus' } },
      podMonitor: { enabled: true, labels: { release: 'prometheus' } },
      prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
      dashboard: { enabled: true, annotations: { grafana_folder: 'CDSP' } },
    },
  },
  placed: {
    replicas: 2,
    config: {
      placement: {
        gpus: 1,
        gpuResource: 'nvidia.com/mig-1g.5gb',
        memory: '16Gi',
        nodeSelector: { accelerator: 'a100' },
        tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
        priorityClassName: 'research',
      },
    },
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'node-role.kubernetes.io/infra', operator: 'Exists' }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'In', values: ['infra'] }] }],
        },
      },
    },
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' }],
    priorityClassName: 'infra',
    resources: { requests: { cpu: 1, memory: '256Mi' }, limits: { memory: '1Gi' } },
  },
  'air-gapped': {
    image: { repository: 'registry.example.org/cdsp/operator', digest: DIGEST, pullPolicy: 'Always' },
    imagePullSecrets: ['registry'],
    config: {
      trainerImage: `registry.example.org/cdsp/trainer@${DIGEST}`,
      imagePullPolicy: 'IfNotPresent',
      imagePullSecrets: ['registry'],
      allowedImages: ['registry.example.org/cdsp/*'],
      allowedDataImages: ['registry.example.org/data/*'],
    },
    extraEnv: [
      { name: 'KUBERNETES_SERVICE_HOST', value: 'kubernetes.example.org' },
      { name: 'NODE_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    ],
  },
  closed: {
    networkPolicy: {
      apiServer: { cidrs: ['192.0.2.10/32'], ports: [8443] },
      metricsFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      prometheus: [],
      stageNamespaces: ['team-a'],
      stageEgress: 'None',
    },
  },
  bare: {
    fullnameOverride: 'scribbles',
    nameOverride: 'segmentation',
    crds: { enabled: false },
    rbac: { create: false, userRoles: false },
    serviceAccount: { create: false, name: 'existing' },
    networkPolicy: { enabled: false },
    monitoring: { service: { enabled: false } },
    podLabels: { 'example.org/team': 'vision' },
    podAnnotations: { 'example.org/note': 'by hand' },
  },
  openshift: { openshift: true, namespaces: ['team-a'] },
  'argo-cd': { argocd: { enabled: true } },
};
