import type { ClusterNetwork, NodeAddresses } from './network.ts';

/** The image of the container that holds a pod's namespaces. */
export const PAUSE_IMAGE = 'cdsp.test/pause:1';
/** A shell with the usual commands, for pods of tests. */
export const BUSYBOX_IMAGE = 'docker.io/library/busybox:latest';

/** Folders of a node as its own processes see them; each node has its own mounts. */
export const CNI_FOLDER = '/run/cni-config';
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
const NODE_NETWORKS = 8;

/**
 * What the first process of a node does, in namespaces of its own: lays its own folders over those of the machine, so that every program
 * finds its usual paths and leaves nothing behind, says that it is ready, and then waits for orphaned processes for ever.
 */
export const nodeScript = (folder: string) => `set -e
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind '${folder}/lib' /var/lib
mount --bind '${folder}/log' /var/log
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
# Connections that nobody has any more would keep the namespace for minutes after its end.
echo 1 > /proc/sys/net/ipv4/tcp_orphan_retries
touch '${folder}/ready'
while :; do sleep 2147483647 & wait; done
`;

/** Inside the node, once its interface is there: its address, and the ways to the pods of other nodes. There is no way out. */
export function interfaceCommands(network: ClusterNetwork, number: number): string[][] {
  const { address, prefixLength } = network.node(number);
  const others = Array.from({ length: NODE_NETWORKS }, (_, index) => network.node(index + 1)).filter((_, index) => index + 1 !== number);
  return [
    ['address', 'add', `${address}/${prefixLength}`, 'dev', 'eth0'],
    ['link', 'set', 'eth0', 'up'],
    ...others.map((other) => ['route', 'add', other.podNetwork, 'via', other.address]),
  ];
}

/** @param snapshotter overlayfs, or native where the folder's file system cannot be a part of an overlay */
export const containerdConfig = (cniPlugins: string, snapshotter: string) => `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE runc cannot lower the score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniPlugins}"
    conf_dir = "${CNI_FOLDER}"
`;

export const cniConfig = ({ podNetwork }: NodeAddresses) => ({
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isDefaultGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: podNetwork }]] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

export interface KubeletFiles {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly resolver: string;
}

export const kubeletConfig = (files: KubeletFiles, cgroup: string, featureGates: Readonly<Record<string, boolean>>) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  featureGates,
  tlsCertFile: files.certificate,
  tlsPrivateKeyFile: files.key,
  authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: files.authority } },
  authorization: { mode: 'Webhook' },
  containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroup}`,
  failCgroupV1: false,
  failSwapOn: false,
  // Nobody answers there, and the network says so at once.
  clusterDNS: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  resolvConf: files.resolver,
  // The machine's disk is not the test's.
  evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'nodefs.inodesFree': '1%', 'imagefs.available': '1%' },
  imageGCHighThresholdPercent: 100,
  registryPullQPS: 0,
  eventRecordQPS: 0,
});

export const proxyConfig = (kubeconfig: string, nodeName: string, podNetwork: string) => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clientConnection: { kubeconfig },
  hostnameOverride: nodeName,
  mode: 'iptables',
  clusterCIDR: podNetwork,
  // These are the whole machine's settings.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
});
