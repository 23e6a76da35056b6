import { EXIT_CODES } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whether a stream's error says that nobody reads it any more: a pipe's other end is closed, or the terminal. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'EIO');
}

/** Calls `handle` on Ctrl-C, SIGTERM and SIGHUP, until what it returns is called. */
function onInterrupt(handle: () => void): () => void {
  for (const name of SIGNALS) process.on(name, handle);
  return () => {
    for (const name of SIGNALS) process.off(name, handle);
  };
}

/**
 * The first interruption asks for an orderly end through the signal; a second one ends this process, and its stages notice
 * and keep a checkpoint all the same. Results that nobody reads any more are an interruption, too, but never a second one.
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
  const stopForReader = (error: unknown) => {
    if (isReaderGone(error)) controller.abort();
  };
  process.stdout.on('error', stopForReader);
  return {
    signal: controller.signal,
    release: () => {
      release();
      process.stdout.off('error', stopForReader);
    },
  };
}

/** For work that is quickly done again: an interruption ends the process, with the terminal in order. */
export function leaveOnInterrupt(close: () => void): { readonly release: () => void } {
  return { release: onInterrupt(() => leave(close)) };
}

function leave(close: () => void): never {
  close();
  process.exit(EXIT_CODES.interrupted);
}
