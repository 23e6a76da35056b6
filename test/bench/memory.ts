// Trains the segment stage for 500 steps, validation and checkpoints included, and prints tensors and resident memory on the way:
//   node test/bench/memory.ts [--backbone efficientnet-lite0] [--size 96] [--batch 4]
// To reach: the number of tensors flat, resident memory at most 60 MB above its level after the warm-up.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ExperimentSpec } from '../../operator/api/experiment.ts';
import { STAGE_MEMORY } from '../../operator/local/stage-process.ts';
import { createStageContext, type StageContext } from '../../trainer-image/stages/stage-context.ts';
import { segment } from '../../trainer-image/stages/segment.ts';
import { openExperimentDataset } from '../../trainer-image/stages/stage-data.ts';
import { pseudoLabel } from '../../trainer-image/stages/pseudo-label.ts';
import { tf } from '../../trainer-image/tf.ts';

// Measured in a process that is started as the local runner starts a stage.
if (process.env.CDSP_MEMORY_BENCH === undefined) {
  const { flags, environment } = STAGE_MEMORY;
  const env = { ...process.env, ...environment, CDSP_MEMORY_BENCH: '1' };
  process.exit(spawnSync(process.execPath, [...flags, ...process.argv.slice(1)], { stdio: 'inherit', env }).status ?? 1);
}

const STEPS = 500;
const WARM_UP_STEPS = 50;
const ALLOWED_MB = 60;
const STEPS_PER_EPOCH = 10;

const { values } = parseArgs({
  options: {
    backbone: { type: 'string', default: 'efficientnet-lite0' },
    size: { type: 'string', default: '96' },
    batch: { type: 'string', default: '4' },
  },
});
const [size, batchSize] = [Number(values.size), Number(values.batch)];
const root = mkdtempSync(join(tmpdir(), 'cdsp-memory-'));

const generator = { train: STEPS_PER_EPOCH * batchSize, val: 4, size, maxObjects: 3, seed: 0 };
const dataset = await openExperimentDataset({ generator }, root);
const spec = ExperimentSpec.parse({
  dataset: { generator },
  model: { backbone: values.backbone, weights: 'None' },
  // The true masks stand in for pseudo-labels: they are made no worse by a network that learns nothing.
  pseudoLabels: { source: 'External', external: { path: dirname(dataset.train[0].mask as string) } },
  // Every term from the first step on: ramps would need more memory later.
  losses: { scribbleDistance: { ramp: {} }, classDistance: { ramp: {} }, lorm: { ramp: {} } },
  segment: { epochs: STEPS / STEPS_PER_EPOCH, batchSize, cropSize: size, warmupEpochs: 1, checkpointEvery: 25 },
});

/** A context that prints nothing and tells of every step. */
function contextOf(stage: 'pseudo-label' | 'segment', onStep: (done: number) => void): StageContext {
  const output = join(root, 'stages', stage, 'key');
  mkdirSync(output, { recursive: true });
  const upstream = stage === 'segment' ? { pseudoLabel: join(root, 'stages', 'pseudo-label', 'key') } : {};
  const input = { version: 'v1' as const, experiment: 'memory', stage, key: 'key', spec, upstream, output };
  const context = createStageContext(input, {
    emit: () => undefined,
    isStopping: () => false,
    now: () => performance.now(),
    process: 'bench',
    shard: { number: 0, of: 1 },
  });
  // Validation reports the step before it once more.
  let newest = 0;
  return {
    ...context,
    progress: ({ done }) => {
      if (done > newest) onStep(done);
      newest = Math.max(newest, done);
    },
  };
}

const rss: number[] = [];
const tensors: number[] = [];
try {
  await pseudoLabel(contextOf('pseudo-label', () => undefined));
  console.log(`${values.backbone}, ${batchSize}×${size}² px\n  step  tensors  RSS in MB`);
  await segment(
    contextOf('segment', (done) => {
      rss.push(process.memoryUsage.rss() / 2 ** 20);
      tensors.push(tf.memory().numTensors);
      if (done % 25 === 0 || done === 1)
        console.log(`${String(done).padStart(6)}${String(tensors.at(-1)).padStart(9)}${rss.at(-1)!.toFixed(0).padStart(11)}`);
    }),
  );
} finally {
  rmSync(root, { recursive: true, force: true });
}
const level = rss[WARM_UP_STEPS - 1];
const settled = rss.slice(WARM_UP_STEPS).map((value) => value - level);
const [lowest, highest] = [Math.min(...settled), Math.max(...settled)];
const flat = new Set(tensors.slice(1)).size === 1;
const range = `${lowest.toFixed(0)} to +${highest.toFixed(0)} MB`;
console.log(`tensors ${flat ? 'flat' : 'NOT flat'}; RSS ${range} around its level after ${WARM_UP_STEPS} steps (at most +${ALLOWED_MB})`);
if (!flat || highest > ALLOWED_MB) process.exitCode = 1;
