import { EXIT_CODES } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Calls `handle` on Ctrl-C, SIGTERM and SIGHUP, until what it returns is called. */
function onInterrupt(handle: () => void): () => void {
  for (const name of SIGNALS) process.on(name, handle);
  return () => {
    for (const name of SIGNALS) process.off(name, handle);
  };
}

/**
 * The first interruption asks for an orderly end through the signal; a second one ends this process, and its stages notice
 * and keep a checkpoint all the same.
 * @param say tells the person what happens
 * @param close leaves the terminal in order
 */
export function catchInterrupts(
  say: (message: string) => void,
  close: () => void,
): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const release = onInterrupt(() => {
    if (controller.signal.aborted) leave(close);
    say('Stopping: the running stage keeps a checkpoint. The same command resumes. (Once more to leave at once.)');
    controller.abort();
  });
  return { signal: controller.signal, release };
}

/** For work that is quickly done again: an interruption ends the process, with the terminal in order. */
export function leaveOnInterrupt(close: () => void): { readonly release: () => void } {
  return { release: onInterrupt(() => leave(close)) };
}

function leave(close: () => void): never {
  close();
  process.exit(EXIT_CODES.interrupted);
}
