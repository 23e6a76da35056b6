import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getProgram } from './binaries.ts';
import type { ControlPlane } from './control-plane.ts';
import { buildNodeStages, buildPodStages } from './kwok-stages.ts';
import type { SimulatedPods } from './kwok-stages.ts';
import type { Program } from './program.ts';

export interface KwokOptions extends SimulatedPods {
  readonly nodes?: number;
  /** What each node offers; GPUs are one more line, `{'nvidia.com/gpu': '8'}`. */
  readonly capacity?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly say?: (line: string) => void;
}

export interface Kwok {
  readonly program: Program;
  readonly nodeNames: readonly string[];
  /** From now on pods behave in another way; those that have ended stay as they are. */
  play(pods: SimulatedPods): Promise<void>;
  stop(): Promise<void>;
}

const LABEL = 'cdsp.dev/simulated';
/** Addresses of simulated pods: of the loopback interface, so that no packet to one leaves the machine. */
const POD_NETWORK = '127.64.0.0/16';
/** With its usual four, a wave of pods waits for KWOK and not for the controller that is measured. */
const SETTINGS = {
  apiVersion: 'config.kwok.x-k8s.io/v1alpha1',
  kind: 'KwokConfiguration',
  options: {
    podPlayStageParallelism: 32,
    // Whoever asks a pod for its progress stays on this machine, and a test can answer there.
    cidr: POD_NETWORK,
    // The usual values, which are not filled in where there are options.
    nodePlayStageParallelism: 4,
    nodeLeaseParallelism: 4,
    nodeLeaseDurationSeconds: 40,
    podsOnNodeSyncParallelism: 4,
  },
};
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const CAPACITY = { cpu: '1k', memory: '1Ti', pods: '100k' };

interface Node {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Makes a node and says what it offers: a node's status is not taken from what creates it. */
async function createNode({ client }: ControlPlane, name: string, { capacity = {}, labels = {} }: KwokOptions): Promise<void> {
  const all = { ...CAPACITY, ...capacity };
  const own = { [LABEL]: 'true', 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' };
  const annotations = { 'kwok.x-k8s.io/node': 'fake' };
  const metadata = { name, annotations, labels: { ...own, ...labels } };
  await client.expect('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata });
  const patch = { status: { capacity: all, allocatable: all } };
  await client.expect('PATCH', `/api/v1/nodes/${name}/status`, patch, 'application/merge-patch+json');
}

/** Simulated nodes: pods are scheduled to them, and end as they are told to, with no process behind them. Needs the controllers. */
export async function startKwok(cluster: ControlPlane, options: KwokOptions): Promise<Kwok> {
  const { workspace, client, kubeconfig } = cluster;
  const binary = await getProgram('kwok', { say: options.say });
  const nodeNames = Array.from({ length: options.nodes ?? 1 }, (_, index) => `simulated-${index}`);
  await Promise.all(nodeNames.map((name) => createNode(cluster, name, options)));

  let program: Program;
  let starts = 0;
  async function play(pods: SimulatedPods): Promise<void> {
    const file = join(workspace.folder, `kwok-${++starts}.yaml`);
    // JSON documents, one after the other, are YAML.
    writeFileSync(
      file,
      [SETTINGS, ...buildNodeStages(), ...buildPodStages(pods)].map((document) => `${JSON.stringify(document)}\n`).join('---\n'),
    );
    const args = [`--kubeconfig=${kubeconfig}`, `--config=${file}`, `--manage-nodes-with-label-selector=${LABEL}=true`];
    program = workspace.start('kwok', binary, args);
    await program.waitUntil('the simulated nodes', async () => {
      const { items } = await client.expect<{ items: Node[] }>('GET', `/api/v1/nodes?labelSelector=${LABEL}%3Dtrue`);
      return items.every(({ status }) => status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));
    });
  }
  await play(options);
  return {
    get program() {
      return program;
    },
    nodeNames,
    async play(pods) {
      await program.stop();
      // The next one would wait until they have run out.
      await Promise.all(nodeNames.map((name) => client.request('DELETE', `${LEASES}/${name}`)));
      await play(pods);
    },
    stop: () => program.stop(),
  };
}
