import { resolve } from 'node:path';
import type { LocalOptions } from '../local/run-experiment.ts';

/**
 * CDSP_TRAINER names a program to run the stages instead of this project's own: any that honours the stage contract. What it
 * makes has keys of its own.
 */
export function trainerOptions(environment: NodeJS.ProcessEnv): Pick<LocalOptions, 'trainer' | 'trainerVersion'> {
  const program = environment.CDSP_TRAINER;
  if (program === undefined || program === '') return {};
  const trainer = resolve(program);
  return { trainer, trainerVersion: `program ${trainer}` };
}
