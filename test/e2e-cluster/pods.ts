// An operator in this process beside real nodes, for tests of what becomes of experiments there.
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { readKubeconfig } from '../cluster/kubeconfig.ts';
import { OperatorConfig } from '../../operator/config.ts';
import { API_VERSION, KIND } from '../../operator/api/experiment.ts';
import type { StageName } from '../../operator/api/experiment.ts';
import type { ExperimentStatus } from '../../operator/api/status.ts';
import { jobOfPod } from '../../operator/controller/caches.ts';
import { checkExperiment } from '../../operator/controller/check-experiment.ts';
import { Cluster } from '../../operator/controller/cluster.ts';
import { Controller } from '../../operator/controller/controller.ts';
import { experimentsPath, jobsPath, podsPath } from '../../operator/controller/resource-paths.ts';
import { applyCrds } from '../cluster/apply.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane, ControlPlaneOptions } from '../cluster/control-plane.ts';
import { FAKE_STAGE_IMAGE, writeFakeStageImage } from '../cluster/fake-stage-image.ts';
import { createFolderVolume } from '../cluster/folder-volume.ts';
import type { FolderVolumeOptions } from '../cluster/folder-volume.ts';
import { startNode } from '../cluster/node.ts';
import type { ClusterNode } from '../cluster/node.ts';
import { missingForNode } from '../cluster/node-requirements.ts';
import { CONTROL_PLANE, CONTROLLERS, whyNoPrograms } from '../cluster/requirements.ts';
import type { FakeBehaviour } from '../fixtures/fake-stage.ts';

export type StageStatus = NonNullable<ExperimentStatus['stages']>[number];
export type Behaviours = Readonly<Record<string, readonly FakeBehaviour[]>>;
export type Condition = NonNullable<ExperimentStatus['conditions']>[number];

export interface PodsOptions {
  /** Default: 1. */
  readonly nodes?: number;
  readonly plane?: ControlPlaneOptions;
  /** Of the operator, beside the image of its stages. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Archives of further images for every node. */
  readonly archives?: readonly string[];
}

/** Why this machine cannot run such a test, or undefined. */
export const whyNoPods = (): string | undefined =>
  missingForNode() ?? whyNoPrograms([...CONTROL_PLANE, ...CONTROLLERS, 'kubelet', 'kube-proxy']);

const NAMESPACE = 'default';

export const conditionOf = (status: ExperimentStatus | undefined, type: string): Condition | undefined =>
  status?.conditions?.find((condition) => condition.type === type);

export const stageOf = (status: ExperimentStatus | undefined, name: StageName): StageStatus | undefined =>
  status?.stages?.find((stage) => stage.name === name);

/** A cluster with nodes, the fake stage's image on them, and the operator. */
export class Pods {
  readonly plane: ControlPlane;
  readonly nodes: readonly ClusterNode[];
  readonly #cluster: Cluster;
  readonly #controller: Controller;

  private constructor(plane: ControlPlane, nodes: readonly ClusterNode[], cluster: Cluster, controller: Controller) {
    this.plane = plane;
    this.nodes = nodes;
    this.#cluster = cluster;
    this.#controller = controller;
  }

  static async start({ nodes: count = 1, plane: options, config: settings, archives = [] }: PodsOptions = {}): Promise<Pods> {
    const plane = await startControlPlane({ controllers: true, network: true, say: console.log, ...options });
    try {
      const archive = join(plane.workspace.folder, 'fake-stage.tar');
      await Promise.all([applyCrds(plane), writeFakeStageImage(archive)]);
      const nodes: ClusterNode[] = [];
      for (let number = 1; number <= count; number++) {
        const node = await startNode(plane, { number });
        for (const file of [archive, ...archives]) await node.importImages(file);
        nodes.push(node);
      }
      const cluster = new Cluster(readKubeconfig(plane.kubeconfig));
      const config = OperatorConfig.parse({
        trainerImage: FAKE_STAGE_IMAGE,
        imagePullPolicy: 'IfNotPresent',
        allowedImages: ['*'],
        ...settings,
      });
      const check = (experiment: Parameters<typeof checkExperiment>[0]) => checkExperiment(experiment, config);
      const controller = new Controller({ cluster, config, check, log: (message, fields) => console.log(message, fields) });
      await controller.sync();
      controller.lead();
      return new Pods(plane, nodes, cluster, controller);
    } catch (error) {
      await plane.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
    this.#cluster.close();
    await this.plane.stop();
  }

  /** Makes a claim for artifacts on which stages behave as told. @returns its folder on this machine */
  createClaim(name: string, behaviours: Behaviours = {}, options: FolderVolumeOptions = {}): Promise<string> {
    return createFolderVolume(this.plane, name, { ...options, files: { 'fake-stage.json': JSON.stringify(behaviours) } });
  }

  /** Makes an experiment; its artifacts' claim has its name unless the spec says otherwise. */
  async create(name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const common = { dataset: { generator: {} }, retries: 0, storage: { claimName: name } };
    const manifest = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec: { ...common, ...spec } };
    await this.plane.client.expect('POST', experimentsPath(NAMESPACE), manifest);
  }

  async patch(name: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
    await this.plane.client.expect('PATCH', `${experimentsPath(NAMESPACE)}/${name}`, { spec }, 'application/merge-patch+json');
  }

  /** An experiment that no test needs any more takes its Jobs and pods with it. */
  async delete(name: string): Promise<void> {
    await this.plane.client.expect('DELETE', `${experimentsPath(NAMESPACE)}/${name}`);
  }

  async see(name: string): Promise<ExperimentStatus | undefined> {
    const seen = await this.plane.client.expect<{ status?: ExperimentStatus }>('GET', `${experimentsPath(NAMESPACE)}/${name}`);
    return seen.status;
  }

  /** Waits until the experiment's status is as wanted; the error shows what it is instead. */
  async waitFor(name: string, what: string, isSo: (status: ExperimentStatus) => boolean): Promise<ExperimentStatus> {
    let status: ExperimentStatus | undefined;
    try {
      await this.plane.waitUntil(`${name}: ${what}`, async () => {
        status = await this.see(name);
        return status !== undefined && isSo(status);
      });
    } catch (cause) {
      throw new Error(`${name} is not so: ${what}. Its status:\n${JSON.stringify(status, undefined, 1)}`, { cause });
    }
    return status ?? {};
  }

  waitForPhase(name: string, phase: NonNullable<ExperimentStatus['phase']>): Promise<ExperimentStatus> {
    return this.waitFor(name, `to be ${phase}`, (status) => status.phase === phase);
  }

  /** Waits for a condition of this type and status, and of this reason where one is given: what a slow kubelet says before is another one. */
  async waitForCondition(name: string, type: string, value: Condition['status'], reason?: string): Promise<Condition> {
    const find = (status: ExperimentStatus): Condition | undefined => {
      const condition = conditionOf(status, type);
      return condition?.status === value && (reason === undefined || condition.reason === reason) ? condition : undefined;
    };
    const words = [type, 'to be', value, ...(reason === undefined ? [] : ['for', reason])].join(' ');
    return find(await this.waitFor(name, words, (status) => find(status) !== undefined)) as Condition;
  }

  /** The pods of an experiment's stage, the newest first. */
  async podsOf(name: string, stage: StageName): Promise<V1Pod[]> {
    const job = stageOf(await this.see(name), stage)?.job;
    const { items } = await this.plane.client.expect<{ items: V1Pod[] }>('GET', podsPath(NAMESPACE));
    const createdAt = ({ metadata }: V1Pod) => String(metadata?.creationTimestamp);
    const own = items.filter((pod) => job !== undefined && jobOfPod(pod) === job);
    return own.toSorted((a, b) => createdAt(b).localeCompare(createdAt(a)));
  }

  async jobOf(name: string, stage: StageName): Promise<V1Job> {
    const job = stageOf(await this.see(name), stage)?.job ?? '';
    return this.plane.client.expect<V1Job>('GET', `${jobsPath(NAMESPACE)}/${job}`);
  }

  /** Waits until a fake stage is at work on this attempt, the first being 1. @returns its folder */
  async waitForAttempt(folder: string, stage: StageName, attempt: number, shard = ''): Promise<string> {
    let found = '';
    await this.plane.waitUntil(`attempt ${attempt} at ${stage} in ${folder}`, () => {
      const file = globSync(`stages/${stage}/*/attempts${shard}`, { cwd: folder }).at(0) ?? '';
      found = join(folder, file, '..');
      return file !== '' && readFileSync(join(folder, file), 'utf8') === String(attempt) && existsSync(join(found, `checkpoint${shard}`));
    });
    return found;
  }
}

/** Lets a stage that holds, or lingers, go. */
export const release = (stageFolder: string, shard = ''): void => writeFileSync(join(stageFolder, `release${shard}`), '');

/** Steps that a fake stage has done by its checkpoint, or by its result. */
export function stepsIn(stageFolder: string): number {
  const result = join(stageFolder, 'result.txt');
  const text = existsSync(result)
    ? readFileSync(result, 'utf8').split(' ')[0]
    : readFileSync(join(stageFolder, 'checkpoint'), 'utf8').slice(1);
  return Number.parseInt(text, 10);
}
