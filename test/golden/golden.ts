// The one reader of the golden cases: arrays computed in float64 by an independent implementation.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** An array of a golden file, row-major. */
export interface GoldenArray {
  readonly shape: number[];
  readonly data: number[];
}

const DEFAULT_FOLDER = fileURLToPath(new URL('../../../shared/golden', import.meta.url));

/** The folder named by GOLDEN_DIR; without it, shared/golden beside the checkout. */
const goldenFolder = process.env.GOLDEN_DIR === undefined ? DEFAULT_FOLDER : resolve(process.env.GOLDEN_DIR);

/** The cases are not part of the repository: only where GOLDEN_DIR names them must they be there. */
const isAbsent = process.env.GOLDEN_DIR === undefined && !existsSync(goldenFolder);

function readGolden<Content>(name: string): Content {
  return JSON.parse(readFileSync(join(goldenFolder, name), 'utf8')) as Content;
}

/** Calls `define`, which defines tests, with each case of a golden file; skips where there is no golden folder. */
export function eachGoldenCase<Case>(name: string, define: (golden: Case, index: number) => void): void {
  if (isAbsent) return test.skip(`${name}: no golden folder; name one in GOLDEN_DIR`);
  const { cases } = readGolden<{ cases: Case[] }>(name);
  test(`${name} holds cases`, () => assert.ok(cases.length > 0));
  cases.forEach(define);
}

/** Calls `define` with each network of the golden folder and the path of its weights. */
export function eachGoldenNetwork<Network>(define: (name: string, golden: Network, weights: string) => void): void {
  if (isAbsent) return test.skip('network: no golden folder; name one in GOLDEN_DIR');
  const names = readdirSync(join(goldenFolder, 'network')).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []));
  test('the folder network holds networks', () => assert.ok(names.length > 0));
  for (const name of names) {
    define(name, readGolden<Network>(join('network', `${name}.json`)), join(goldenFolder, 'network', `${name}.safetensors`));
  }
}

/** Largest difference, relative to the largest expected magnitude (to 1 where everything expected is 0). */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.is(actual.length, expected.length);
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(actual[i] - expected[i]);
    if (Number.isNaN(distance)) return Infinity;
    difference = Math.max(difference, distance);
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return difference / (scale || 1);
}

/** Refuses a difference above `tolerance`, relative to the largest expected magnitude; float32 against float64: 1e-4. */
export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance = 1e-4): void {
  const difference = largestDifference(actual, expected);
  assert.ok(difference <= tolerance, `${what}: relative difference ${difference.toExponential(1)}, at most ${tolerance} is right`);
}

/** As assertClose, for two numbers. */
export function assertCloseNumbers(actual: number, expected: number, what: string, tolerance = 1e-4): void {
  assertClose([actual], [expected], `${what} is ${actual}, should be ${expected}`, tolerance);
}
