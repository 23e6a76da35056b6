// Times the refinement of one image with the default settings, on one thread:
//   node test/bench/refinement.ts
import { createRandom } from '../../trainer-image/data/random.ts';
import { createRefiner } from '../../trainer-image/pseudo-labels/refine.ts';
import type { RefinementInput } from '../../trainer-image/pseudo-labels/refine.ts';

const SETTINGS = { iterations: 60, dilations: [1, 2, 4, 8, 12, 24], fixScribbles: true };
const REPEATS = 9;

/** Soft shapes with noise, and strokes on 2 % of the pixels. */
function picture(width: number, height: number, classes: number): RefinementInput {
  const random = createRandom('bench');
  const pixels = width * height;
  const wave = (i: number, k: number) => Math.sin((i % width) / (9 + k)) * Math.cos(Math.floor(i / width) / (14 + k));
  const data = Uint8Array.from({ length: pixels * 3 }, (_, i) => 128 + 80 * wave(Math.floor(i / 3), i % 3) + 20 * random());
  const activations = Array.from({ length: classes }, (_, k) => Float32Array.from({ length: pixels }, (_, i) => Math.max(0, wave(i, k))));
  const scribble = Uint8Array.from({ length: pixels }, (_, i) => (random() < 0.02 ? Math.max(0, Math.round(wave(i, 0) * classes)) : 255));
  return {
    image: { width, height, data },
    activations,
    classIndices: activations.map((_, k) => k + 1),
    backgroundThreshold: 0.4,
    scribble: { width, height, data: scribble },
  };
}

function milliseconds(work: () => unknown): number {
  const times = Array.from({ length: REPEATS }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[Math.floor(REPEATS / 2)];
}

console.log('refinement, one thread, median of', REPEATS);
const [refiner, once] = [createRefiner(SETTINGS), createRefiner({ ...SETTINGS, iterations: 1 })];
for (const [width, height] of [
  [192, 144],
  [500, 375],
]) {
  for (const classes of [1, 2, 4]) {
    const input = picture(width, height, classes);
    const [all, first] = [milliseconds(() => refiner.labels(input)), milliseconds(() => once.labels(input))];
    const size = `${width} x ${height}, ${classes} foreground ${classes === 1 ? 'class' : 'classes'}`;
    console.log(`${size}: ${all.toFixed(1)} ms (affinities and one round ${first.toFixed(1)} ms)`);
  }
}
