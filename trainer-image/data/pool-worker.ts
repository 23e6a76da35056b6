// The script of a pool's worker threads: imports the job's module, then answers one task after the other.
import { parentPort, workerData } from 'node:worker_threads';
import { BadInputError } from '../errors.ts';
import { fileSystemError } from '../file-system-error.ts';
import { WithTransfer } from './thread-pool.ts';
import type { PoolReply, PoolRequest, PoolSetup } from './thread-pool.ts';

type Job = (task: unknown, context: unknown) => unknown;

function describe(error: unknown): PoolReply['error'] {
  const known = error instanceof BadInputError ? error : fileSystemError(error);
  if (known !== undefined) return { bad: true, message: known.message, file: known.file, field: known.field };
  return { bad: false, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

async function main(): Promise<void> {
  const { module, job: name, context } = workerData as PoolSetup;
  const job = ((await import(module)) as Record<string, unknown>)[name] as Job;
  const answer = async ({ id, task }: PoolRequest) => {
    try {
      const result = await job(task, context);
      const { value, transfer } = result instanceof WithTransfer ? result : new WithTransfer(result, []);
      parentPort?.postMessage({ id, value } satisfies PoolReply, transfer);
    } catch (error) {
      parentPort?.postMessage({ id, error: describe(error) } satisfies PoolReply);
    }
  };
  parentPort?.on('message', (request: PoolRequest) => void answer(request));
}

await main();
