import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { load } from 'js-yaml';
import type { Experiment, ExperimentInput } from '../../../operator/api/experiment.ts';
import { experimentsPath } from '../../../operator/controller/resource-paths.ts';
import { applyCrds } from '../../cluster/apply.ts';
import { startControlPlane } from '../../cluster/control-plane.ts';
import type { ControlPlane } from '../../cluster/control-plane.ts';
import { startKwok } from '../../cluster/kwok.ts';
import type { Kwok } from '../../cluster/kwok.ts';
import type { PodEnd } from '../../cluster/kwok-stages.ts';
import { auditPolicy, parseAuditLog } from './audit-log.ts';
import type { AuditedRequest } from './audit-log.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
export const NAMESPACE = 'default';
const SYSTEM = 'cdsp-system';
const ACCOUNT = 'cdsp-operator';
/** As the API server knows the operator. */
export const OPERATOR_USER = `system:serviceaccount:${SYSTEM}:${ACCOUNT}`;
const STORAGE_CLASS = 'bench';
/** The last words of a stage's pod, as the trainer writes them. */
export const LAST_WORDS = '{"result": {"meanIou": 0.5, "seconds": 1}}';

/** One cluster with everything around the operator, and without one. */
export interface Bench extends AsyncDisposable {
  readonly cluster: ControlPlane;
  readonly kwok: Kwok;
  /** The operator's own. */
  readonly kubeconfig: string;
  /** The operator's program. */
  readonly entry: string;
  /** What the API server has logged so far. */
  requests(): AuditedRequest[];
}

export interface BenchOptions {
  readonly entry: string;
  readonly ends: readonly PodEnd[];
  readonly controllerManagerArgs?: readonly string[];
}

/** The operator's account may do anything: what it may do is the chart's business. Its requests are counted by its name. */
async function createAccount(plane: ControlPlane): Promise<string> {
  const { client } = plane;
  await client.expect('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } });
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: ACCOUNT } };
  await client.expect('POST', `/api/v1/namespaces/${SYSTEM}/serviceaccounts`, account);
  await client.expect('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: ACCOUNT },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', namespace: SYSTEM, name: ACCOUNT }],
  });
  return plane.kubeconfigForServiceAccount(SYSTEM, ACCOUNT);
}

export async function startBench({ entry, ends, controllerManagerArgs }: BenchOptions): Promise<Bench> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const cluster = await startControlPlane({ controllers: true, auditPolicy: auditPolicy(OPERATOR_USER), controllerManagerArgs, say });
  try {
    await applyCrds(cluster, join(ROOT, 'crds'));
    const kubeconfig = await createAccount(cluster);
    const metadata = { name: STORAGE_CLASS, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } };
    const storageClass = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata };
    const path = '/apis/storage.k8s.io/v1/storageclasses';
    await cluster.client.expect('POST', path, {
      ...storageClass,
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    const kwok = await startKwok(cluster, { nodes: 4, ends, say });
    const servers = cluster.workspace.start('stage-servers', process.execPath, [join(import.meta.dirname, 'stage-servers.ts')], {
      KUBECONFIG: cluster.kubeconfig,
    });
    await servers.waitUntil('its cache', () => servers.lastLines().endsWith('ready'));
    return {
      cluster,
      kwok,
      kubeconfig,
      entry,
      requests: () => parseAuditLog(readFileSync(cluster.auditLog ?? '', 'utf8')),
      [Symbol.asyncDispose]: () => cluster.stop(),
    };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

const EXAMPLE = load(readFileSync(join(ROOT, 'examples/quickstart.yaml'), 'utf8')) as ExperimentInput;

/** The quick start with a seed of its own, so that no stage is shared, and without a folder of one's own machine. */
export function buildExperiment(name: string, seed: number, spec: Partial<ExperimentInput['spec']> = {}): ExperimentInput {
  return { ...EXAMPLE, metadata: { name }, spec: { ...EXAMPLE.spec, seed, storage: {}, ...spec } };
}

export const createExperiment = ({ cluster }: Bench, experiment: ExperimentInput): Promise<Experiment> =>
  cluster.client.expect('POST', experimentsPath(NAMESPACE), experiment);

/**
 * A volume for a claim that will be made. It is there beforehand, as no part of what is measured: making volumes is the storage system's work.
 */
export function createVolume({ cluster }: Bench, claim: string): Promise<unknown> {
  return cluster.client.expect('POST', '/api/v1/persistentvolumes', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: claim },
    spec: {
      storageClassName: STORAGE_CLASS,
      accessModes: ['ReadWriteOnce', 'ReadWriteMany'],
      capacity: { storage: '1Ti' },
      claimRef: { namespace: NAMESPACE, name: claim },
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: `/tmp/${claim}` },
    },
  });
}
