import { execFileSync, spawnSync } from 'node:child_process';
import { hardwareAddressOf } from './clean-up.ts';

/**
 * The network of one cluster on this machine: a bridge that carries the API server's address and one interface for each node. Nothing
 * is forwarded to other networks, so no packet leaves the machine. The bridge's name is the claim on its addresses: the kernel
 * gives it to one cluster only.
 */
export interface ClusterNetwork {
  readonly bridge: string;
  /** This machine on the bridge. */
  readonly hostAddress: string;
  /** Address and pods' network of the node with this number, from 1 on. */
  node(number: number): NodeAddresses;
  readonly podNetwork: string;
}

export interface NodeAddresses {
  readonly address: string;
  readonly podNetwork: string;
  readonly prefixLength: number;
}

const NETWORKS = 32;
const PREFIX_LENGTH = 24;

export const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });

/** Whether some other interface of this machine already leads to these addresses. */
function isTaken(network: string): boolean {
  const routes = ip('-o', 'route', 'show', 'root', network);
  return routes.trim() !== '';
}

/** Takes the first free network. @throws Error where 32 clusters run already */
export function createNetwork(id: string): ClusterNetwork {
  for (let slot = 0; slot < NETWORKS; slot++) {
    const bridge = `cdsp${slot}`;
    const claimed = spawnSync('ip', ['link', 'add', bridge, 'address', hardwareAddressOf(id), 'type', 'bridge']);
    if (claimed.status !== 0) continue;
    const podNetwork = `10.${160 + slot}.0.0/16`;
    if (isTaken(`10.131.${slot}.0/${PREFIX_LENGTH}`) || isTaken(podNetwork)) {
      ip('link', 'delete', bridge);
      continue;
    }
    const hostAddress = `10.131.${slot}.1`;
    ip('address', 'add', `${hostAddress}/${PREFIX_LENGTH}`, 'dev', bridge);
    ip('link', 'set', bridge, 'up');
    return {
      bridge,
      hostAddress,
      podNetwork,
      node: (number) => ({
        address: `10.131.${slot}.${number + 1}`,
        podNetwork: `10.${160 + slot}.${number}.0/24`,
        prefixLength: PREFIX_LENGTH,
      }),
    };
  }
  throw new Error(`no network is free for a test cluster: all of 10.131.0.0/16 is in use, or bridges cannot be made here`);
}
