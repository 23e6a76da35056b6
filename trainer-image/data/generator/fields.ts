import { noiseField } from '../noise.ts';
import type { Field } from '../noise.ts';
import type { Random } from '../random.ts';
import { between, clamp, pick } from './canvas.ts';

/** Turns by a random angle about the middle, and bends by noise, by at most `bend` of the scene's side. */
function warp(random: Random, bend: number): (x: number, y: number) => [number, number] {
  const angle = random() * 2 * Math.PI;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [bendX, bendY] = [noiseField(random, 4, 1), noiseField(random, 4, 1)];
  return (x, y) => {
    let [u, v] = [x - 0.5, y - 0.5];
    if (bend > 0) [u, v] = [u + (bendX(x, y) - 0.5) * 2 * bend, v + (bendY(x, y) - 0.5) * 2 * bend];
    return [cos * u + sin * v, cos * v - sin * u];
  };
}

function gradient(random: Random): Field {
  const turn = warp(random, 0.05);
  return (x, y) => clamp(turn(x, y)[0] + 0.5, 0, 1);
}

function halo(random: Random): Field {
  const [centreX, centreY, radius] = [random(), random(), between(random, 0.5, 1.1)];
  return (x, y) => clamp(Math.sqrt((x - centreX) ** 2 + (y - centreY) ** 2) / radius, 0, 1);
}

function clouds(random: Random): Field {
  const noise = noiseField(random, between(random, 2, 7), 4);
  return (x, y) => clamp((noise(x, y) - 0.5) * 1.8 + 0.5, 0, 1);
}

function stripes(random: Random): Field {
  const turn = warp(random, pick(random, [0, 0.06, 0.15]));
  const count = between(random, 4, 14);
  return (x, y) => 0.5 + 0.5 * Math.sin(2 * Math.PI * count * turn(x, y)[0]);
}

function checks(random: Random): Field {
  const turn = warp(random, pick(random, [0, 0.03, 0.08]));
  const count = between(random, 4, 10);
  const shades = Float32Array.from({ length: 64 }, random);
  const shaded = random() < 0.5;
  return (x, y) => {
    const [u, v] = turn(x, y);
    const [column, row] = [Math.floor(u * count + 32), Math.floor(v * count + 32)];
    return shaded ? shades[(column * 13 + row * 29) & 63] : (column + row) & 1;
  };
}

function bricks(random: Random): Field {
  const turn = warp(random, 0.01);
  const count = between(random, 5, 10);
  const shades = Float32Array.from({ length: 64 }, random);
  return (x, y) => {
    const [u, v] = turn(x, y);
    const row = Math.floor(v * count + 32);
    const along = u * count * 0.5 + 32 + (row & 1) / 2;
    const column = Math.floor(along);
    const mortar = Math.min(along - column, 1) < 0.06 || v * count + 32 - row < 0.12;
    return mortar ? 0 : 0.4 + 0.6 * shades[(column * 17 + row * 31) & 63];
  };
}

/** Cells around random points; the value is the cell's own shade. */
function cells(random: Random): Field {
  const points = Array.from({ length: 10 + Math.floor(random() * 30) }, () => ({ x: random(), y: random(), shade: random() }));
  return (x, y) => {
    let [nearest, shade] = [Infinity, 0];
    for (const point of points) {
      const distance = (x - point.x) ** 2 + (y - point.y) ** 2;
      if (distance < nearest) [nearest, shade] = [distance, point.shade];
    }
    return shade;
  };
}

function blobs(random: Random): Field {
  const noise = noiseField(random, between(random, 3, 8), 1);
  const steps = 2 + Math.floor(random() * 3);
  return (x, y) => Math.round(clamp((noise(x, y) - 0.5) * 1.6 + 0.5, 0, 1) * steps) / steps;
}

/** Layers of hills under a sky. */
function hills(random: Random): Field {
  const layers = 2 + Math.floor(random() * 3);
  const outlines = Array.from({ length: layers }, () => noiseField(random, between(random, 2, 5), 3));
  return (x, y) => {
    let layer = 0;
    while (layer < layers && y > 0.25 + (0.65 * layer) / layers + (outlines[layer](x, layer) - 0.5) * 0.35) layer++;
    return layer === 0 ? 0.25 * y : (layer + 0.3 * y) / (layers + 0.3);
  };
}

/** All patterns, and whether they have hard edges, which take more samples a pixel. */
export const FIELDS: readonly { readonly make: (random: Random) => Field; readonly hard: boolean }[] = [
  { make: gradient, hard: false },
  { make: halo, hard: false },
  { make: clouds, hard: false },
  { make: stripes, hard: false },
  { make: checks, hard: true },
  { make: bricks, hard: true },
  { make: cells, hard: true },
  { make: blobs, hard: true },
  { make: hills, hard: true },
];
