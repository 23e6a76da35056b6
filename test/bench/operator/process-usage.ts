import { readFileSync } from 'node:fs';

/** Memory of a process, in megabytes (10^6 bytes). */
export interface Memory {
  /** Resident now. */
  readonly resident: number;
  /** The most that was resident since it started. */
  readonly peak: number;
}

/** @param status text of /proc/PID/status */
export function parseMemory(status: string): Memory {
  const field = (name: string) => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    if (kibibytes === undefined) throw new Error(`the process has no ${name}; it has ended`);
    return (Number(kibibytes) * 1024) / 1e6;
  };
  return { resident: field('VmRSS'), peak: field('VmHWM') };
}

/** Ticks of the kernel's clock in a second, the same on every Linux that Node runs on. */
const TICKS = 100;

/** @param stat text of /proc/PID/stat @returns seconds of CPU that the process has used, in user and kernel mode */
export function parseCpuSeconds(stat: string): number {
  // The command, in parentheses, may itself hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, kernel] = [Number(fields[11]), Number(fields[12])];
  return (user + kernel) / TICKS;
}

export const memoryOf = (pid: number): Memory => parseMemory(readFileSync(`/proc/${pid}/status`, 'utf8'));
export const cpuSecondsOf = (pid: number): number => parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));
