import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { CONTAINER } from '../../../../operator/controller/build-pod.ts';
import { condition } from '../objects.ts';
import type { ApiServer } from './api-server.ts';

/** What Kubernetes' own controllers do about Jobs and what they own, one look at a time; the tests play the kubelet. */
export class JobController {
  readonly #api: ApiServer;
  /** The stages' image, as the kubelet tells it. */
  imageId = 'trainer@sha256:1';
  /** Whether a quota keeps the Job from having pods. */
  isKeptFromPods: (job: V1Job) => boolean = () => false;
  /** Every pod that was ever made, by name, with its Job's name: how often a stage has run. */
  readonly made: { readonly job: string; readonly pod: string }[] = [];

  constructor(api: ApiServer) {
    this.#api = api;
  }

  jobs(): V1Job[] {
    return this.#api.all<V1Job>('jobs');
  }

  /** Of Jobs of this name, also of such as are gone. */
  podsOf(job: string): V1Pod[] {
    return this.#api.all<V1Pod>('pods').filter(({ metadata }) => metadata?.ownerReferences?.some(({ name }) => name === job));
  }

  /** The pod of the Job that has not ended. */
  activePod(job: string): V1Pod | undefined {
    return this.podsOf(job).find(isActive);
  }

  work(): void {
    for (const job of this.jobs()) this.#workOn(job);
    this.#collectGarbage();
  }

  /** The pod's container begins. */
  begin(pod: V1Pod): void {
    this.#putPod(pod, 'Running', { running: { startedAt: new Date(0) } });
  }

  /** The pod's container ends; one that was told to end is removed with it. */
  end(pod: V1Pod, exitCode: number, message = exitCode === 0 ? '{"result":{"meanIou":0.5}}' : `exit code ${exitCode}`): void {
    const { name, deletionTimestamp } = pod.metadata ?? {};
    if (deletionTimestamp !== undefined) this.#api.remove('pods', name ?? '');
    else this.#putPod(pod, exitCode === 0 ? 'Succeeded' : 'Failed', { terminated: { exitCode, message, finishedAt: ENDED_AT } });
  }

  /** Asks a pod to end, as its deletion does. */
  stop(pod: V1Pod): void {
    if (!isActive(pod)) this.#api.remove('pods', pod.metadata?.name ?? '');
    else if (pod.metadata?.deletionTimestamp === undefined)
      this.#put('pods', { ...pod, metadata: { ...pod.metadata, deletionTimestamp: new Date(1000) } });
  }

  #put(resource: 'jobs' | 'pods', object: V1Job | V1Pod): void {
    this.#api.put(resource, object);
  }

  #putPod(pod: V1Pod, phase: string, state: object): void {
    const containerStatuses = [{ name: CONTAINER, state, image: 'trainer:1', imageID: this.imageId, ready: false, restartCount: 0 }];
    this.#put('pods', { ...pod, status: { ...pod.status, phase, containerStatuses } });
  }

  #workOn(job: V1Job): void {
    const pods = this.podsOf(job.metadata?.name ?? '').filter(({ metadata }) => metadata?.ownerReferences?.[0].uid === job.metadata?.uid);
    if (job.status?.conditions !== undefined) return;
    const codes = pods.filter(({ status }) => status?.phase === 'Failed').map(exitCodeOf);
    const failed = codes.filter((code) => code !== 75).length;
    const succeeded = pods.filter(({ status }) => status?.phase === 'Succeeded').length;
    const conditions = endOf(succeeded, failed, codes, job.spec?.backoffLimit ?? 6);
    const isWorking = conditions === undefined && job.spec?.suspend !== true;
    const active = pods.filter(isActive);
    if (!isWorking) for (const pod of active) this.stop(pod);
    else if (active.length === 0 && !this.isKeptFromPods(job)) this.#createPod(job);
    const status = {
      ...(this.isKeptFromPods(job) ? { startTime: ENDED_AT } : {}),
      ...(conditions === undefined ? {} : { conditions }),
      ...(conditions?.[0].type === 'Complete' ? { completionTime: ENDED_AT } : {}),
      failed,
      succeeded,
      active: isWorking ? 1 : 0,
    };
    this.#put('jobs', { ...job, status });
  }

  #createPod({ metadata: { name = '', namespace, uid = '' } = {}, spec }: V1Job): void {
    const pod = `${name}-${this.made.length}`;
    this.made.push({ job: name, pod });
    const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }];
    const metadata = { ...spec?.template.metadata, name: pod, namespace, ownerReferences };
    this.#put('pods', { metadata, spec: { nodeName: 'node-1', containers: [] }, status: { phase: 'Pending' } });
  }

  #collectGarbage(): void {
    const uids = new Set([...this.#api.all('cdspexperiments'), ...this.jobs()].map(({ metadata }) => metadata?.uid));
    const isOrphan = ({ metadata }: V1Pod) => metadata?.ownerReferences?.every(({ uid }) => !uids.has(uid)) ?? false;
    for (const job of this.jobs()) {
      const ownerReferences = job.metadata?.ownerReferences?.filter(({ uid }) => uids.has(uid)) ?? [];
      if (ownerReferences.length === 0) this.#api.remove('jobs', job.metadata?.name ?? '');
      else this.#put('jobs', { ...job, metadata: { ...job.metadata, ownerReferences } });
    }
    for (const pod of this.#api.all<V1Pod>('pods').filter(isOrphan)) this.stop(pod);
  }
}

/** After all that is made; nothing here looks at how long something took. */
const ENDED_AT = new Date(1_000_000);

export const isActive = ({ status }: V1Pod): boolean => status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
const exitCodeOf = ({ status }: V1Pod): number => status?.containerStatuses?.[0].state?.terminated?.exitCode ?? 1;

/** The conditions of a Job that has ended. */
function endOf(succeeded: number, failed: number, codes: readonly number[], backoffLimit: number) {
  if (succeeded > 0) return [condition('Complete', 'CompletionsReached', '')];
  if (codes.some((code) => [65, 66, 69].includes(code))) return [condition('Failed', 'PodFailurePolicy', 'rule 0')];
  return failed > backoffLimit ? [condition('Failed', 'BackoffLimitExceeded', 'no more')] : undefined;
}
