import type { Point } from './brush.ts';
import { noiseField } from './noise.ts';
import type { Random } from './random.ts';
import type { LabelMap } from './types.ts';

/** A connected part of a mask: its pixels in a rectangle of their own, one pixel larger than them on each side. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly size: number;
  /** 1 inside the region. */
  readonly inside: Uint8Array;
}

/** @param pixels indices into the map */
export function createRegion(map: LabelMap, pixels: Int32Array): Region {
  let [left, right, top, bottom] = [map.width, 0, map.height, 0];
  for (const pixel of pixels) {
    const x = pixel % map.width;
    const y = (pixel - x) / map.width;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const [width, height] = [right - left + 3, bottom - top + 3];
  const inside = new Uint8Array(width * height);
  for (const pixel of pixels) {
    const x = pixel % map.width;
    inside[((pixel - x) / map.width - top + 1) * width + x - left + 1] = 1;
  }
  return { left: left - 1, top: top - 1, width, height, size: pixels.length, inside };
}

/** Steps to the eight neighbours; 5 and 7 stand for 1 and √2. */
function neighbourSteps(width: number): readonly (readonly [offset: number, length: number])[] {
  return [
    [-1, 5],
    [1, 5],
    [-width, 5],
    [width, 5],
    [-width - 1, 7],
    [-width + 1, 7],
    [width - 1, 7],
    [width + 1, 7],
  ];
}

/** Distance of each pixel to the nearest one outside the region, in fifths of a pixel (two passes of a 5-7 chamfer, within 2 % or so). */
function depthOf({ width, height, inside }: Region): Int32Array {
  const depth = new Int32Array(width * height);
  const relax = (pixel: number, back: number) => {
    // `back` is -1 in the first pass and 1 in the second.
    let best = depth[pixel];
    best = Math.min(best, depth[pixel + back] + 5, depth[pixel + back * width] + 5);
    best = Math.min(best, depth[pixel + back * width - 1] + 7, depth[pixel + back * width + 1] + 7);
    depth[pixel] = best;
  };
  for (let i = 0; i < depth.length; i++) depth[i] = inside[i] === 1 ? 1 << 28 : 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) if (inside[y * width + x] === 1) relax(y * width + x, -1);
  }
  for (let y = height - 2; y > 0; y--) {
    for (let x = width - 2; x > 0; x--) if (inside[y * width + x] === 1) relax(y * width + x, 1);
  }
  return depth;
}

/** Every `stride`-th pixel of a region, those left out that lie too near the outline for the straight line to a neighbour to stay inside. */
interface Grid {
  readonly width: number;
  readonly height: number;
  readonly inside: Uint8Array;
  readonly size: number;
  readonly depth: Int32Array;
  readonly stride: number;
}

/** Points across a region are enough to find a way through it; more only cost time. */
const GRID_SIDE = 64;

function createGrid(region: Region): Grid {
  const fine = depthOf(region);
  const deepest = fine.reduce((most, depth) => Math.max(most, depth), 0);
  const stride = Math.max(1, Math.min(Math.ceil(Math.max(region.width, region.height) / GRID_SIDE), Math.floor(deepest / 5 / 4)));
  const least = stride === 1 ? 1 : 5 * 1.5 * stride;
  const [width, height] = [Math.ceil(region.width / stride) + 1, Math.ceil(region.height / stride) + 1];
  const inside = new Uint8Array(width * height);
  const depth = new Int32Array(width * height);
  let size = 0;
  for (let y = 0; y * stride < region.height; y++) {
    for (let x = 0; x * stride < region.width; x++) {
      const i = y * width + x;
      depth[i] = fine[y * stride * region.width + x * stride];
      if (depth[i] < least) continue;
      inside[i] = 1;
      size++;
    }
  }
  return { width, height, inside, size, depth, stride };
}

interface Reached {
  /** Cost of the cheapest way to each point. */
  readonly cost: Int32Array;
  readonly previous: Int32Array;
  /** The points that were reached, in order of cost. */
  readonly order: Int32Array;
}

/** Longest step: a diagonal one over the dearest pixel, see `priceOf`. */
const BUCKETS = 128;

/**
 * Cheapest ways from one point to all others that can be reached: Dijkstra, with a ring of buckets in the place of a heap, since a
 * step costs a whole number below BUCKETS.
 */
function cheapestWays({ width, inside, size }: Grid, price: Uint8Array, start: number): Reached {
  const cost = new Int32Array(inside.length).fill(0x7fffffff);
  const previous = new Int32Array(inside.length).fill(-1);
  const order = new Int32Array(size);
  const settled = new Uint8Array(inside.length);
  const steps = neighbourSteps(width);
  const ring = Array.from({ length: BUCKETS }, (): number[] => []);
  ring[0].push(start);
  cost[start] = 0;
  let [count, waiting] = [0, 1];
  for (let now = 0; waiting > 0; now++) {
    const bucket = ring[now % BUCKETS];
    for (const pixel of bucket) {
      if (settled[pixel] === 1) continue;
      settled[pixel] = 1;
      order[count++] = pixel;
      for (const [offset, length] of steps) {
        const next = pixel + offset;
        if (inside[next] === 0) continue;
        const total = now + length * price[next];
        if (total >= cost[next]) continue;
        cost[next] = total;
        previous[next] = pixel;
        ring[total % BUCKETS].push(next);
        waiting++;
      }
    }
    waiting -= bucket.length;
    bucket.length = 0;
  }
  return { cost, previous, order: order.subarray(0, count) };
}

/** What a point costs to cross, from 2 in the middle of the region to 17 at its outline, by a random pattern of low frequency. */
function priceOf({ width, height, inside, depth }: Grid, middle: number, random: Random): Uint8Array {
  const waver = noiseField(random, 6, 1);
  const price = new Uint8Array(inside.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (inside[i] === 0) continue;
      const edge = 1 - Math.min(1, depth[i] / middle);
      price[i] = 2 + Math.round(10 * edge * edge + 5 * waver(x / width, y / height));
    }
  }
  return price;
}

/** The points of a way in the region's pixels, with the ones between the grid's put in. */
function pointsOf(pixels: readonly number[], { width, stride }: Grid): Point[] {
  const coarse = pixels.map((pixel) => ({ x: (pixel % width) * stride, y: Math.floor(pixel / width) * stride }));
  return coarse.flatMap((point, i) => {
    const from = coarse[Math.max(0, i - 1)];
    const steps = i === 0 ? 1 : stride;
    return Array.from({ length: steps }, (_, step) => {
      const share = (step + 1) / steps;
      return { x: from.x + (point.x - from.x) * share, y: from.y + (point.y - from.y) * share };
    });
  });
}

/**
 * The way that a hand would take through a region: from end to end, away from its outline, wavering a little.
 * Ways near the outline cost more, and low-frequency noise makes no two hands alike; the path joins two of the points that lie
 * farthest apart.
 * @returns at least one point; each is at most √2 pixels from the next
 */
export function findPath(region: Region, random: Random): Point[] {
  const grid = createGrid(region);
  const { depth } = grid;
  let deepest = 0;
  for (let i = 1; i < depth.length; i++) if (depth[i] > depth[deepest]) deepest = i;
  // Deeper than this counts as the middle: large regions are not confined to their one deepest line.
  const middle = Math.max(1, Math.min(depth[deepest], 5 * 0.12 * Math.max(region.width, region.height)));
  const price = priceOf(grid, middle, random);
  const isEnd = (pixel: number) => depth[pixel] >= 0.45 * middle;
  const farEnds = (from: number, share: number): [Reached, number] => {
    const reached = cheapestWays(grid, price, from);
    const ends = reached.order.filter(isEnd);
    const limit = share * reached.cost[ends[ends.length - 1]];
    const near = ends.findIndex((pixel) => reached.cost[pixel] >= limit);
    return [reached, ends[near + Math.floor(random() * (ends.length - near))]];
  };
  const [, first] = farEnds(deepest, 0.9);
  const [reached, last] = farEnds(first, 0.85);
  const path: number[] = [];
  for (let pixel = last; pixel >= 0; pixel = reached.previous[pixel]) path.push(pixel);
  return pointsOf(path, grid);
}

/**
 * Rounds a path of pixels off, as far as it stays inside the region: a running mean over `reach` points to either side, or fewer near the ends.
 */
export function smoothPath(region: Region, path: readonly Point[], reach: number): Point[] {
  const { width, inside } = region;
  return path.map((point, i) => {
    for (let span = Math.min(reach, i, path.length - 1 - i); span > 0; span = Math.floor(span / 2)) {
      let [x, y, weights] = [0, 0, 0];
      for (let k = -span; k <= span; k++) {
        const weight = span + 1 - Math.abs(k);
        x += weight * path[i + k].x;
        y += weight * path[i + k].y;
        weights += weight;
      }
      [x, y] = [x / weights, y / weights];
      if (inside[Math.round(y) * width + Math.round(x)] === 1) return { x, y };
    }
    return point;
  });
}
