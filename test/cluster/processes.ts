import { readdirSync, readFileSync } from 'node:fs';

/** Every program of a cluster carries it, and hands it on to what it starts itself. */
export const MARK = 'CDSP_TEST_CLUSTER';

const numbers = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

const read = (pid: string, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    // It has ended, or belongs to somebody else.
    return '';
  }
};

/**
 * The processes of a cluster: its programs have its id in their environment, its containers are in its cgroup. A zombie has
 * no environment and is in no cgroup of a cluster that is gone.
 */
export function processesOf(id: string): number[] {
  const isOurs = (pid: string) =>
    read(pid, 'environ').split('\0').includes(`${MARK}=${id}`) || read(pid, 'cgroup').includes(`:/cdsp-${id}/`);
  return numbers().filter(isOurs).map(Number);
}

/** A child of a process, by its number on this machine. */
export function childOf(parent: number): number | undefined {
  const parentOf = (pid: string) => {
    // The command, in parentheses, may itself hold blanks and parentheses.
    const stat = read(pid, 'stat');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  };
  const child = numbers().find((pid) => parentOf(pid) === parent);
  return child === undefined ? undefined : Number(child);
}

/** Resident memory of a process in megabytes. */
export function residentMegabytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}
