import { WATCH_STDIN_ENVIRONMENT } from '../operator/api/stage-contract.ts';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Aborts when the stage has to stop: on SIGTERM, SIGINT or SIGHUP, or when its parent is gone. The reason is a sentence for
 * people. The stage then keeps a checkpoint and exits with EXIT.interrupted. Call it first in main: whoever starts a stage in
 * place of a dead parent relies on the old one not beginning to work.
 *
 * A parent that was killed also leaves broken pipes behind. Writing to them must not end the stage before its checkpoint is
 * kept, so their errors are swallowed.
 */
export function watchInterruption(): AbortSignal {
  const controller = new AbortController();
  const stop = (why: string) => controller.abort(why);
  for (const signal of SIGNALS) process.on(signal, () => stop(`received ${signal}`));
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  if (process.env[WATCH_STDIN_ENVIRONMENT] === '1') {
    const gone = () => stop('the process that started the stage is gone');
    process.stdin.on('end', gone).on('close', gone).on('error', gone).resume();
    // The watch alone must not keep the process alive. (The type lacks unref: a file as input has none.)
    (process.stdin as { unref?: () => void }).unref?.();
  }
  return controller.signal;
}
