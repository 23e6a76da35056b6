import type { StageName } from '../../operator/api/experiment.ts';
import { SHARD_ENVIRONMENTS, type StageInput } from '../../operator/api/stage-contract.ts';
import { BadInputError } from '../errors.ts';

/** One of the processes that share a stage. */
export interface Shard {
  /** From 0. */
  readonly number: number;
  readonly of: number;
}

/** Stages whose images can be shared. */
const SHARED: readonly StageName[] = ['pseudo-label', 'evaluate'];

/**
 * Which of its stage's processes this one is.
 * @param environment that of the process
 * @throws BadInputError where the stage cannot be shared or the number is missing or none of the shards'
 */
export function readShard({ stage, shards = 1 }: Pick<StageInput, 'stage' | 'shards'>, environment: NodeJS.ProcessEnv): Shard {
  if (shards === 1) return { number: 0, of: 1 };
  if (!SHARED.includes(stage)) {
    throw new BadInputError(`${stage} cannot be shared by ${shards} processes; leave shards out (only ${SHARED.join(' and ')} can)`, {
      field: 'shards',
    });
  }
  const name = SHARD_ENVIRONMENTS.find((variable) => environment[variable] !== undefined);
  const text = name === undefined ? '' : (environment[name] ?? '');
  const field = name ?? SHARD_ENVIRONMENTS[0];
  const wanted = `set ${field} to the number of this process, 0 to ${shards - 1}`;
  if (name === undefined) throw new BadInputError(`the stage has ${shards} shards, but nothing says which this is; ${wanted}`, { field });
  if (!/^\d{1,9}$/.test(text) || Number(text) >= shards) {
    throw new BadInputError(`"${text}" is none of the stage's ${shards} shards; ${wanted}`, { field });
  }
  return { number: Number(text), of: shards };
}
