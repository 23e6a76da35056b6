import type { Random } from './random.ts';

/** A pattern: a number in [0, 1] for every point of the plane. */
export type Field = (x: number, y: number) => number;

const LATTICE = 32;

/** Value noise: random numbers at whole coordinates, smoothly joined; `frequency` cells over a distance of 1, each octave half as strong. */
export function noiseField(random: Random, frequency: number, octaves: number): Field {
  const values = Float32Array.from({ length: LATTICE * LATTICE }, random);
  const at = (x: number, y: number) => values[(y & (LATTICE - 1)) * LATTICE + (x & (LATTICE - 1))];
  const octave = (x: number, y: number) => {
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [dx, dy] = [x - left, y - top];
    const [wx, wy] = [dx * dx * (3 - 2 * dx), dy * dy * (3 - 2 * dy)];
    const above = at(left, top) + (at(left + 1, top) - at(left, top)) * wx;
    const below = at(left, top + 1) + (at(left + 1, top + 1) - at(left, top + 1)) * wx;
    return above + (below - above) * wy;
  };
  return (x, y) => {
    let [sum, weight, total, scale] = [0, 1, 0, frequency];
    for (let o = 0; o < octaves; o++) {
      sum += weight * octave(x * scale + 7.3 * o, y * scale + 3.1 * o);
      total += weight;
      weight /= 2;
      scale *= 2;
    }
    return sum / total;
  };
}
