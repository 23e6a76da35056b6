import { existsSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getPrograms } from './binaries.ts';
import { cgroupOf } from './clean-up.ts';
import type { ControlPlane } from './control-plane.ts';
import { writeBusyboxImages } from './image-archive.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import * as configs from './node-config.ts';
import { createNamespaces, makeCgroup } from './node-namespaces.ts';
import type { Namespaces } from './node-namespaces.ts';
import { findInstalledProgram, missingForNode } from './node-requirements.ts';
import type { Program } from './program.ts';

export interface NodeOptions {
  /** From 1 to 8; each node of a cluster has another one. */
  readonly number?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly kubeletArgs?: readonly string[];
  readonly say?: (line: string) => void;
}

/** A node: kubelet, containerd and kube-proxy in namespaces of their own, so that nothing of it outlives its first process. */
export interface ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly kubelet: Program;
  readonly containerd: Program;
  readonly proxy: Program;
  /** Runs a command as root inside the node; its standard output. */
  run(command: string, ...args: string[]): Promise<string>;
  /** Makes the images of an archive (docker-archive or OCI) available to pods. */
  importImages(archive: string): Promise<void>;
  /** Adds an extended resource: `offer('nvidia.com/gpu', 2)`. */
  offer(resource: string, count: number): Promise<void>;
  /** Ends the kubelet alone: the cluster loses sight of the node, whose pods run on. */
  stopKubelet(): Promise<void>;
  startKubelet(): Promise<void>;
  /** Ends all of it at once, as a power cut does. Its object stays in the cluster. */
  stop(): Promise<void>;
}

interface NodeObject {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** What the parts of a node are made from. */
interface Setup {
  readonly cluster: ControlPlane;
  readonly namespaces: Namespaces;
  readonly name: string;
  readonly number: number;
  readonly folder: string;
  /** Writes a file of the node; its path. */
  readonly write: (file: string, content: unknown) => string;
  readonly kubeconfig: (part: string, user: string, groups?: readonly string[]) => string;
}

const OVERLAY_MAGIC = 0x794c7630;
const CNI_PLUGINS = ['/usr/lib/cni', '/opt/cni/bin'];

async function startContainerd({ cluster, namespaces, folder, number, write }: Setup) {
  const { run, start } = namespaces;
  const addresses = cluster.network?.node(number);
  if (addresses === undefined) throw new Error('the cluster has no network');
  await run('mkdir', configs.CNI_FOLDER);
  await run('cp', write('10-pods.conflist', configs.cniConfig(addresses)), configs.CNI_FOLDER);
  const plugins = CNI_PLUGINS.find((place) => existsSync(join(place, 'bridge'))) ?? CNI_PLUGINS[0];
  // An overlay cannot lie on another one.
  const snapshotter = statfsSync(folder).type === OVERLAY_MAGIC ? 'native' : 'overlayfs';
  const config = write('containerd.toml', configs.containerdConfig(plugins, snapshotter));
  const containerd = start('containerd', findInstalledProgram('containerd') ?? 'containerd', '--config', config);
  const ctr = (...args: string[]) => run('ctr', '--address', configs.CONTAINERD_SOCKET, '--namespace', 'k8s.io', ...args);
  const importImages = async (archive: string) => void (await ctr('images', 'import', archive));

  const images = join(folder, 'images.tar');
  writeBusyboxImages(images, [
    { name: configs.PAUSE_IMAGE, command: ['/bin/sleep', '2147483647'] },
    { name: configs.BUSYBOX_IMAGE, command: ['sh'] },
  ]);
  const answers = () =>
    ctr('version').then(
      () => true,
      () => false,
    );
  await containerd.waitUntil('its socket', answers);
  await importImages(images);
  return { containerd, importImages };
}

/** How the kubelet is started, again and again. */
function prepareKubelet({ cluster, namespaces, name, number, write, kubeconfig }: Setup, binary: string, options: NodeOptions) {
  const { authority, client, workspace, network, featureGates } = cluster;
  const address = network?.node(number).address ?? '';
  const cgroup = join(cgroupOf(workspace.id), name);
  makeCgroup(cgroup);
  const serving = authority.issueServer(`${name}-serving`, [name, address]);
  const files = { ...serving, authority: authority.certificate, resolver: write('resolv.conf', '') };
  const labels = Object.entries(options.labels ?? {}).map((pair) => pair.join('='));
  const args = [
    `--config=${write('kubelet.json', configs.kubeletConfig(files, cgroup, featureGates))}`,
    `--kubeconfig=${kubeconfig('kubelet', `system:node:${name}`, ['system:nodes'])}`,
    `--hostname-override=${name}`,
    `--node-ip=${address}`,
    ...(labels.length === 0 ? [] : [`--node-labels=${labels.join(',')}`]),
    ...(options.kubeletArgs ?? []),
  ];
  const path = `/api/v1/nodes/${name}`;
  return async (): Promise<Program> => {
    const kubelet = namespaces.start('kubelet', binary, ...args);
    await kubelet.waitUntil('the node to be ready', async () => {
      const { status, body } = await client.request<NodeObject>('GET', path);
      const isReady = body.status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
      // After a restart the object still says so from before.
      return status === 200 && isReady === true && (await client.request('GET', `${path}/proxy/healthz`)).status === 200;
    });
    return kubelet;
  };
}

function prepare(cluster: ControlPlane, name: string): Pick<Setup, 'folder' | 'write' | 'kubeconfig'> {
  const { workspace, authority, server } = cluster;
  const folder = join(workspace.folder, name);
  for (const part of ['log', 'lib/kubelet', 'lib/containerd']) mkdirSync(join(folder, part), { recursive: true });
  return {
    folder,
    write(file, content) {
      const path = join(folder, file);
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
      return path;
    },
    kubeconfig: (part, user, groups = []) =>
      writeKubeconfig(join(folder, `${part}.kubeconfig`), {
        server,
        authority: authority.certificate,
        credentials: authority.issueClient(`${name}-${part}`, { user, groups }),
      }),
  };
}

/**
 * Starts a node and waits until it is ready for pods.
 * @param cluster started with `controllers` and `network`
 * @throws Error with the reason where this machine cannot run a node
 */
export async function startNode(cluster: ControlPlane, options: NodeOptions = {}): Promise<ClusterNode> {
  const { number = 1, say } = options;
  const reason = missingForNode();
  if (reason !== undefined) throw new Error(reason);
  const { network, workspace, client } = cluster;
  if (network === undefined) throw new Error('a node needs a control plane that was started with `network: true`');
  const binaries = await getPrograms(['kubelet', 'kube-proxy'], { say });

  const name = `node-${number}`;
  const prepared = prepare(cluster, name);
  const namespaces = await createNamespaces(workspace, network, { name, number, folder: prepared.folder });
  const setup: Setup = { cluster, namespaces, name, number, ...prepared };
  const proxyConfig = configs.proxyConfig(setup.kubeconfig('proxy', 'system:kube-proxy'), name, network.podNetwork);
  const proxy = namespaces.start('proxy', binaries['kube-proxy'], `--config=${setup.write('proxy.json', proxyConfig)}`);
  const { containerd, importImages } = await startContainerd(setup);
  const startKubelet = prepareKubelet(setup, binaries.kubelet, options);
  let kubelet = await startKubelet();
  return {
    name,
    address: network.node(number).address,
    get kubelet() {
      return kubelet;
    },
    containerd,
    proxy,
    run: namespaces.run,
    importImages,
    async offer(resource, count) {
      const patch = { status: { capacity: { [resource]: String(count) }, allocatable: { [resource]: String(count) } } };
      await client.expect('PATCH', `/api/v1/nodes/${name}/status`, patch, 'application/merge-patch+json');
    },
    stopKubelet: () => kubelet.stop(),
    async startKubelet() {
      kubelet = await startKubelet();
    },
    async stop() {
      namespaces.disconnect();
      await Promise.all([namespaces.holder, kubelet, containerd, proxy].map((program) => program.stop()));
    },
  };
}
