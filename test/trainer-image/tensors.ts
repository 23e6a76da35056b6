// Tensors for tests: from lists, from noise, and compared with lists.
import * as assert from 'uvu/assert';
import { createRandom } from '../../trainer-image/data/random.ts';
import { tf, type Tensor4D } from '../../trainer-image/tf.ts';

export type Shape4 = [number, number, number, number];

/** A float32 tensor of four axes. */
export function tensor4(data: ArrayLike<number>, shape: readonly number[]): Tensor4D {
  assert.is(shape.length, 4);
  return tf.tensor4d(Float32Array.from(data), [...shape] as Shape4);
}

/** Values between -1 and 1 that depend on `seeds` alone. */
export function noise(length: number, ...seeds: (number | string)[]): Float32Array {
  const random = createRandom(...seeds);
  return Float32Array.from({ length }, () => 2 * random() - 1);
}

export function noise4(shape: Shape4, ...seeds: (number | string)[]): Tensor4D {
  return tensor4(noise(shape[0] * shape[1] * shape[2] * shape[3], ...seeds), shape);
}

/** Refuses values that differ by more than `tolerance`, relative to the largest expected magnitude (at least to 1e-3). */
export function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance = 1e-5): void {
  assert.is(actual.length, expected.length, `${what}: number of values`);
  const scale = Math.max(1e-3, ...Array.from(expected, Math.abs));
  for (let i = 0; i < expected.length; i++) {
    const isNear = Math.abs(actual[i] - expected[i]) <= tolerance * scale;
    assert.ok(isNear, `${what}: value ${i} is ${actual[i]}, should be ${expected[i]} (largest ${scale})`);
  }
}

/** Refuses a computation after which there are not `kept` tensors more than before. */
export function assertTensorsKept(kept: number, compute: () => void, what: string): void {
  const before = tf.memory().numTensors;
  compute();
  assert.is(tf.memory().numTensors - before, kept, `${what}: tensors more than before`);
}
