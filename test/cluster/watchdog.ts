// Removes a cluster when its standard input ends: asked to by stop(), or because the process that started the cluster is gone,
// however that ended. It lives in a session of its own, so that no signal from a terminal reaches it.
import { cleanUp } from './clean-up.ts';

const [id = ''] = process.argv.slice(2);
// Whoever would read a message may be gone.
process.stderr.on('error', () => {});
process.stdin.resume();
process.stdin.on('error', () => {});
process.stdin.once('close', () => {
  cleanUp(id).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
});
