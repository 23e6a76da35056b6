// `cdsp predict` on a model of random weights: what it writes is what the network says, and nothing of the user's is overwritten.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ARTIFACTS } from '../../trainer-image/artifacts.ts';
import { readImage } from '../../trainer-image/data/images.ts';
import { readIndexPng } from '../../trainer-image/data/index-png.ts';
import { createRandom } from '../../trainer-image/data/random.ts';
import { predictImage } from '../../trainer-image/evaluation/inference.ts';
import { createSegmentor, normalisationOf } from '../../trainer-image/model/segmentor.ts';
import { writeSafetensors } from '../../trainer-image/model/weights/safetensors.ts';
import { modelMetadata } from '../../trainer-image/stages/model-metadata.ts';
import { overlay } from '../../trainer-image/stages/predict.ts';
import { runCli } from '../operator/cli/cli-process.ts';

const root = mkdtempSync(join(tmpdir(), 'cdsp-predict-'));
test.after(() => rmSync(root, { recursive: true, force: true }));

const MODEL = { backbone: 'efficientnet-lite0', segmentor: 'deeplabv2', outputStride: 16, classes: ['background', 'cat', 'dog'] } as const;
const network = createSegmentor({ ...MODEL, classes: MODEL.classes.length, lorm: false }, createRandom('predict'));
mkdirSync(join(root, 'model'));
writeSafetensors(
  join(root, 'model', ARTIFACTS.segment.weights),
  network.parameters.export(),
  modelMetadata({ ...MODEL, classes: [...MODEL.classes] }),
);

/** A picture of noise. */
async function writePicture(file: string, width: number, height: number): Promise<void> {
  const random = createRandom(file.slice(root.length));
  const data = Uint8Array.from({ length: width * height * 3 }, () => 256 * random());
  await sharp(data, { raw: { width, height, channels: 3 } }).toFile(file);
}

async function makeImages(name: string, files: Readonly<Record<string, [width: number, height: number]>>): Promise<string> {
  mkdirSync(join(root, name));
  for (const [file, [width, height]] of Object.entries(files)) await writePicture(join(root, name, file), width, height);
  return name;
}

test('each image gets a palette PNG of its size and an overlay, as the network has it', async () => {
  const images = await makeImages('images', { 'a.png': [48, 32], 'b.jpg': [40, 56] });
  writeFileSync(join(root, images, 'notes.txt'), 'no image');
  const { code, stdout, stderr } = await runCli(
    ['predict', 'model', images, '-o', 'out/deep', '--overlay', '--json', '--scales', '1,0.5'],
    {
      cwd: root,
    },
  );
  assert.equal([code, stderr], [0, '']);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(events.at(-1), {
    type: 'predictions',
    output: join(root, 'out/deep'),
    images: 2,
    unreadable: [],
    classes: [...MODEL.classes],
  });
  assert.equal(readdirSync(join(root, 'out/deep')).sort(), ['a-overlay.png', 'a.png', 'b-overlay.png', 'b.png']);
  const settings = { scales: [1, 0.5], flips: false, normalisation: normalisationOf(MODEL.backbone) };
  for (const file of ['a.png', 'b.jpg']) {
    const image = await readImage(join(root, images, file));
    const expected = predictImage(network, image, settings);
    const written = (suffix: string) => join(root, 'out/deep', file.replace(/\.\w+$/, suffix));
    assert.equal(await readIndexPng(written('.png')), expected, file);
    assert.equal(await readImage(written('-overlay.png')), overlay(image, expected), file);
  }
});

test('the weights file itself names the model, too', async () => {
  const images = await makeImages('one', { 'a.webp': [32, 32] });
  const { code, stdout, stderr } = await runCli(['predict', join('model', ARTIFACTS.segment.weights), images, '--output', 'weights-out'], {
    cwd: root,
  });
  assert.is(code, 0, stderr);
  assert.is(stdout, '1 prediction in weights-out\n');
  assert.equal(readdirSync(join(root, 'weights-out')), ['a.png']);
});

test('one image alone is segmented; what is there is replaced only when asked', async () => {
  const images = await makeImages('alone', { 'a.jpg': [32, 32], 'b.jpg': [32, 32] });
  const predict = (...args: string[]) => runCli(['predict', 'model', join(images, 'a.jpg'), '-o', 'alone-out', ...args], { cwd: root });
  const first = await predict();
  assert.is(first.code, 0, first.stderr);
  assert.equal(readdirSync(join(root, 'alone-out')), ['a.png']);
  const written = join(root, 'alone-out', 'a.png');
  writeFileSync(written, 'mine');
  const second = await predict();
  assert.is(second.code, 65);
  assert.match(second.stderr, /error: .*alone-out.a\.png: --output: exists already; .*--overwrite\n$/);
  assert.is(readFileSync(written, 'utf8'), 'mine');
  assert.is((await predict('--overwrite')).code, 0);
  assert.is((await readIndexPng(written)).width, 32);
});

test('images that cannot be read are named at the end; the others are segmented', async () => {
  const images = await makeImages('some', { 'a.png': [32, 32], 'd.png': [32, 32] });
  const damaged = readFileSync(join(root, images, 'a.png')).subarray(0, 60);
  for (const name of ['b.jpg', 'c.png']) writeFileSync(join(root, images, name), damaged);
  const { code, stdout, stderr } = await runCli(['predict', 'model', images, '-o', 'some-out'], { cwd: root });
  assert.is(code, 65, stderr);
  assert.is(stdout, '2 predictions in some-out\n');
  assert.match(stderr, /error: .*b\.jpg: not a readable image.*\nerror: .*c\.png: not a readable image.*\n2 images could not be read\n$/);
  assert.equal(readdirSync(join(root, 'some-out')).sort(), ['a.png', 'd.png']);
  const asJson = await runCli(['predict', 'model', images, '-o', 'some-out', '--overwrite', '--json'], { cwd: root });
  const { unreadable } = JSON.parse(asJson.stdout.trimEnd().split('\n').at(-1) ?? '') as { unreadable: { file: string }[] };
  assert.equal([asJson.code, unreadable.map(({ file }) => file)], [65, ['b.jpg', 'c.png'].map((name) => join(root, images, name))]);
});

interface Refusal {
  readonly why: string;
  readonly images: Readonly<Record<string, [number, number]>>;
  readonly args: (images: string) => string[];
  readonly prepare?: (folder: string) => void;
  readonly stderr: RegExp;
}

const refusals: Refusal[] = [
  {
    why: 'the folder of the images as output, since their PNGs would be overwritten',
    images: { 'a.png': [32, 32] },
    args: (images) => [images, '-o', `./${images}/../${images}`],
    stderr: /error: .*: --output: the predictions would overwrite the images; name another folder\n$/,
  },
  {
    why: 'two images of one name',
    images: { 'a.png': [32, 32], 'a.jpg': [32, 32] },
    args: (images) => [images, '-o', 'clash'],
    stderr: /error: .*a\.png: a\.jpg and a\.png would both give a\.png; rename one of them\n$/,
  },
  {
    why: 'an image that has the name of another’s overlay',
    images: { 'a.png': [32, 32], 'a-overlay.png': [32, 32] },
    args: (images) => [images, '-o', 'clash', '--overlay'],
    stderr: /error: .*a-overlay\.png and a\.png would both give a-overlay\.png/,
  },
  {
    why: 'a file that is no image',
    images: { 'a.png': [32, 32] },
    prepare: (folder) => writeFileSync(join(folder, 'notes.txt'), ''),
    args: (images) => [join(images, 'notes.txt'), '-o', `${images}-out`],
    stderr: /error: .*notes\.txt: neither a folder nor an image \(\.jpg, /,
  },
  {
    why: 'the folder of the one image as output',
    images: { 'a.png': [32, 32] },
    args: (images) => [join(images, 'a.png'), '-o', images, '--overwrite'],
    stderr: /the predictions would overwrite the images/,
  },
  {
    why: 'a file in place of the output folder',
    images: { 'a.png': [32, 32] },
    prepare: (folder) => copyFileSync(join(folder, 'a.png'), join(root, 'taken')),
    args: (images) => [images, '-o', 'taken'],
    stderr: /error: .*taken: --output: a file is in the way/,
  },
];
for (const [index, { why, images, args, prepare, stderr }] of refusals.entries()) {
  test(`refused: ${why}`, async () => {
    const folder = await makeImages(`refused-${index}`, images);
    prepare?.(join(root, folder));
    const before = Object.keys(images).map((name) => readFileSync(join(root, folder, name)));
    const result = await runCli(['predict', 'model', ...args(folder)], { cwd: root });
    assert.is(result.code, 65, result.stderr);
    assert.match(result.stderr, stderr);
    assert.not.match(result.stderr, /\n\s+at /);
    assert.equal(
      Object.keys(images).map((name) => readFileSync(join(root, folder, name))),
      before,
      'the images are as they were',
    );
    assert.not.ok(existsSync(join(root, 'clash')));
  });
}

test.run();
