import type { V1Pod } from '@kubernetes/client-node';
import { stageOf } from './stage-pod.ts';
import { handOvers } from './timeline.ts';
import type { PodTimes } from './timeline.ts';

/** One answered request, from the API server's audit log. Times in milliseconds since the epoch, exact to a microsecond. */
export interface AuditedRequest {
  readonly user: string;
  readonly verb: string;
  /** With subresource: pods/status. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly status: number;
  readonly receivedAt: number;
  readonly answeredAt: number;
  /** Where the policy asks for it. */
  readonly body: unknown;
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string; readonly namespace?: string; readonly name?: string };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly requestObject?: unknown;
}

/**
 * What the benchmark asks the API server to log: all that the operator does, what makes pods and what ends them; nothing else, since each
 * line costs time.
 */
export const auditPolicy = (operator: string) => ({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'Metadata', users: [operator] },
    { level: 'Request', verbs: ['create'], resources: [{ group: '', resources: ['pods'] }] },
    { level: 'Request', verbs: ['patch'], resources: [{ group: '', resources: ['pods/status'] }] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts:kube-system'], verbs: ['create', 'update', 'patch', 'delete'] },
    { level: 'None' },
  ],
});

/** A time of the API with its microseconds, which Date would cut off. */
export function milliseconds(time: string): number {
  const [, seconds, fraction = '0'] = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?Z$/.exec(time) ?? [];
  if (seconds === undefined) throw new Error(`${time} is no time of the API`);
  return Date.parse(`${seconds}Z`) + 1000 * Number(`0.${fraction}`);
}

/** @param text lines of the log; the last one may be cut off */
export function parseAuditLog(text: string): AuditedRequest[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.flatMap((line) => {
    if (line === '') return [];
    const event = JSON.parse(line) as AuditEvent;
    if (event.stage === 'RequestReceived') return [];
    const { resource = '', subresource, namespace = '', name = '' } = event.objectRef ?? {};
    return [
      {
        user: event.user.username,
        verb: event.verb,
        resource: subresource === undefined ? resource : `${resource}/${subresource}`,
        namespace,
        name,
        status: event.responseStatus?.code ?? 0,
        receivedAt: milliseconds(event.requestReceivedTimestamp),
        answeredAt: milliseconds(event.stageTimestamp),
        body: event.requestObject,
      },
    ];
  });
}

/** What an operator asks for whether there are experiments or not. Events it lists for stages that do not begin. */
const isStanding = ({ verb, resource }: AuditedRequest) =>
  verb === 'watch' || (verb === 'list' && resource !== 'events') || resource === 'leases';

/** Requests of one user by verb and resource, those for experiments apart from the standing ones. */
export function countRequests(
  requests: readonly AuditedRequest[],
  user: string,
): { work: Map<string, number>; standing: Map<string, number> } {
  const counts = { work: new Map<string, number>(), standing: new Map<string, number>() };
  for (const request of requests) {
    if (request.user !== user) continue;
    const into = isStanding(request) ? counts.standing : counts.work;
    const id = `${request.verb} ${request.resource}${request.status >= 300 ? ` (${request.status})` : ''}`;
    into.set(id, (into.get(id) ?? 0) + 1);
  }
  return counts;
}

interface StatusPatch {
  readonly status?: { readonly phase?: string };
}

/** The Job of a pod by the pod's name: Kubernetes appends a hyphen and five letters. */
const jobOfName = (pod: string) => pod.replace(/-[a-z0-9]{5}$/, '');

/** A pod by the API server's clock: created when the Job controller's request was answered, ended when the kubelet's was. */
export interface AuditedPod extends PodTimes {
  /** When the Job controller's request came in. */
  readonly requestedAt: number;
}

export function podTimes(requests: readonly AuditedRequest[]): AuditedPod[] {
  const ends = new Map<string, number>();
  for (const { verb, resource, name, body, status, answeredAt } of requests) {
    const isEnd = verb === 'patch' && resource === 'pods/status' && status < 300 && (body as StatusPatch).status?.phase === 'Succeeded';
    if (isEnd) ends.set(jobOfName(name), answeredAt);
  }
  return requests.flatMap(({ verb, resource, body, status, receivedAt, answeredAt }) => {
    const stage = verb === 'create' && resource === 'pods' && status < 300 ? stageOf(body as V1Pod) : undefined;
    return stage === undefined ? [] : [{ ...stage, requestedAt: receivedAt, createdAt: answeredAt, succeededAt: ends.get(stage.job) }];
  });
}

/** Where the time of one hand-over goes, in milliseconds. */
export interface HandOverParts {
  /** From the pod's end to the operator's request for the next Job: the watch, and the operator. */
  readonly operator: number;
  /** The API server on that request. */
  readonly jobCreation: number;
  /** From its answer to the Job controller's request for the pod: the watch, and the Job controller. */
  readonly jobController: number;
  /** The API server on that one. */
  readonly podCreation: number;
}

/** @param operator user name of the operator */
export function handOverParts(requests: readonly AuditedRequest[], operator: string): HandOverParts[] {
  const isJob = ({ user, verb, resource, status }: AuditedRequest) =>
    user === operator && verb === 'create' && resource === 'jobs' && status < 300;
  const jobs = new Map(requests.filter(isJob).map((request) => [request.name, request]));
  return handOvers(podTimes(requests)).flatMap(({ from, to }) => {
    const job = jobs.get(to.job);
    if (job === undefined || from.succeededAt === undefined) return [];
    return [
      {
        operator: job.receivedAt - from.succeededAt,
        jobCreation: job.answeredAt - job.receivedAt,
        jobController: to.requestedAt - job.answeredAt,
        podCreation: to.createdAt - to.requestedAt,
      },
    ];
  });
}
