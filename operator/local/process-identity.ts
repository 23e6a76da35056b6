import { readFileSync } from 'node:fs';

/** A process beyond its number, which the system gives to another one in time. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start in clock ticks since boot, together with the boot's id; null where the system does not tell (no /proc). */
  readonly started: string | null;
}

function startOf(pid: number): string | null {
  try {
    // The command, in parentheses, may itself hold blanks and parentheses; field 22 is counted from behind it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${ticks}`;
  } catch {
    return null;
  }
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

export const identifyProcess = (pid: number): ProcessIdentity => ({ pid, started: startOf(pid) });

/** Whether that very process still runs, and not another one with its number. */
export function isAlive({ pid, started }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists and belongs to someone else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  if (isZombie(pid)) return false;
  const current = startOf(pid);
  return started === null || current === null || started === current;
}
