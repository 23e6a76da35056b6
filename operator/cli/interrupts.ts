import { EXIT_CODES } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The first Ctrl-C (or SIGTERM, SIGHUP) asks for an orderly end through the signal, a second one ends this process; its stages
 * notice and keep a checkpoint all the same.
 */
export function catchInterrupts(say: (message: string) => void): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const handle = () => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.interrupted);
    say('Stopping: the running stage keeps a checkpoint. The same command resumes. (Once more to leave at once.)');
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, handle);
  return {
    signal: controller.signal,
    release() {
      for (const name of SIGNALS) process.off(name, handle);
    },
  };
}
