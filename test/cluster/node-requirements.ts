import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian packages, each with a program of it that the harness runs. */
const FOR_NODES: readonly (readonly [name: string, program: string])[] = [
  ['containerd', 'containerd'],
  ['runc', 'runc'],
  ['containernetworking-plugins', '/usr/lib/cni/bridge'],
  ['busybox-static', 'busybox'],
  ['iptables', 'iptables'],
  ['conntrack', 'conntrack'],
  ['iproute2', 'ip'],
];
const FOR_IMAGES: readonly (readonly [name: string, program: string])[] = [
  ['buildah', 'buildah'],
  ['debootstrap', 'debootstrap'],
];

/** All that `apt-get install` has to bring for nodes and images. */
export const NODE_PACKAGES: readonly string[] = [...FOR_NODES, ...FOR_IMAGES].map(([name]) => name);

/** Programs of the administrator are not in everybody's PATH. */
export const ADMINISTRATOR_PATH = [process.env.PATH ?? '', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].join(delimiter);

/** The program's path, or undefined where it is not installed. */
export function findInstalledProgram(program: string): string | undefined {
  if (program.startsWith('/')) return existsSync(program) ? program : undefined;
  return ADMINISTRATOR_PATH.split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file));
}

export const installCommand = (packages: readonly string[]) => `apt-get install -y --no-install-recommends ${packages.join(' ')}`;

/** The namespaces that a node lives in; a container without privileges cannot make them. */
export const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--propagation', 'private'] as const;

/**
 * Arguments of `unshare` in front of a program that mounts things for a while: they go with it, and it goes with this process, so
 * that one that fails or is interrupted leaves nothing mounted.
 */
export const INTERRUPTIBLE = ['--mount', '--propagation', 'private', 'setpriv', '--pdeathsig', 'KILL'] as const;

function whyNoNamespaces(): string | undefined {
  const tried = spawnSync('unshare', [...NAMESPACES, 'ip', 'link', 'add', 'cdsp-try', 'type', 'bridge'], { encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  return `a node needs namespaces of its own and a bridge, which this machine refuses (${(tried.error?.message ?? tried.stderr).trim()})`;
}

/** Why no node can run here, with the command that helps, or undefined where one can. */
export function missingForNode({ images = false }: { readonly images?: boolean } = {}): string | undefined {
  if (process.platform !== 'linux') return `a node needs Linux, this is ${process.platform}`;
  const wanted = images ? [...FOR_NODES, ...FOR_IMAGES] : FOR_NODES;
  const missing = wanted.filter(([, program]) => findInstalledProgram(program) === undefined).map(([name]) => name);
  if (missing.length > 0) return `a node needs ${missing.join(', ')}; as root: ${installCommand(missing)}`;
  if (process.getuid?.() !== 0) return 'a node needs root';
  return whyNoNamespaces();
}
