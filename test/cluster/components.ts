import { join } from 'node:path';
import { freePort } from './ports.ts';
import type { Program } from './program.ts';
import type { Workspace } from './cluster-workspace.ts';

/** Writes the kubeconfig of a part of the control plane, `kube-scheduler`, and gives its path. */
export type KubeconfigOf = (part: string) => string;

export async function startEtcd(workspace: Workspace, binary: string): Promise<{ etcd: Program; url: string }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const etcd = workspace.start('etcd', binary, [
    `--data-dir=${join(workspace.folder, 'etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // Its data end with the cluster.
    '--unsafe-no-fsync',
    '--log-level=warn',
  ]);
  const isHealthy = () =>
    fetch(`${url}/health`)
      .then(({ ok }) => ok)
      .catch(() => false);
  await etcd.waitUntil('its health', isHealthy);
  return { etcd, url };
}

/** Alone, each on a port of its own. */
async function commonArgs({ folder }: Workspace, kubeconfig: string): Promise<string[]> {
  const place = [`--secure-port=${await freePort()}`, '--bind-address=127.0.0.1', `--cert-dir=${folder}`];
  return [`--kubeconfig=${kubeconfig}`, ...place, '--leader-elect=false'];
}

export async function startControllerManager(
  workspace: Workspace,
  binary: string,
  kubeconfigOf: KubeconfigOf,
  args: readonly string[],
): Promise<Program> {
  const name = 'kube-controller-manager';
  const common = await commonArgs(workspace, kubeconfigOf(name));
  // With the usual burst of 30 requests its start, which makes an account for each controller, takes five seconds longer.
  return workspace.start(name, binary, [...common, '--use-service-account-credentials', '--kube-api-burst=150', ...args]);
}

export async function startScheduler(
  workspace: Workspace,
  binary: string,
  kubeconfigOf: KubeconfigOf,
  args: readonly string[],
): Promise<Program> {
  const name = 'kube-scheduler';
  return workspace.start(name, binary, [...(await commonArgs(workspace, kubeconfigOf(name))), ...args]);
}
