import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cgroupRoots, hardwareAddressOf } from './clean-up.ts';
import { ip } from './network.ts';
import type { ClusterNetwork } from './network.ts';
import { interfaceCommands, nodeScript } from './node-config.ts';
import { ADMINISTRATOR_PATH, NAMESPACES } from './node-requirements.ts';
import { childOf } from './processes.ts';
import type { Program } from './program.ts';
import type { Workspace } from './cluster-workspace.ts';

const execute = promisify(execFile);
const OUTPUT_BYTES = 1 << 26;
const environment = { PATH: ADMINISTRATOR_PATH };

/** An empty machine within this one: its own network, mounts and process numbers. */
export interface Namespaces {
  /** Its end is the end of all that runs inside, containers too: the kernel sees to it. */
  readonly holder: Program;
  readonly start: (name: string, command: string, ...args: string[]) => Program;
  readonly run: (command: string, ...args: string[]) => Promise<string>;
  /** Pulls the plug: the rest of the network goes when the kernel has forgotten the last connection. */
  readonly disconnect: () => void;
}

function attemptToWrite(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch {
    // See the caller.
  }
}

/** Makes a cgroup for pods. On v1 a new cpuset is empty, and no process may enter it. */
export function makeCgroup(name: string): void {
  for (const root of cgroupRoots()) {
    let folder = root;
    for (const part of name.split('/')) {
      const parent = folder;
      folder = join(folder, part);
      mkdirSync(folder, { recursive: true });
      // On v2 a cgroup hands on what its parent lets it. A machine that does not let us is one that has done so already, or the kubelet says why.
      if (!existsSync(join(root, 'tasks'))) {
        attemptToWrite(join(parent, 'cgroup.subtree_control'), '+cpu +cpuset +memory +pids');
        continue;
      }
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const path = join(folder, file);
        if (existsSync(path) && readFileSync(path, 'utf8').trim() === '') writeFileSync(path, readFileSync(join(parent, file)));
      }
    }
  }
}

/** Makes namespaces, with `folder` below their /var/lib and /var/log, and plugs them into the cluster's bridge. */
export async function createNamespaces(
  workspace: Workspace,
  network: ClusterNetwork,
  { name, number, folder }: { readonly name: string; readonly number: number; readonly folder: string },
): Promise<Namespaces> {
  const script = join(folder, 'start.sh');
  writeFileSync(script, nodeScript(folder));
  const holder = workspace.start(name, 'unshare', [...NAMESPACES, '--kill-child', 'sh', script], environment);
  await holder.waitUntil('its namespaces', () => existsSync(join(folder, 'ready')));
  const first = childOf(holder.pid);
  if (first === undefined) throw new Error(`${name} has lost its first process:\n${holder.lastLines()}`);
  const enter = ['--target', String(first), '--net', '--mount', '--pid', '--'];

  const plug = `${network.bridge}n${number}`;
  const { podNetwork, address } = network.node(number);
  ip(
    'link',
    'add',
    plug,
    'address',
    hardwareAddressOf(workspace.id, number),
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    String(first),
  );
  ip('link', 'set', plug, 'master', network.bridge, 'up');
  for (const command of interfaceCommands(network, number)) {
    execFileSync('nsenter', [...enter, 'ip', ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
  }
  ip('route', 'replace', podNetwork, 'via', address);

  return {
    holder,
    // The program ends with the nsenter in front of it, which is the process that this one can signal.
    start: (program, command, ...args) =>
      workspace.start(`${name}-${program}`, 'nsenter', [...enter, 'setpriv', '--pdeathsig', 'KILL', command, ...args], environment),
    async run(command, ...args) {
      const options = { maxBuffer: OUTPUT_BYTES, env: { ...process.env, ...environment } };
      return (await execute('nsenter', [...enter, command, ...args], options)).stdout;
    },
    disconnect: () => void ip('link', 'delete', plug),
  };
}
