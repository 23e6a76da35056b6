import { EXIT } from '../api/stage-contract.ts';

/** What the end of a stage's process means. */
export type Ending = 'succeeded' | 'interrupted' | 'failed';

/** Signals by which a process is asked or forced to go, as opposed to those by which it crashes (SIGSEGV, SIGABRT …). */
const STOPPING_SIGNALS: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/**
 * @param code exit code; containers report signal n as 128 + n
 * @param signal name of the signal that ended it, if one did
 */
export function classifyExit(code: number | null, signal: string | null): Ending {
  if (signal !== null) return signal in STOPPING_SIGNALS ? 'interrupted' : 'failed';
  if (code === EXIT.success) return 'succeeded';
  const isStopped = code === EXIT.interrupted || Object.values(STOPPING_SIGNALS).some((number) => code === 128 + number);
  return isStopped ? 'interrupted' : 'failed';
}
