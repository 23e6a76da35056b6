import type { KubeConfig, V1Pod } from '@kubernetes/client-node';
import type { StageName } from '../../operator/api/experiment.ts';
import { EXIT } from '../../operator/api/stage-contract.ts';
import { CONTAINER } from '../../operator/controller/build-pod.ts';
import { jobOfPod } from '../../operator/controller/caches.ts';
import { Cluster, isStatus } from '../../operator/controller/cluster.ts';
import { Informer } from '../../operator/controller/informer.ts';
import { LABELS, MANAGED_SELECTOR } from '../../operator/controller/names.ts';
import { isEnded } from '../../operator/controller/observe-pod.ts';
import { podsPath } from '../../operator/controller/resource-paths.ts';

/** How a stage's pod ends: with this exit code, with a last word of its own, or only when the test says so. */
export type Ending = number | { readonly exitCode: number; readonly message: string } | 'hold';
/**
 * @param attempt from 1: how many pods the stage has had in its namespace
 * @param isStopping the pod was asked to end
 */
export type Rule = (stage: StageName, attempt: number, isStopping: boolean) => Ending;

export interface PlayedPod {
  readonly uid: string;
  readonly name: string;
  readonly job: string;
  readonly stage: StageName;
}

/** A stage that is asked to end writes its checkpoint and says so. */
export const SUCCEEDS: Rule = (_stage, _attempt, isStopping) => (isStopping ? EXIT.interrupted : EXIT.success);
/** The first pod of a stage runs until it is asked to end. */
export const holdFirst =
  (held: StageName): Rule =>
  (stage, attempt, isStopping) =>
    stage === held && attempt === 1 && !isStopping ? 'hold' : SUCCEEDS(stage, attempt, isStopping);
/** The first pod of a stage runs on even though it is asked to end. */
export const clingFirst =
  (held: StageName): Rule =>
  (stage, attempt, isStopping) =>
    stage === held && attempt === 1 ? 'hold' : SUCCEEDS(stage, attempt, isStopping);
const messageOf = (exitCode: number) =>
  exitCode === 0 ? '{"result": {"meanIou": 0.5}}' : JSON.stringify({ error: { message: `ended with ${exitCode} as the test wants it` } });

/** Plays the containers of KWOK's pods, as each test wants them in its own namespace, and keeps a ledger of all pods that there ever were. */
export class PodPlayer {
  readonly #cluster: Cluster;
  readonly #informer: Informer<V1Pod, V1Pod>;
  readonly #rules = new Map<string, Rule>();
  readonly #ledger = new Map<string, PlayedPod[]>();
  readonly #played = new Set<string>();
  /** Pods that were made while another one of their Job's name had not ended. */
  readonly overlaps: string[] = [];

  constructor(config: KubeConfig) {
    this.#cluster = new Cluster(config);
    this.#informer = new Informer({
      cluster: this.#cluster,
      path: podsPath(),
      query: { labelSelector: MANAGED_SELECTOR },
      keep: (pod: V1Pod) => pod,
      onChange: (_key, after, before) => this.#podChanged(after, before),
      onError: () => {},
    });
  }

  start(): Promise<void> {
    return this.#informer.start();
  }

  async stop(): Promise<void> {
    await this.#informer.stop();
    this.#cluster.close();
  }

  /** From now on; pods that are held end if the rule says so. */
  play(namespace: string, rule: Rule): void {
    this.#rules.set(namespace, rule);
    for (const [, pod] of this.#informer.entries()) if (pod.metadata?.namespace === namespace) this.#end(pod);
  }

  /** All pods that there ever were, oldest first. */
  pods(namespace: string): readonly PlayedPod[] {
    return this.#ledger.get(namespace) ?? [];
  }

  stages(namespace: string): readonly StageName[] {
    return this.pods(namespace).map(({ stage }) => stage);
  }

  /** Those that have not ended. */
  active(namespace: string): readonly V1Pod[] {
    return [...this.#informer.entries()].map(([, pod]) => pod).filter((pod) => pod.metadata?.namespace === namespace && !isEnded(pod));
  }

  #podChanged(after: V1Pod | undefined, before: V1Pod | undefined): void {
    if (after === undefined) return;
    if (before === undefined || before.metadata?.uid !== after.metadata?.uid) this.#note(after);
    this.#end(after);
  }

  #note(pod: V1Pod): void {
    const { namespace = '', name = '', uid = '', labels = {} } = pod.metadata ?? {};
    const job = jobOfPod(pod) ?? '';
    const others = this.active(namespace).filter((other) => jobOfPod(other) === job && other.metadata?.uid !== uid);
    if (others.length > 0) this.overlaps.push(`${namespace}/${name} beside ${others.map(({ metadata }) => metadata?.name).join()}`);
    const pods = this.#ledger.get(namespace) ?? [];
    this.#ledger.set(namespace, [...pods, { uid, name, job, stage: labels[LABELS.stage] as StageName }]);
  }

  #end(pod: V1Pod): void {
    const { namespace = '', name = '', uid = '', deletionTimestamp } = pod.metadata ?? {};
    if (pod.status?.phase !== 'Running' || this.#played.has(uid)) return;
    const stage = pod.metadata?.labels?.[LABELS.stage] as StageName;
    const attempt =
      this.pods(namespace)
        .filter((other) => other.stage === stage)
        .findIndex((other) => other.uid === uid) + 1;
    const ending = (this.#rules.get(namespace) ?? SUCCEEDS)(stage, attempt, deletionTimestamp !== undefined);
    if (ending === 'hold') return;
    this.#played.add(uid);
    const { exitCode, message } = typeof ending === 'number' ? { exitCode: ending, message: messageOf(ending) } : ending;
    const terminated = {
      exitCode,
      message,
      reason: exitCode === 0 ? 'Completed' : 'Error',
      finishedAt: new Date().toISOString(),
    };
    const container = { ...pod.status.containerStatuses?.find((status) => status.name === CONTAINER), ready: false, state: { terminated } };
    const status = { phase: exitCode === 0 ? 'Succeeded' : 'Failed', containerStatuses: [container] };
    this.#cluster.merge(`${podsPath(namespace)}/${name}/status`, { status }).catch((error: unknown) => {
      // Asked to end while its Job was gone already, it may be gone, too.
      if (isStatus(error, 404)) return;
      // A server that is away for a while is part of the tests.
      this.#played.delete(uid);
      setTimeout(() => this.#end(this.#informer.get(`${namespace}/${name}`) ?? pod), 100);
    });
  }
}
