import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BadInputError } from '../errors.ts';
import { fileSystemError } from '../file-system-error.ts';
import type { ParameterStore } from '../model/parameters.ts';
import { arraysOnDemand, type NamedArray, type NamedArrays } from '../model/weights/elements.ts';
import { writeBytesAtomically } from '../model/weights/files.ts';
import { readSafetensors, safetensorsPieces } from '../model/weights/safetensors.ts';
import type { Sgd } from './sgd.ts';

/**
 * Everything that a training needs to go on as if it had not been interrupted: weights, batch-norm statistics, the optimiser's
 * velocities and the step. Random numbers are drawn from (seed, step), so their state is the step. One file, written by rename.
 */
const FILE = /^step-(\d{9})\.safetensors$/;
const WEIGHT = 'weight:';
const VELOCITY = 'velocity:';

function prefixed(prefix: string, arrays: NamedArrays): [string, { shape: number[]; data: Float32Array }][] {
  return [...arrays].map(([name, array]) => [prefix + name, array]);
}

function withPrefix(prefix: string, arrays: NamedArrays): NamedArrays {
  return new Map([...arrays].filter(([name]) => name.startsWith(prefix)).map(([name, array]) => [name.slice(prefix.length), array]));
}

function checkpoints(folder: string): { file: string; step: number }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const match = FILE.exec(name);
      return match === null ? [] : [{ file: join(folder, name), step: Number(match[1]) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Removes what processes that were killed left of files they wrote: each is as large as a checkpoint and has a name of its own. */
function removeLeftovers(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (name.endsWith('.tmp')) rmSync(join(folder, name), { force: true });
}

/** Gives memory back at once: a checkpoint is twice the network, and the garbage collector lets several pile up. */
function release({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

class NotFinite extends Error {
  readonly parameter: string;

  constructor(parameter: string) {
    super(`${parameter} is not finite`);
    this.parameter = parameter;
  }
}

/** A loop, not `every`, which takes ten times as long. */
function isFiniteEverywhere(data: Float32Array): boolean {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return false;
  return true;
}

/** The same arrays, looked at when they are read, so that each is made once; a value that is not finite throws NotFinite. */
function finiteOnly(arrays: NamedArrays): NamedArrays {
  const checked = (name: string, array: NamedArray) => () => {
    const { data } = array;
    if (!isFiniteEverywhere(data)) throw new NotFinite(name);
    return data;
  };
  return arraysOnDemand([...arrays].map(([name, array]) => [name, array.shape, checked(name, array)] as const));
}

function* releasing(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const piece of pieces) {
    yield piece;
    release(piece);
  }
}

/** What a person reads where a checkpoint cannot be written; undefined for what no person can mend. */
function writingError(error: unknown, folder: string, file: string, step: number): BadInputError | undefined {
  const known = fileSystemError(error, file);
  if (known === undefined) return undefined;
  const last = checkpoints(folder).at(-1);
  const next = last === undefined ? 'The next run begins this stage again' : `In this folder the next run goes on from step ${last.step}`;
  const message = `the checkpoint of step ${step} cannot be written: ${known.message}. ${next}`;
  return new BadInputError(message, { file: known.file, field: known.field, cause: error });
}

/**
 * Writes the checkpoint of the state before `step`. Older ones stay until `removeCheckpoints`: whether the state is any good shows
 * in the loss of the next step only.
 * @returns the name of a parameter that is not finite; then no checkpoint is left
 */
export function writeCheckpoint(folder: string, step: number, parameters: ParameterStore, optimizer: Sgd): string | undefined {
  const file = join(folder, `step-${String(step).padStart(9, '0')}.safetensors`);
  const weights = finiteOnly(parameters.exportOnDemand());
  const arrays = new Map([...prefixed(WEIGHT, weights), ...prefixed(VELOCITY, optimizer.exportOnDemand())]);
  try {
    mkdirSync(folder, { recursive: true });
    writeBytesAtomically(file, releasing(safetensorsPieces(arrays)));
    return undefined;
  } catch (error) {
    if (error instanceof NotFinite) return error.parameter;
    throw writingError(error, folder, file, step) ?? error;
  }
}

/** Removes the checkpoints of the steps that `isUnwanted` names. */
export function removeCheckpoints(folder: string, isUnwanted: (step: number) => boolean): void {
  for (const { file, step } of checkpoints(folder)) if (isUnwanted(step)) rmSync(file);
}

/**
 * Restores the newest checkpoint that can be read; returns the step to go on with, 0 where there is none. Checkpoints are
 * whole by construction (rename), so one that cannot be read was damaged on the disk: the work since the one before is done again.
 * It is left there all the same, since it may be only its permissions that stand in the way; the next ones take its place.
 */
export function restoreCheckpoint(
  folder: string,
  parameters: ParameterStore,
  optimizer: Sgd,
  warn: (message: string) => void = () => undefined,
): number {
  removeLeftovers(folder);
  for (const { file, step } of checkpoints(folder).reverse()) {
    try {
      const arrays = readSafetensors(file);
      parameters.load(withPrefix(WEIGHT, arrays));
      optimizer.load(withPrefix(VELOCITY, arrays));
      return step;
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      warn(`the checkpoint ${file} cannot be used and is passed over: ${error.message}`);
    }
  }
  return 0;
}
