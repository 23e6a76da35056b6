// Times the distance maps of a 500×375 image against SciPy's exact Euclidean distance transform, side by side, one thread each:
//   node test/bench/distance-maps.ts
import { createHash } from 'node:crypto';
import { boundaryMask, classDistanceMap, squaredDistanceTransform } from '../../trainer-image/data/distance-maps.ts';
import { createRandom } from '../../trainer-image/data/random.ts';
import type { LabelMap } from '../../trainer-image/data/types.ts';
import { ensurePythonPackages, runPython } from './python-packages.ts';

const WIDTH = 500;
const HEIGHT = 375;
const ROUNDS = 3;
const REPEATS = 40;
const EXPONENTS = [0, 1, 6, 7];

/** Blobs of a few classes with ragged edges, as pseudo-labels have. */
function pseudoLabel(): LabelMap {
  const random = createRandom('bench');
  const data = new Uint8Array(WIDTH * HEIGHT);
  for (let blob = 1; blob <= 4; blob++) {
    const [x, y, radius, waves, phase] = [
      random() * WIDTH,
      random() * HEIGHT,
      30 + 60 * random(),
      3 + Math.floor(9 * random()),
      7 * random(),
    ];
    for (let i = 0; i < data.length; i++) {
      const dx = (i % WIDTH) - x;
      const dy = Math.floor(i / WIDTH) - y;
      if (Math.hypot(dx, dy) < radius * (1 + 0.25 * Math.sin(waves * Math.atan2(dy, dx) + phase))) data[i] = blob;
    }
  }
  return { width: WIDTH, height: HEIGHT, data };
}

const SCIPY = `
import sys, json, time, hashlib, statistics
import numpy as np
from scipy.ndimage import distance_transform_edt
mask = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(${HEIGHT}, ${WIDTH})
features = mask == 0
def median(work):
    for _ in range(10): work()
    times = []
    for _ in range(${REPEATS}):
        start = time.perf_counter(); work(); times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)
def classMap(exponent):
    distance = distance_transform_edt(features)
    return np.minimum(255, np.sqrt(np.exp(exponent)) * distance).astype(np.uint8)
squared = np.rint(distance_transform_edt(features) ** 2).astype(np.int32)
print(json.dumps({
    'sha256': hashlib.sha256(squared.tobytes()).hexdigest(),
    'transform': median(lambda: distance_transform_edt(features)),
    'maps': [median(lambda: classMap(exponent)) for exponent in ${JSON.stringify(EXPONENTS)}],
}))
`;

interface Times {
  readonly sha256: string;
  readonly transform: number;
  readonly maps: readonly number[];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

function time(work: () => unknown): number {
  for (let i = 0; i < 10; i++) work();
  return median(
    Array.from({ length: REPEATS }, () => {
      const start = performance.now();
      work();
      return performance.now() - start;
    }),
  );
}

const labels = pseudoLabel();
const mask = boundaryMask(labels);
const packages = ensurePythonPackages('numpy==2.4.6', 'scipy==1.17.1');

const ours: Times[] = [];
const theirs: Times[] = [];
for (let round = 0; round < ROUNDS; round++) {
  ours.push({
    sha256: createHash('sha256')
      .update(new Uint8Array(squaredDistanceTransform(mask).buffer))
      .digest('hex'),
    transform: time(() => squaredDistanceTransform(mask)),
    maps: EXPONENTS.map((exponent) => time(() => classDistanceMap(labels, exponent))),
  });
  theirs.push(runPython<Times>(SCIPY, packages, mask.data));
}
if (ours[0].sha256 !== theirs[0].sha256) throw new Error('the two transforms differ');

const row = (name: string, ms: (times: Times) => number) => {
  const [here, there] = [median(ours.map(ms)), median(theirs.map(ms))];
  console.log(`${name.padEnd(34)} ${here.toFixed(2).padStart(8)} ${there.toFixed(2).padStart(8)} ${(here / there).toFixed(2).padStart(8)}`);
};
console.log(`${WIDTH}×${HEIGHT} pixels, ms, median of ${ROUNDS} rounds of ${REPEATS}; squared distances equal in every pixel`);
console.log(`${''.padEnd(34)} ${'cdsp'.padStart(8)} ${'SciPy'.padStart(8)} ${'ratio'.padStart(8)}`);
row('exact transform (any λ)', (times) => times.transform);
EXPONENTS.forEach((exponent, i) => row(`class distance map, λc = ${exponent}`, (times) => times.maps[i]));
