import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageName } from '../../operator/api/experiment.ts';
import { readSafetensors, writeSafetensors } from '../../trainer-image/model/weights/safetensors.ts';
import { createTestFolder, fillFolder, type TestFolder } from '../trainer-image/data/folders.ts';
import { errorOf, runStage, type SpecInput, type StageEnd, type StageRun } from './stage-process.ts';

// Every kind of bad input that a stage can meet: it ends with 65 and an error that names file or field and says what to do; it
// prints no stack trace and leaves nothing that could be taken for a complete stage.

const [WIDTH, HEIGHT] = [24, 16];
const TRAIN = ['t0', 't1', 't2', 't3'];
const root = mkdtempSync(join(tmpdir(), 'cdsp-bad-'));
const cleanUps: (() => unknown)[] = [() => rmSync(root, { recursive: true, force: true })];
test.after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

const TRAINING = { epochs: 1, batchSize: 2, cropSize: 32, warmupEpochs: 0 };

const specOf = ({ settings }: TestFolder, changes: Partial<SpecInput> = {}): SpecInput => ({
  dataset: settings,
  model: { backbone: 'efficientnet-lite0', weights: 'None' },
  classify: TRAINING,
  segment: TRAINING,
  pseudoLabels: { scales: [1], flips: false, backgroundThreshold: 0.3, refinement: { method: 'None' } },
  losses: { lorm: { enabled: false } },
  ...changes,
});

async function makeFolder(): Promise<TestFolder> {
  const folder = await createTestFolder();
  cleanUps.push(() => folder.remove());
  await fillFolder(folder, TRAIN.length, 2);
  return folder;
}

let runs = 0;
/** A stage folder that does not exist yet, under a storage root of its own. */
const newOutput = (stage: string) => join(root, `storage-${runs++}`, 'stages', stage, 'key');

function assertRefused(end: StageEnd, output: string, expected: { file?: RegExp; field?: RegExp; message: RegExp }): void {
  const error = errorOf(end);
  const said = JSON.stringify(end.events.at(-1)) + end.stderr;
  assert.is(end.code, 65, said);
  assert.is(error?.exitCode, 65, said);
  assert.ok(error?.file !== undefined || error?.field !== undefined, `names a file or a field: ${said}`);
  if (expected.file) assert.match(error?.file ?? '', expected.file, said);
  if (expected.field) assert.match(error?.field ?? '', expected.field, said);
  assert.match(error?.message ?? '', expected.message, said);
  assert.not.match(end.stderr, /^\s+at /m, `no stack trace: ${end.stderr}`);
  assert.not(existsSync(join(output, 'manifest.json')), 'not complete');
}

/** Upstream stages made once, complete. */
const good = {
  folder: undefined as TestFolder | undefined,
  classify: join(root, 'good', 'stages', 'classify', 'key'),
  'pseudo-label': join(root, 'good', 'stages', 'pseudo-label', 'key'),
  segment: join(root, 'good', 'stages', 'segment', 'key'),
};
const upstreamOf: Record<StageName, StageRun['upstream']> = {
  classify: {},
  'pseudo-label': { classify: good.classify },
  segment: { pseudoLabel: good['pseudo-label'] },
  evaluate: { segment: good.segment },
};

/** Path → time of last change of every file of the complete stages. */
function snapshot(): Record<string, number> {
  const folder = join(root, 'good');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => [join(entry.parentPath, entry.name), statSync(join(entry.parentPath, entry.name)).mtimeMs]),
  );
}
let before: Record<string, number> = {};

test('with good input every stage runs to its end', async () => {
  good.folder = await makeFolder();
  for (const stage of ['classify', 'pseudo-label', 'segment'] as const) {
    const end = await runStage({ stage, spec: specOf(good.folder), output: good[stage], upstream: upstreamOf[stage] });
    assert.is(end.code, 0, JSON.stringify(end.events.at(-1)) + end.stderr);
  }
  before = snapshot();
});

const image = (id: string) => `JPEGImages/${id}.png`;
const scribble = (id: string) => `Scribbles/${id}.png`;
const mask = (id: string) => `SegmentationClass/${id}.png`;
const truncate = (folder: TestFolder, name: string, share = 0.6) => {
  const bytes = readFileSync(join(folder.path, name));
  return folder.write(name, bytes.subarray(0, Math.floor(share * bytes.length)));
};
const remove = (folder: TestFolder, name: string) => rmSync(join(folder.path, name));
const writeRgb = async (folder: TestFolder, name: string, extension: 'png' | 'jpeg' = 'png') =>
  folder.write(
    name,
    await sharp(Buffer.alloc(3 * WIDTH * HEIGHT, 128), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .toFormat(extension)
      .toBuffer(),
  );
const pixels = (value: number) => new Array<number>(WIDTH * HEIGHT).fill(value);

interface DataCase {
  readonly why: string;
  readonly stage: StageName;
  readonly spoil: (folder: TestFolder) => unknown;
  readonly file?: RegExp;
  readonly field?: RegExp;
  readonly message: RegExp;
}

const dataCases: DataCase[] = [
  {
    why: 'a missing image',
    stage: 'classify',
    spoil: (f) => remove(f, image('t1')),
    file: /train\.txt$/,
    field: /trainSplit$/,
    message: /line 2: no image "t1"/,
  },
  {
    why: 'an unreadable image',
    stage: 'classify',
    spoil: (f) => f.write(image('t1'), 'not a picture'),
    file: /t1\.png$/,
    message: /not a readable image/,
  },
  { why: 'a truncated PNG', stage: 'classify', spoil: (f) => truncate(f, image('t1')), file: /t1\.png$/, message: /damaged or incomplete/ },
  {
    why: 'a truncated JPEG',
    stage: 'classify',
    spoil: async (f) => {
      remove(f, image('t1'));
      await f.writeImage('JPEGImages/t1.jpeg', WIDTH, HEIGHT);
      await truncate(f, 'JPEGImages/t1.jpeg', 0.8);
    },
    file: /t1\.jpeg$/,
    message: /damaged or incomplete/,
  },
  {
    why: 'a missing scribble',
    stage: 'classify',
    spoil: (f) => remove(f, scribble('t2')),
    file: /Scribbles.t2\.png$/,
    field: /scribbles$/,
    message: /"t2".*has no scribble/,
  },
  {
    why: 'an unreadable scribble',
    stage: 'classify',
    spoil: (f) => f.write(scribble('t2'), 'no PNG'),
    file: /Scribbles.t2\.png$/,
    message: /not a readable PNG/,
  },
  {
    why: 'a truncated scribble',
    stage: 'classify',
    spoil: (f) => truncate(f, scribble('t2')),
    file: /Scribbles.t2\.png$/,
    message: /damaged or incomplete/,
  },
  {
    why: 'a scribble of another size',
    stage: 'classify',
    spoil: (f) => f.writeLabels(scribble('t2'), 20, 16, [0, 1]),
    file: /Scribbles.t2\.png$/,
    message: /20×16 pixels, its image 24×16/,
  },
  {
    why: 'a class index beyond the list',
    stage: 'classify',
    spoil: (f) => f.writeLabels(scribble('t2'), WIDTH, HEIGHT, [0, 1, 7]),
    file: /Scribbles.t2\.png$/,
    field: /classes$/,
    message: /class 7, but there are 3 classes/,
  },
  {
    why: 'an RGB scribble',
    stage: 'classify',
    spoil: (f) => writeRgb(f, scribble('t2')),
    file: /Scribbles.t2\.png$/,
    message: /colour channels.*cdsp import/,
  },
  {
    why: 'an empty training split',
    stage: 'classify',
    spoil: (f) => f.write('ImageSets/train.txt', '\n'),
    file: /train\.txt$/,
    field: /trainSplit$/,
    message: /empty/,
  },
  {
    why: 'an empty validation split',
    stage: 'evaluate',
    spoil: (f) => f.write('ImageSets/val.txt', ''),
    file: /val\.txt$/,
    field: /valSplit$/,
    message: /empty/,
  },
  {
    why: 'a split file that is missing',
    stage: 'classify',
    spoil: (f) => remove(f, 'ImageSets/train.txt'),
    file: /train\.txt$/,
    field: /trainSplit$/,
    message: /does not exist/,
  },
  {
    why: 'a class without a single image',
    stage: 'classify',
    spoil: async (f) => {
      for (const id of TRAIN) await f.writeLabels(scribble(id), WIDTH, HEIGHT, [0, 0, 1]);
    },
    field: /classes$/,
    message: /no training image has a scribble of "dog"/,
  },
  {
    why: 'no scribble in any image',
    stage: 'classify',
    spoil: async (f) => {
      for (const id of TRAIN) await f.writeLabels(scribble(id), WIDTH, HEIGHT, []);
    },
    field: /spec\.dataset/,
    message: /scribble/,
  },
  {
    why: 'no class names',
    stage: 'classify',
    spoil: (f) => remove(f, 'labels.txt'),
    file: /labels\.txt$/,
    field: /classes$/,
    message: /no class names/,
  },
  {
    why: 'a missing mask',
    stage: 'evaluate',
    spoil: (f) => remove(f, mask('v1')),
    file: /SegmentationClass.v1\.png$/,
    field: /masks$/,
    message: /no mask/,
  },
  {
    why: 'an RGB mask',
    stage: 'evaluate',
    spoil: (f) => writeRgb(f, mask('v1')),
    file: /SegmentationClass.v1\.png$/,
    message: /index PNG.*is needed/,
  },
  {
    why: 'a truncated mask',
    stage: 'evaluate',
    spoil: (f) => truncate(f, mask('v1')),
    file: /SegmentationClass.v1\.png$/,
    message: /damaged or incomplete/,
  },
  {
    why: 'a mask of another size',
    stage: 'evaluate',
    spoil: (f) => f.writeLabels(mask('v1'), 16, 24, [0]),
    file: /SegmentationClass.v1\.png$/,
    message: /16×24 pixels, its image 24×16.*turned/,
  },
  {
    why: 'a mask with an unknown class',
    stage: 'evaluate',
    spoil: (f) => f.writeLabels(mask('v1'), WIDTH, HEIGHT, [9]),
    file: /SegmentationClass.v1\.png$/,
    message: /class 9/,
  },
  {
    why: 'an unreadable validation image',
    stage: 'evaluate',
    spoil: (f) => f.write(image('v0'), 'x'),
    file: /v0\.png$/,
    message: /not a readable image/,
  },
  {
    why: 'an RGB mask of the validation split',
    stage: 'segment',
    spoil: (f) => writeRgb(f, mask('v1')),
    file: /SegmentationClass.v1\.png$/,
    message: /index PNG.*is needed/,
  },
  {
    why: 'a mask with an unknown class',
    stage: 'segment',
    spoil: (f) => f.writeLabels(mask('v0'), WIDTH, HEIGHT, [9]),
    file: /SegmentationClass.v0\.png$/,
    message: /class 9/,
  },
  {
    why: 'a training mask of another size',
    stage: 'pseudo-label',
    spoil: (f) => f.writeLabels(mask('t0'), 16, 24, [0]),
    file: /SegmentationClass.t0\.png$/,
    message: /16×24 pixels/,
  },
  {
    why: 'an image that is truncated',
    stage: 'pseudo-label',
    spoil: (f) => truncate(f, image('t0')),
    file: /t0\.png$/,
    message: /damaged or incomplete/,
  },
];

for (const { why, stage, spoil, ...expected } of dataCases) {
  test(`${stage} refuses ${why}`, async () => {
    const folder = await makeFolder();
    await spoil(folder);
    const output = newOutput(stage);
    assertRefused(await runStage({ stage, spec: specOf(folder), output, upstream: upstreamOf[stage] }), output, expected);
  });
}

test('a class that a list of names declares but no scribble shows is refused by name', async () => {
  const folder = await makeFolder();
  const dataset = { ...folder.settings, classes: ['background', 'cat', 'dog', 'horse'] };
  const output = newOutput('classify');
  remove(folder, 'labels.txt');
  const end = await runStage({ stage: 'classify', spec: specOf(folder, { dataset }), output });
  assertRefused(end, output, { field: /classes$/, message: /"horse"/ });
});

test('an image without any scribble is allowed, counted, and its pseudo-label is unknown everywhere', async () => {
  const folder = await makeFolder();
  await folder.writeLabels(scribble('t1'), WIDTH, HEIGHT, []);
  // Another image shows the class that t1 alone would have shown.
  const [classify, labels] = [newOutput('classify'), newOutput('pseudo-label')];
  const first = await runStage({ stage: 'classify', spec: specOf(folder), output: classify });
  assert.is(first.code, 0, JSON.stringify(first.events.at(-1)));
  const second = await runStage({ stage: 'pseudo-label', spec: specOf(folder), output: labels, upstream: { classify } });
  assert.is(second.code, 0, JSON.stringify(second.events.at(-1)));
  for (const { events } of [first, second]) {
    const result = events.find((event) => event.type === 'result');
    assert.is(result?.metrics.imagesWithoutScribble, 1);
    assert.ok(events.some((event) => event.type === 'log' && event.level === 'warning' && /1 training image.*t1/.test(event.message)));
  }
  const quality = JSON.parse(readFileSync(join(labels, 'quality.json'), 'utf8')) as { imagesWithoutScribble: number };
  assert.is(quality.imagesWithoutScribble, 1);
  const { data } = await readLabels(join(labels, 'labels', 't1.png'));
  assert.ok(data.every((label) => label === 255));
  const segment = newOutput('segment');
  const third = await runStage({ stage: 'segment', spec: specOf(folder), output: segment, upstream: { pseudoLabel: labels } });
  assert.is(third.code, 0, JSON.stringify(third.events.at(-1)));
});

const readLabels = async (file: string) => (await import('../../trainer-image/data/index-png.ts')).readIndexPng(file);

const EXTERNAL = 'spec.pseudoLabels.external.path';
const externalCases: [why: string, make: (folder: TestFolder) => unknown, expected: Parameters<typeof assertRefused>[2]][] = [
  ['no folder', () => undefined, { file: /External$/, field: /external\.path$/, message: /does not exist/ }],
  [
    'a label missing',
    (f) => f.writeLabels('External/t0.png', WIDTH, HEIGHT, pixels(0)),
    { file: /t1\.png$/, field: /external\.path$/, message: /"t1" has no external/ },
  ],
  ['a label of another size', (f) => f.writeLabels('External/t0.png', 8, 8, [0]), { file: /External.t0\.png$/, message: /8×8 pixels/ }],
  ['an RGB label', (f) => writeRgb(f, 'External/t0.png'), { file: /External.t0\.png$/, message: /colour channels/ }],
  [
    'a training mask of another size',
    async (f) => {
      await f.writeLabels('External/t0.png', WIDTH, HEIGHT, pixels(0));
      await f.writeLabels(mask('t0'), 8, 8, [0]);
    },
    { file: /SegmentationClass.t0\.png$/, message: /8×8 pixels/ },
  ],
];
for (const [why, make, expected] of externalCases) {
  test(`external pseudo-labels are refused: ${why} (${EXTERNAL})`, async () => {
    const folder = await makeFolder();
    await make(folder);
    const output = newOutput('pseudo-label');
    const pseudoLabels = { source: 'External' as const, external: { path: join(folder.path, 'External') } };
    assertRefused(await runStage({ stage: 'pseudo-label', spec: specOf(folder, { pseudoLabels }), output }), output, expected);
  });
}

const weightsCases: [why: string, make: (file: string) => void, expected: Parameters<typeof assertRefused>[2]][] = [
  ['are missing', () => undefined, { file: /w\.safetensors$/, message: /does not exist/ }],
  ['are damaged', (file) => writeFileSync(file, 'nothing of the kind'), { file: /w\.safetensors$/, message: /damaged|incomplete/ }],
  [
    'have the wrong shape',
    (file) => {
      const arrays = readSafetensors(join(good.classify, 'weights.safetensors'));
      const shape = [32, 3, 5, 5];
      writeSafetensors(file, arrays.set('backbone._conv_stem.weight', { shape, data: new Float32Array(32 * 3 * 5 * 5) }));
    },
    { file: /w\.safetensors$/, message: /_conv_stem\.weight \[32, 3, 5, 5\] instead of \[32, 3, 3, 3\]/ },
  ],
];
for (const [why, make, expected] of weightsCases) {
  test(`weights that ${why} are refused`, async () => {
    const folder = await makeFolder();
    const weights = join(folder.path, 'w.safetensors');
    make(weights);
    const output = newOutput('classify');
    const spec = specOf(folder, { model: { backbone: 'efficientnet-lite0', weights } });
    assertRefused(await runStage({ stage: 'classify', spec, output }), output, { ...expected, field: /spec\.model\.weights/ });
  });
}

test('a damaged artifact of an earlier stage is refused by name', async () => {
  const folder = await makeFolder();
  const [classify, output] = [newOutput('classify'), newOutput('pseudo-label')];
  cpSync(good.classify, classify, { recursive: true });
  const weights = join(classify, 'weights.safetensors');
  writeFileSync(weights, Buffer.alloc(statSync(weights).size));
  const end = await runStage({ stage: 'pseudo-label', spec: specOf(folder), output, upstream: { classify } });
  assertRefused(end, output, { file: /weights\.safetensors$/, message: /damaged/ });
});

test('where the artifacts of an earlier stage are gone, the stage ends with a code of its own and names stage and folder', async () => {
  const [classify, output] = [newOutput('classify'), newOutput('pseudo-label')];
  const end = await runStage({ stage: 'pseudo-label', spec: specOf(good.folder as TestFolder), output, upstream: { classify } });
  assert.is(end.code, 66, JSON.stringify(end.events.at(-1)) + end.stderr);
  const error = errorOf(end);
  assert.equal([error?.exitCode, error?.file, error?.field], [66, classify, 'upstream.classify']);
  assert.match(error?.message ?? '', /artifacts of classify are not there.*classify has to run again/);
  assert.not(existsSync(output));
});

test('data of another digest than the experiment says are refused with both', async () => {
  const { settings } = good.folder as TestFolder;
  const digest = `sha256:${'0'.repeat(64)}`;
  const output = newOutput('classify');
  const end = await runStage({ stage: 'classify', spec: specOf(good.folder as TestFolder, { dataset: { ...settings, digest } }), output });
  assertRefused(end, output, { field: /^spec\.dataset\.digest$/, message: /are sha256:[1-9a-f]\w{63}, the experiment says sha256:0{64};/ });
});

test('a loss that is not finite ends the stage, names the term and keeps the last good checkpoint', async () => {
  const folder = await makeFolder();
  const output = newOutput('segment');
  const segment = { ...TRAINING, epochs: 4, learningRate: 1e30, warmupEpochs: 0.5, checkpointEvery: 1 };
  const end = await runStage({ stage: 'segment', spec: specOf(folder, { segment }), output, upstream: upstreamOf.segment });
  assertRefused(end, output, { field: /spec\.segment\.learningRate/, message: /not finite (at|after) step \d+.*lower the rate/ });
  // Warm-up begins at a rate of 0: the state before step 1 is the last one that was good.
  const checkpoints = readdirSync(join(output, 'checkpoint')).filter((name) => name.startsWith('step-'));
  assert.equal(checkpoints, ['step-000000001.safetensors']);
  assert.ok(readFileSync(join(output, 'history.jsonl'), 'utf8').split('\n').length > 1, 'the steps before are in the history');
});

const isRoot = process.getuid?.() === 0;
/** Run as a user to whom permissions apply, where the test itself is run by root. */
const AS_NOBODY = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
const canDropRights =
  !isRoot || spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', '0']).status === 0;

/** A test that this machine may be unable to make; then it counts as skipped. */
const testIf = (isPossible: boolean, why: string, run: () => Promise<void>) => (isPossible ? test(why, run) : test.skip(why, run));

testIf(canDropRights, 'a storage folder that may not be written is refused', async () => {
  const folder = await makeFolder();
  chmodSync(folder.path, 0o755);
  const storage = join(root, 'locked');
  mkdirSync(storage, { mode: 0o555 });
  chmodSync(root, 0o755);
  const output = join(storage, 'stages', 'classify', 'key');
  const end = await runStage({ stage: 'classify', spec: specOf(folder), output, wrapper: AS_NOBODY });
  assertRefused(end, output, { file: /locked/, field: /spec\.storage\.path/, message: /cannot be written/ });
});

/** What a pod has set. */
const IN_POD = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };

testIf(canDropRights, 'a claim that the pod’s user may not write is refused with what to look at', async () => {
  const storage = join(root, 'claim');
  mkdirSync(storage, { mode: 0o755 });
  chmodSync(root, 0o755);
  const output = join(storage, 'stages', 'classify', 'key');
  const asPod = isRoot ? ['setpriv', '--reuid=65532', '--regid=65532', '--clear-groups'] : AS_NOBODY;
  if (!isRoot) chmodSync(storage, 0o555);
  const dataset = { generator: { train: 1, val: 1, size: 48 } };
  const spec = specOf(good.folder as TestFolder, { dataset });
  const end = await runStage({ stage: 'classify', spec, output, wrapper: asPod, environment: IN_POD });
  const user = isRoot ? 65532 : process.getuid?.();
  assertRefused(end, output, {
    file: /claim/,
    field: /^spec\.storage$/,
    message: new RegExp(`cannot be written by user ${user}.*fsGroup`),
  });
});

testIf(canDropRights, 'data that the pod’s user may not read are refused by name', async () => {
  const folder = await makeFolder();
  chmodSync(folder.path, 0o755);
  chmodSync(join(folder.path, scribble('t1')), 0o000);
  const pseudoLabels = { source: 'External' as const, external: { path: join(folder.path, 'External') } };
  const storage = join(root, 'writable');
  mkdirSync(storage);
  chmodSync(storage, 0o777);
  const output = join(storage, 'stages', 'pseudo-label', 'key');
  const spec = specOf(folder, { pseudoLabels });
  const end = await runStage({ stage: 'pseudo-label', spec, output, wrapper: AS_NOBODY, environment: IN_POD });
  assertRefused(end, output, { file: /Scribbles.t1\.png$/, message: /no permission for user \d+/ });
});

test('a file in place of the storage folder is refused', async () => {
  const folder = await makeFolder();
  writeFileSync(join(root, 'in-the-way'), '');
  const output = join(root, 'in-the-way', 'stages', 'classify', 'key');
  const end = await runStage({ stage: 'classify', spec: specOf(folder), output });
  assertRefused(end, output, { file: /in-the-way/, field: /spec\.storage\.path/, message: /a file is in the way/ });
});

// A full disk is a file system in memory where root may mount one, and else a limit on the size of a file.
const disk = join(root, 'small-disk');
mkdirSync(disk);
const isMounted = isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk]).status === 0;
if (isMounted) cleanUps.push(() => spawnSync('umount', [disk]));
const LIMITED = isMounted ? [] : ['sh', '-c', 'ulimit -f 2000; exec "$@"', 'sh'];
const NO_ROOM = isMounted ? /disk is full/ : /limit of this process|larger than/;

test('a full disk ends the training with a clear message; what was there stays', async () => {
  const folder = await makeFolder();
  const output = join(disk, 'stages', 'classify', 'key');
  const end = await runStage({ stage: 'classify', spec: specOf(folder), output, wrapper: LIMITED });
  assertRefused(end, output, { file: /small-disk/, message: NO_ROOM });
  const left = readdirSync(output, { recursive: true, encoding: 'utf8' });
  assert.not(
    left.some((name) => name.endsWith('.safetensors')),
    `no half-written weights: ${left.join(', ')}`,
  );
});

testIf(isMounted, 'a claim that is mounted read-only is refused with what to do', async () => {
  spawnSync('mount', ['-o', 'remount,ro', disk]);
  try {
    const output = join(disk, 'read-only', 'stages', 'classify', 'key');
    const end = await runStage({ stage: 'classify', spec: specOf(good.folder as TestFolder), output, environment: IN_POD });
    assertRefused(end, output, { file: /small-disk/, field: /^spec\.storage$/, message: /volume is read-only.*mounted for writing/ });
  } finally {
    spawnSync('mount', ['-o', 'remount,rw', disk]);
  }
});

testIf(isMounted, 'a disk that fills up while labels are written ends the stage, too', async () => {
  const output = join(disk, 'stages', 'pseudo-label', 'key');
  rmSync(join(disk, 'stages'), { recursive: true, force: true });
  mkdirSync(join(output, 'labels'), { recursive: true });
  mkdirSync(join(output, 'heat-maps'));
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(Number(statFree(disk))));
  const end = await runStage({
    stage: 'pseudo-label',
    spec: specOf(good.folder as TestFolder),
    output,
    upstream: upstreamOf['pseudo-label'],
  });
  assertRefused(end, output, { file: /small-disk/, message: NO_ROOM });
});

function statFree(folder: string): number {
  const [, free] = /(\d+)\s*$/.exec(spawnSync('df', ['--output=avail', '-B1', folder]).stdout.toString()) ?? [];
  return Number(free);
}

test('a stage without its input ends with a clear message', () => {
  const trainer = new URL('../../trainer-image/main.ts', import.meta.url);
  const { status, stdout, stderr } = spawnSync(process.execPath, [trainer.pathname], {
    env: { PATH: process.env.PATH, CDSP_STAGE: '{"version":"v0"}' },
  });
  assert.is(status, 65);
  assert.match(stdout.toString(), /"field":"CDSP_STAGE"/);
  assert.not.match(stderr.toString(), /^\s+at /m);
});

test('earlier complete stages are untouched by all of this', () => {
  assert.equal(snapshot(), before);
});

test.run();
