import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ParameterStore } from '../model/parameters.ts';
import type { NamedArrays } from '../model/weights/elements.ts';
import { readSafetensors, writeSafetensors } from '../model/weights/safetensors.ts';
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

/** Writes the checkpoint of the state before `step`, then removes older ones. */
export function writeCheckpoint(folder: string, step: number, parameters: ParameterStore, optimizer: Sgd): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `step-${String(step).padStart(9, '0')}.safetensors`);
  writeSafetensors(file, new Map([...prefixed(WEIGHT, parameters.export()), ...prefixed(VELOCITY, optimizer.export())]));
  for (const old of checkpoints(folder)) if (old.step < step) rmSync(old.file);
}

/** Restores the newest checkpoint; returns the step to go on with, 0 where there is none. */
export function restoreCheckpoint(folder: string, parameters: ParameterStore, optimizer: Sgd): number {
  const newest = checkpoints(folder).at(-1);
  if (newest === undefined) return 0;
  const arrays = readSafetensors(newest.file);
  parameters.load(withPrefix(WEIGHT, arrays));
  optimizer.load(withPrefix(VELOCITY, arrays));
  return newest.step;
}
