import { readdirSync, readFileSync } from 'node:fs';

/** Every program of a cluster carries it, and hands it on to what it starts itself. */
export const MARK = 'CDSP_TEST_CLUSTER';

const numbers = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** The processes whose environment names the cluster. A zombie has none, so it does not count. */
export function processesOf(id: string): number[] {
  const mark = `${MARK}=${id}`;
  return numbers()
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark);
      } catch {
        // It has ended, or belongs to somebody else.
        return false;
      }
    })
    .map(Number);
}

/** Resident memory of a process in megabytes. */
export function residentMegabytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}
