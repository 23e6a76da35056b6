import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processesOf } from './processes.ts';

/** What is left of a cluster on this machine; each is found by the cluster's id, so nothing has to be written down before it is made. */
export interface Leftovers {
  readonly processes: readonly number[];
  readonly links: readonly string[];
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  readonly folders: readonly string[];
}

const FOLDER_PREFIX = 'cdsp-cluster-';
const NETWORK = '/sys/class/net';
const CGROUPS = '/sys/fs/cgroup';
const POLL_MS = 20;
const PATIENCE_MS = 60_000;

export const folderOf = (id: string) => join(tmpdir(), `${FOLDER_PREFIX}${id}`);
export const idOfFolder = (folder: string) => basename(folder).slice(FOLDER_PREFIX.length);
export const clusterFolders = () => globSync(`${FOLDER_PREFIX}*`, { cwd: tmpdir() }).map((name) => join(tmpdir(), name));
/** Below the root of each cgroup hierarchy. */
export const cgroupOf = (id: string) => `cdsp-${id}`;
/**
 * The hardware address of a link of the cluster: 0 is its bridge, the others belong to its nodes. Unlike an alias it is there from the
 * moment the link is.
 */
export const hardwareAddressOf = (id: string, number = 0) =>
  ['02', number.toString(16).padStart(2, '0'), ...(id.match(/../g) ?? [])].join(':');

/** The roots of all cgroup hierarchies: one on cgroup v2, one for each controller on v1. */
export function cgroupRoots(): string[] {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [CGROUPS];
  return existsSync(CGROUPS)
    ? readdirSync(CGROUPS, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [join(CGROUPS, entry.name)] : []))
    : [];
}

function linksOf(id: string): string[] {
  if (!existsSync(NETWORK)) return [];
  return readdirSync(NETWORK).filter((name) => {
    try {
      return (
        readFileSync(join(NETWORK, name, 'address'), 'utf8')
          .trim()
          .replace(/^02:..:/, '02:00:') === hardwareAddressOf(id)
      );
    } catch {
      return false;
    }
  });
}

function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path === folder || path.startsWith(`${folder}/`));
}

export function leftoversOf(id: string): Leftovers {
  const folder = folderOf(id);
  return {
    processes: processesOf(id),
    links: linksOf(id),
    mounts: mountsBelow(folder),
    cgroups: cgroupRoots()
      .map((root) => join(root, cgroupOf(id)))
      .filter((path) => existsSync(path)),
    folders: existsSync(folder) ? [folder] : [],
  };
}

export const isClean = (leftovers: Leftovers) => Object.values(leftovers).every((list: readonly unknown[]) => list.length === 0);

/** What another one has just ended or removed is no trouble. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // What is still there is found in the next round.
  }
}

function removeCgroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeCgroup(join(folder, entry.name));
  attempt(() => rmdirSync(folder));
}

function removeOnce({ processes, links, mounts, cgroups, folders }: Leftovers): void {
  for (const pid of processes) attempt(() => process.kill(pid, 'SIGKILL'));
  if (processes.length > 0) return;
  for (const link of links) attempt(() => execFileSync('ip', ['link', 'delete', link], { stdio: 'ignore' }));
  for (const mount of [...mounts].reverse()) attempt(() => execFileSync('umount', ['--lazy', mount], { stdio: 'ignore' }));
  for (const cgroup of cgroups) attempt(() => removeCgroup(cgroup));
  // Never into a file system that is still mounted there.
  if (mounts.length === 0) for (const folder of folders) attempt(() => rmSync(folder, { recursive: true, force: true }));
}

/** Ends and removes all of a cluster, whoever started it. */
export async function cleanUp(id: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (let left = leftoversOf(id); !isClean(left); left = leftoversOf(id)) {
    if (performance.now() > until) throw new Error(`test cluster ${id} cannot be removed: ${JSON.stringify(left)}`);
    removeOnce(left);
    await delay(POLL_MS);
  }
}
