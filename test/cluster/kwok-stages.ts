/** How pods on simulated nodes end. Where several rules fit a pod, one is drawn by weight. */
export interface PodEnd {
  /** A name of letters, digits and hyphens. */
  readonly name: string;
  /** Labels that the pod has to have; none: every pod. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Nodes that the pod has to be on; left out: any. */
  readonly nodes?: readonly string[];
  /** How long it runs, and how much longer at most, at random. */
  readonly runMs: number;
  readonly jitterMs?: number;
  /** 0: the pod succeeds. */
  readonly exitCode?: number;
  /** What the container writes as its last word. */
  readonly message?: string;
  readonly weight?: number;
}

export interface SimulatedPods {
  /** Time from the pod's binding to its running. */
  readonly startMs?: number;
  /** Pods that no rule fits run until they are deleted. */
  readonly ends: readonly PodEnd[];
}

const POD = { apiGroup: 'v1', kind: 'Pod' };
const IS_THERE = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const inPhase = (phase: string) => ({ key: '.status.phase', operator: 'In', values: [phase] });
const stage = (name: string, spec: object) => ({ apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'Stage', metadata: { name }, spec });

const CONDITIONS = (ready: 'True' | 'False') => `conditions:
${['Initialized', 'Ready', 'ContainersReady']
  .map((type) => `- {type: ${type}, status: "${type === 'Initialized' ? 'True' : ready}", lastTransitionTime: {{ Now | Quote }}}`)
  .join('\n')}`;

/** A digest as a registry would have it, made up of the image's reference: the same image has the same one. */
const IMAGE_ID = `{{ regexReplaceAll "(:[^:/]*)?(@.*)?$" .image "" }}@{{ if contains "@" .image }}{{ splitList "@" .image | last }}{{ else }}sha256:{{ sha256sum .image }}{{ end }}`;

const RUNNING = `
${CONDITIONS('True')}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: "${IMAGE_ID}"
  ready: true
  restartCount: 0
  started: true
  state: {running: {startedAt: {{ Now | Quote }}}}
{{ end }}
{{ with NodeIPsWith .spec.nodeName }}
hostIP: {{ index . 0 | Quote }}
{{ end }}
{{ with PodIPsWith .spec.nodeName false ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}
podIP: {{ index . 0 | Quote }}
podIPs: [{ip: {{ index . 0 | Quote }}}]
{{ end }}
phase: Running
startTime: {{ Now | Quote }}
`;

/** A value inside a template: the template's own marks would be read as such. */
const literal = (text: string) => `{{ ${'`'}${JSON.stringify(text).replaceAll('`', '\\u0060')}${'`'} }}`;

const ended = (exitCode: number, message: string) => `
${CONDITIONS('False')}
containerStatuses:
{{ $root := . }}
{{ range $index, $item := .spec.containers }}
{{ $before := index $root.status.containerStatuses $index }}
- name: {{ $item.name | Quote }}
  image: {{ $item.image | Quote }}
  imageID: {{ $before.imageID | Quote }}
  ready: false
  restartCount: 0
  started: false
  state:
    terminated:
      exitCode: ${exitCode}
      reason: ${exitCode === 0 ? 'Completed' : 'Error'}
      message: ${literal(message)}
      startedAt: {{ $before.state.running.startedAt | Quote }}
      finishedAt: {{ Now | Quote }}
{{ end }}
phase: ${exitCode === 0 ? 'Succeeded' : 'Failed'}
`;

function endStage({ name, labels, nodes, runMs, jitterMs = 0, exitCode = 0, message = '', weight = 1 }: PodEnd): object {
  const onNodes = nodes === undefined ? [] : [{ key: '.spec.nodeName', operator: 'In', values: nodes }];
  const matchExpressions = [IS_THERE, inPhase('Running'), ...onNodes];
  return stage(`pod-end-${name}`, {
    resourceRef: POD,
    selector: { ...(labels === undefined ? {} : { matchLabels: labels }), matchExpressions },
    weight,
    delay: { durationMilliseconds: runMs, ...(jitterMs > 0 ? { jitterDurationMilliseconds: runMs + jitterMs } : {}) },
    next: { statusTemplate: ended(exitCode, message) },
  });
}

/** KWOK's Stage resources for pods. Its own ones serve for nodes. */
export function buildPodStages({ startMs = 0, ends }: SimulatedPods): object[] {
  const deleted = { key: '.metadata.deletionTimestamp', operator: 'Exists' };
  return [
    stage('pod-start', {
      resourceRef: POD,
      selector: { matchExpressions: [IS_THERE, inPhase('Pending')] },
      delay: { durationMilliseconds: startMs },
      next: { statusTemplate: RUNNING },
    }),
    ...ends.map(endStage),
    stage('pod-delete', { resourceRef: POD, selector: { matchExpressions: [deleted] }, next: { delete: true } }),
  ];
}

const READY = { key: '.status.conditions.[] | select( .type == "Ready" ) | .status' };
const NODE_STATUS = `
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ Now | Quote }}
  lastTransitionTime: {{ Now | Quote }}
{{ end }}
addresses:
{{ with NodeIP }}
- {type: InternalIP, address: {{ . | Quote }}}
{{ end }}
phase: Running
`;

/** A simulated node becomes ready and stays so; what it offers is in its own object. */
export function buildNodeStages(): object[] {
  const NODE = { apiGroup: 'v1', kind: 'Node' };
  return [
    stage('node-start', {
      resourceRef: NODE,
      selector: { matchExpressions: [{ ...READY, operator: 'NotIn', values: ['True'] }] },
      next: { statusTemplate: NODE_STATUS },
    }),
    stage('node-heartbeat', {
      resourceRef: NODE,
      selector: { matchExpressions: [{ ...READY, operator: 'In', values: ['True'] }] },
      delay: { durationMilliseconds: 600_000, jitterDurationMilliseconds: 610_000 },
      next: { statusTemplate: NODE_STATUS.replace(/^ {2}lastTransitionTime.*\n/m, '') },
    }),
  ];
}
