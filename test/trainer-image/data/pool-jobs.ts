import { BadInputError } from '../../../trainer-image/errors.ts';
import { WithTransfer } from '../../../trainer-image/data/thread-pool.ts';

// Jobs that the worker pool's tests run in its threads.

export function multiply(task: number, factor: number): number {
  return task * factor;
}

/** Later tasks finish first: a task waits for as many turns of the event loop as its value says. */
export async function wait(turns: number): Promise<number> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  return turns;
}

export function refuse(task: number): number {
  if (task === 3) throw new BadInputError('three is bad', { file: 'three.txt', field: 'spec.three' });
  if (task === 5) throw new Error('five broke');
  return task;
}

export function die(task: number): number {
  if (task === 2) process.exit(7);
  return task;
}

export function buffer(length: number): WithTransfer {
  const data = new Float32Array(length).fill(1.5);
  return new WithTransfer({ data }, [data.buffer]);
}

export function neverReturn(): Promise<void> {
  return new Promise(() => undefined);
}

export function countUp(task: { readonly counter: Int32Array }): number {
  return Atomics.add(task.counter, 0, 1);
}
