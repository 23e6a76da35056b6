import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { KubeConfig, KubernetesObject, V1Job, V1Pod } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import type { z } from 'zod';
import { API_VERSION, KIND, STAGES } from '../../operator/api/experiment.ts';
import type { ExperimentInput, StageName } from '../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { OperatorConfig } from '../../operator/config.ts';
import { checkExperiment } from '../../operator/controller/check-experiment.ts';
import { Cluster } from '../../operator/controller/cluster.ts';
import { Controller } from '../../operator/controller/controller.ts';
import { isFinished } from '../../operator/controller/owned-jobs.ts';
import { LABELS } from '../../operator/controller/names.ts';
import { claimsPath, experimentsPath, jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { readKubeconfig } from '../cluster/kubeconfig.ts';
import { startKwok } from '../cluster/kwok.ts';
import { freePort } from '../cluster/ports.ts';
import type { Program } from '../cluster/program.ts';
import { CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from '../cluster/requirements.ts';
import { startProvisioner } from '../cluster/volumes.ts';
import { PodPlayer } from './pod-player.ts';

export const whyNoFaultCluster = () => whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kwok']);

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = resolve(ROOT, 'operator/main.ts');
const TRAINER_IMAGE = 'docker.io/library/cdsp-trainer:test';
export const OPERATOR_NAMESPACE = 'cdsp-system';

export interface Experiment extends KubernetesObject {
  readonly spec: { readonly suspend?: boolean };
  readonly status?: ExperimentStatus;
}
export type SpecInput = Partial<ExperimentInput['spec']>;

export interface OperatorOptions {
  readonly kubeconfig?: string;
  /** Settings of the operator's configuration. */
  readonly config?: Partial<z.input<typeof OperatorConfig>>;
  /** In milliseconds since the epoch, for a controller in this process. */
  readonly now?: () => number;
  /** Where an operator that is a process serves its probes and metrics; left out: on any port. */
  readonly port?: number;
  /** The connection of a controller in this process. */
  readonly connect?: (config: KubeConfig) => Cluster;
}

/** An operator in this process. */
export interface LocalOperator {
  readonly controller: Controller;
  stop(): Promise<void>;
}

/** A real control plane whose pods are played, and what the fault tests do with it. */
export class FaultCluster {
  readonly plane: ControlPlane;
  readonly player: PodPlayer;
  #processes = 0;
  /** Those that run in this process. */
  readonly #locals = new Set<LocalOperator>();

  private constructor(plane: ControlPlane, player: PodPlayer) {
    this.plane = plane;
    this.player = player;
  }

  static async start(options: Parameters<typeof startControlPlane>[0] = {}): Promise<FaultCluster> {
    const plane = await startControlPlane({ controllers: true, say: console.log, ...options });
    await applyCrds(plane);
    await startProvisioner(plane);
    // Pods run until the player ends them.
    await startKwok(plane, { nodes: 2, ends: [] });
    const player = new PodPlayer(readKubeconfig(plane.kubeconfig));
    await player.start();
    const cluster = new FaultCluster(plane, player);
    await cluster.makeNamespace(OPERATOR_NAMESPACE);
    return cluster;
  }

  /** Ends everything that was started with it. */
  async stop(): Promise<void> {
    for (const operator of this.#locals) await operator.stop();
    await this.player.stop();
    await this.plane.stop();
  }

  async makeNamespace(name: string): Promise<string> {
    await this.plane.client.expect('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return name;
  }

  /** The operator as it runs in production, a process of its own. The same identity again is a restarted container. */
  async startProcess(identity: string, { kubeconfig = this.plane.kubeconfig, config, port }: OperatorOptions = {}): Promise<Program> {
    const file = join(this.plane.workspace.folder, `${identity}-${++this.#processes}.yaml`);
    writeFileSync(file, JSON.stringify({ trainerImage: TRAINER_IMAGE, progressSeconds: 0, ...config }));
    const environment = {
      KUBECONFIG: kubeconfig,
      CDSP_CONFIG: file,
      POD_NAME: identity,
      POD_NAMESPACE: OPERATOR_NAMESPACE,
      CDSP_PORT: String(port ?? (await freePort())),
    };
    return this.plane.workspace.start(`${identity}-${this.#processes}`, process.execPath, [MAIN], environment);
  }

  /** An operator in this process, which acts without asking for a lease. */
  async startLocal(options: OperatorOptions = {}): Promise<LocalOperator> {
    const { kubeconfig = this.plane.kubeconfig, now, config: settings, connect = (access: KubeConfig) => new Cluster(access) } = options;
    const config = OperatorConfig.parse({ trainerImage: TRAINER_IMAGE, ...settings });
    const cluster = connect(readKubeconfig(kubeconfig));
    const check = (experiment: Parameters<typeof checkExperiment>[0]) => checkExperiment(experiment, config);
    const controller = new Controller({ cluster, config, check, log: () => {}, ...(now === undefined ? {} : { now }) });
    await controller.sync();
    controller.lead();
    const operator: LocalOperator = {
      controller,
      stop: async () => {
        if (!this.#locals.delete(operator)) return;
        await controller.stop();
        cluster.close();
      },
    };
    this.#locals.add(operator);
    return operator;
  }

  /** A claim that experiments share. */
  async makeClaim(namespace: string, name: string): Promise<void> {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    await this.plane.client.expect('POST', claimsPath(namespace), {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name },
      spec,
    });
  }

  create(namespace: string, name: string, spec: SpecInput = {}): Promise<Experiment> {
    const manifest = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec: { dataset: { generator: {} }, ...spec } };
    return this.plane.client.expect('POST', experimentsPath(namespace), manifest);
  }

  edit(namespace: string, name: string, spec: object): Promise<Experiment> {
    const path = `${experimentsPath(namespace)}/${name}`;
    return this.plane.client.expect('PATCH', path, { spec }, 'application/merge-patch+json');
  }

  deleteExperiment(namespace: string, name: string): Promise<void> {
    return this.delete(`${experimentsPath(namespace)}/${name}`);
  }

  get(namespace: string, name: string): Promise<Experiment> {
    return this.plane.client.expect('GET', `${experimentsPath(namespace)}/${name}`);
  }

  async delete(path: string, propagationPolicy: 'Background' | 'Foreground' | 'Orphan' = 'Background'): Promise<void> {
    await this.plane.client.expect('DELETE', path, { propagationPolicy });
  }

  /** Waits until the status of the experiment's present generation is as wanted. */
  async until(namespace: string, name: string, what: string, isSo: (status: ExperimentStatus) => boolean): Promise<ExperimentStatus> {
    let seen: Experiment | undefined;
    const look = async () => {
      seen = await this.get(namespace, name).catch(() => undefined);
      return seen?.status?.observedGeneration === seen?.metadata?.generation && seen?.status !== undefined && isSo(seen.status);
    };
    await this.plane.waitUntil(`${namespace}/${name}: ${what}`, look).catch((cause: unknown) => {
      throw new Error(`${namespace}/${name} is not ${what} but ${JSON.stringify(seen?.status, undefined, 1)}`, { cause });
    });
    return seen?.status ?? {};
  }

  untilPhase(namespace: string, name: string, phase: ExperimentStatus['phase']): Promise<ExperimentStatus> {
    return this.until(namespace, name, `in phase ${phase}`, (status) => status.phase === phase);
  }

  /** Waits until the operator has seen all that has happened to experiments: one watch brings it in order, and this one comes last. */
  async untilSeen(namespace: string): Promise<void> {
    const name = 'comes-last';
    await this.create(namespace, name, { suspend: true });
    await this.untilPhase(namespace, name, 'Suspended');
    await this.deleteExperiment(namespace, name);
  }

  /** Waits until a pod of the stage runs that the player holds. */
  async untilRuns(namespace: string, stage: StageName): Promise<V1Pod> {
    let pod: V1Pod | undefined;
    await this.plane.waitUntil(`${stage} to run in ${namespace}`, () => {
      const isIt = ({ status, metadata }: V1Pod) => status?.phase === 'Running' && metadata?.labels?.[LABELS.stage] === stage;
      pod = this.player.active(namespace).find(isIt);
      return pod !== undefined;
    });
    assert.ok(pod);
    return pod;
  }

  async list<T extends KubernetesObject>(path: string): Promise<T[]> {
    return (await this.plane.client.expect<{ items: T[] }>('GET', path)).items;
  }

  jobs(namespace: string): Promise<V1Job[]> {
    return this.list<V1Job>(jobsPath(namespace));
  }

  /** Each stage had one pod, no two pods of a stage were there at once, and nothing runs any more. */
  async checkRanOnce(namespace: string): Promise<void> {
    assert.equal(this.player.stages(namespace), STAGES, `pods in ${namespace}`);
    await this.checkEnd(namespace);
  }

  /** No two pods of a stage were there at once, and nothing runs any more. */
  async checkEnd(namespace: string): Promise<void> {
    assert.equal(this.player.overlaps, [], 'two pods of one stage at once');
    await this.plane.waitUntil(`the Jobs in ${namespace} to end`, async () => {
      const jobs = await this.jobs(namespace);
      return this.player.active(namespace).length === 0 && jobs.every((job) => isFinished(job) || job.spec?.suspend === true);
    });
  }

  /** Nothing but the claims that are kept is left of the experiments in the namespace. */
  async checkEmpty(namespace: string, claims: readonly string[]): Promise<void> {
    await this.plane.waitUntil(`${namespace} to be empty`, async () => {
      const left = [...(await this.list(jobsPath(namespace))), ...(await this.list(podsPath(namespace)))];
      return left.length === 0;
    });
    const kept = await this.list(claimsPath(namespace));
    assert.equal(
      kept.map(({ metadata }) => metadata?.name),
      claims,
    );
  }
}
