// Real photographs: the rows of Table 2 and the quality of the pseudo-labels, on any VOC-style folder.
//   npm run bench:real -- --data FOLDER [--seeds 3] [--rows scribble,both,all] [--storage runs/bench-real] [--write]
// One classifier and one set of pseudo-labels serve every row and seed. Rows and seeds train side by side, a core each: that is
// faster than one after the other on all cores. Complete stages are reused, so an interrupted benchmark goes on where it was.
// With --write the tables go into docs/results.md.
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Experiment, FOLDER_NAMES, LOSS_TERMS, type ExperimentInput, type LossTermName } from '../../operator/api/experiment.ts';
import type { Manifest } from '../../operator/api/stage-contract.ts';
import { runExperiment } from '../../operator/local/run-experiment.ts';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { parseLabels } from '../../trainer-image/data/dataset.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Rows of Table 2: which terms are on. */
const ROWS: Readonly<Record<string, { title: string; terms: readonly LossTermName[]; supervision?: 'masks' }>> = {
  scribble: { title: 'scribbles only', terms: ['scribble'] },
  pseudo: { title: 'pseudo-labels only', terms: ['pseudoLabel'] },
  both: { title: 'both', terms: ['scribble', 'pseudoLabel'] },
  dc: { title: 'both + L_dc', terms: ['scribble', 'pseudoLabel', 'classDistance'] },
  ds: { title: 'both + L_ds', terms: ['scribble', 'pseudoLabel', 'scribbleDistance'] },
  del: { title: 'both + DEL (L_ds, L_dc)', terms: ['scribble', 'pseudoLabel', 'scribbleDistance', 'classDistance'] },
  lorm: { title: 'both + LoRM', terms: ['scribble', 'pseudoLabel', 'lorm'] },
  all: { title: 'all five terms', terms: LOSS_TERMS },
  masks: { title: 'true masks of the training images, for comparison', terms: ['pseudoLabel'], supervision: 'masks' },
};

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: join(ROOT, '../shared/data/voc7') },
    seeds: { type: 'string', default: '3' },
    rows: { type: 'string', default: 'scribble,all,both,del,lorm,pseudo' },
    storage: { type: 'string', default: join(ROOT, 'runs/bench-real') },
    epochs: { type: 'string', default: '6' },
    parallel: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});

/** The settings of every row, found on the training split and the scribbles alone (docs/tuning-voc7.md). */
function settings(): Pick<ExperimentInput['spec'], 'model' | 'classify' | 'segment' | 'pseudoLabels' | 'evaluation'> {
  return {
    model: { backbone: 'efficientnet-lite0', segmentor: 'deeplabv2' },
    classify: { epochs: 10, batchSize: 8, cropSize: 144, learningRate: 0.01, warmupEpochs: 1 },
    pseudoLabels: { scales: [0.5, 1, 1.5], flips: false, refinement: { minProbability: 0.6 } },
    segment: {
      epochs: Number(options.epochs),
      batchSize: 4,
      cropSize: 208,
      learningRate: 0.006,
      warmupEpochs: 1,
      headRateFactor: 10,
      freezeBatchNorm: true,
      maxGradientNorm: 2,
      validateEvery: 0,
      augmentation: { scaleMin: 1.5, scaleMax: 2.5 },
    },
    evaluation: { scales: [1.5, 2] },
  };
}

/**
 * A training of some hundred steps wants DEL and LoRM lighter than the published weight of 1, and scribbles lighter beside pseudo-labels;
 * alone they have their best weight, 1.
 */
const WEIGHTS: Partial<Record<LossTermName, number>> = { scribble: 0.3, scribbleDistance: 0.1, classDistance: 0.1, lorm: 0.01 };

function lossesOf(terms: readonly LossTermName[]): NonNullable<ExperimentInput['spec']['losses']> {
  const weightOf = (term: LossTermName) => (terms.length === 1 ? 1 : (WEIGHTS[term] ?? 1));
  return Object.fromEntries(LOSS_TERMS.map((term) => [term, { enabled: terms.includes(term), weight: weightOf(term) }]));
}

/** Each experiment has a storage of its own: a storage serves one run at a time. */
function experimentOf(name: string, spec: Partial<ExperimentInput['spec']>): Experiment {
  const dataset = { folder: { path: resolve(options.data) } };
  const storage = { path: resolve(options.storage, name) };
  return Experiment.parse({
    apiVersion: 'cdsp.dev/v1alpha1',
    kind: 'CDSPExperiment',
    metadata: { name },
    spec: { ...settings(), dataset, storage, ...spec },
  });
}

interface StageOutcome {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Runs an experiment and returns its stages; progress goes to standard error. */
async function run(experiment: Experiment, until?: 'pseudo-label'): Promise<Map<string, StageOutcome>> {
  const started = performance.now();
  const result = await runExperiment(experiment, { baseFolder: ROOT, until });
  if (result.outcome !== 'Succeeded') throw new Error(`${experiment.metadata.name}: ${result.failure?.message ?? result.outcome}`);
  process.stderr.write(`${experiment.metadata.name}: ${((performance.now() - started) / 1000).toFixed(0)} s\n`);
  return new Map(
    result.stages.flatMap(({ stage, folder, manifest }) => (manifest === undefined ? [] : [[stage, { folder, manifest }] as const])),
  );
}

const percent = (value: unknown) => (typeof value === 'number' ? (100 * value).toFixed(1) : '–');
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

interface Task {
  readonly id: string;
  readonly seed: number;
}

interface Outcome extends Task {
  readonly meanIou: number;
  readonly iou: readonly (number | null)[];
  readonly minutes: number;
}

interface Row {
  readonly title: string;
  readonly outcomes: readonly Outcome[];
}

/** Trains and evaluates rows and seeds, `--parallel` at a time. */
async function runAll(tasks: readonly Task[], pseudoLabels: ExperimentInput['spec']['pseudoLabels']): Promise<Outcome[]> {
  const workers = Math.min(Number(options.parallel), tasks.length);
  const threads = String(Math.max(1, Math.floor(availableParallelism() / workers)));
  process.env.TF_NUM_INTRAOP_THREADS = threads;
  process.env.OMP_NUM_THREADS = threads;
  const queue = [...tasks];
  const outcomes: Outcome[] = [];
  const worker = async () => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const { id, seed } = task;
      const { title, terms, supervision } = ROWS[id];
      const masks = { source: 'External' as const, external: { path: resolve(options.data, FOLDER_NAMES.masks) } };
      const labels = supervision === 'masks' ? masks : pseudoLabels;
      const stages = await run(experimentOf(`real-${id}-${seed}`, { seed, losses: lossesOf(terms), pseudoLabels: labels }));
      const { metrics } = (stages.get('evaluate') as StageOutcome).manifest;
      const minutes = (stages.get('segment') as StageOutcome).manifest.seconds / 60;
      outcomes.push({ id, seed, meanIou: metrics.meanIou as number, iou: metrics.iou as (number | null)[], minutes });
      process.stderr.write(`  ${title}, seed ${seed}: ${percent(metrics.meanIou)}\n`);
    }
  };
  // After a failure no further one is begun, and those under way are not left behind.
  const stopped = (error: unknown) => {
    queue.length = 0;
    throw error;
  };
  const ended = await Promise.allSettled(Array.from({ length: workers }, () => worker().catch(stopped)));
  const failure = ended.find(({ status }) => status === 'rejected');
  if (failure?.status === 'rejected') throw failure.reason;
  return outcomes.sort((first, second) => first.seed - second.seed);
}

async function main(): Promise<void> {
  const started = performance.now();
  const first = await run(experimentOf('real-labels', {}), 'pseudo-label');
  const labels = first.get('pseudo-label') as StageOutcome;
  const record = JSON.parse(readFileSync(join(labels.folder, ARTIFACTS.pseudoLabel.quality), 'utf8')) as LabelRecord;
  const external = { source: 'External' as const, external: { path: join(labels.folder, ARTIFACTS.pseudoLabel.labels) } };
  const seeds = Number(options.seeds);
  const tasks = options.rows.split(',').flatMap((id) => Array.from({ length: seeds }, (_, seed) => ({ id, seed })));
  const outcomes = await runAll(tasks, external);
  const rows = options.rows.split(',').map((id) => ({ title: ROWS[id].title, outcomes: outcomes.filter((outcome) => outcome.id === id) }));
  const text = report(first, record, rows, (performance.now() - started) / 60000);
  process.stdout.write(text);
  if (options.write) writeSection(text);
}

/** What the pseudo-label stage tells of its labels. */
interface LabelRecord {
  readonly threshold: number;
  readonly candidates: readonly { readonly threshold: number; readonly agreement: number }[];
  readonly quality: Readonly<Record<string, number>>;
  readonly sure?: { readonly meanIou: number; readonly share: number };
}

function report(
  first: Map<string, StageOutcome>,
  { threshold, candidates, quality, sure }: LabelRecord,
  rows: readonly Row[],
  minutes: number,
): string {
  const classes = parseLabels(readFileSync(join(options.data, 'labels.txt'), 'utf8'), 'labels.txt');
  const labelling = (first.get('pseudo-label') as StageOutcome).manifest.metrics;
  const cpu = cpus();
  const lines = [
    `Machine: ${cpu.length} × ${cpu[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; load at the end ${loadavg()[0]?.toFixed(1)}.`,
    `Command: \`npm run bench:real -- --rows ${options.rows} --seeds ${options.seeds} --epochs ${options.epochs} --parallel ${options.parallel}\`; this call took ${minutes.toFixed(0)} minutes (complete stages are reused).`,
    '',
    '| pseudo-labels on the training images | mIoU |',
    '|---|---|',
    ...Object.entries(quality).map(([name, value]) => `| ${name} | ${percent(value)} |`),
    ...(sure === undefined
      ? []
      : [`| refined, the sure pixels only (${Math.round(100 * sure.share)} % of them) | ${percent(sure.meanIou)} |`]),
    '',
    `Background threshold ${threshold}, chosen on the scribbles (agreement ${candidates.map((candidate) => `${candidate.threshold}: ${percent(candidate.agreement)}`).join(', ')}). ${Number(labelling.secondsPerImage).toFixed(3)} s an image in all (class activation maps, threshold, refinement).`,
    '',
    `| terms | mIoU, mean of ${options.seeds} seeds | seeds | ${classes.join(' | ')} | minutes of training, ${options.parallel} at a time |`,
    `|---|---|---|${classes.map(() => '---|').join('')}---|`,
    ...rows.map(({ title, outcomes }) => {
      const meanIou = outcomes.map((outcome) => outcome.meanIou);
      const perClass = classes.map((_, k) => percent(mean(outcomes.map(({ iou }) => iou[k] ?? 0))));
      const times = mean(outcomes.map((outcome) => outcome.minutes)).toFixed(1);
      return `| ${title} | ${percent(mean(meanIou))} | ${meanIou.map(percent).join(', ')} | ${perClass.join(' | ')} | ${times} |`;
    }),
    '',
    'Settings:',
    '',
    '```json',
    JSON.stringify({ ...settings(), losses: WEIGHTS }, null, 1),
    '```',
    '',
  ];
  return lines.join('\n');
}

const [BEGIN, END] = ['<!-- bench:real begin -->', '<!-- bench:real end -->'];

/** Puts the tables between their marks in docs/results.md. */
function writeSection(text: string): void {
  const file = join(ROOT, 'docs/results.md');
  const page = readFileSync(file, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${file} has no section ${BEGIN}`);
  writeFileSync(file, `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n${page.slice(end)}`);
}

await main();
