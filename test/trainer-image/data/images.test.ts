import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readImage, readImageSize } from '../../../trainer-image/data/images.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';

const test = suite<{ folder: string }>('images');

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'cdsp-images-'));
});
test.after(async ({ folder }) => rm(folder, { recursive: true }));

/** 6 × 4 pixels: left half red, right half blue. */
const picture = () => {
  const data = Uint8Array.from({ length: 6 * 4 * 3 }, (_, i) => {
    const left = Math.floor(i / 3) % 6 < 3;
    return i % 3 === (left ? 0 : 2) ? 255 : 0;
  });
  return sharp(data, { raw: { width: 6, height: 4, channels: 3 } });
};
const pixel = (image: { width: number; data: Uint8Array }, x: number, y: number) => {
  const start = 3 * (y * image.width + x);
  return [...image.data.subarray(start, start + 3)];
};

test('PNG and lossless WebP keep every byte', async ({ folder }) => {
  for (const [name, bytes] of [
    ['a.png', await picture().png().toBuffer()],
    ['a.webp', await picture().webp({ lossless: true }).toBuffer()],
  ] as const) {
    const file = join(folder, name);
    await writeFile(file, bytes);
    const image = await readImage(file);
    assert.is(image.width, 6);
    assert.is(image.height, 4);
    assert.is(image.data.length, 72);
    assert.equal(pixel(image, 0, 0), [255, 0, 0], name);
    assert.equal(pixel(image, 5, 3), [0, 0, 255], name);
  }
});

const grey = Uint8Array.of(0, 100, 200, 255);
const forms: [string, string, () => ReturnType<typeof sharp>, number[]][] = [
  [
    'greyscale',
    'grey.png',
    () =>
      sharp(grey, { raw: { width: 4, height: 1, channels: 1 } })
        .toColourspace('b-w')
        .png(),
    [100, 100, 100],
  ],
  [
    '16 bits a channel',
    'deep.png',
    () =>
      sharp(grey, { raw: { width: 4, height: 1, channels: 1 } })
        .toColourspace('rgb16')
        .png(),
    [100, 100, 100],
  ],
  [
    'transparency',
    'alpha.png',
    () => sharp(Uint8Array.of(9, 9, 9, 0, 10, 20, 30, 0), { raw: { width: 2, height: 1, channels: 4 } }).png(),
    [10, 20, 30],
  ],
];
for (const [name, fileName, make, expected] of forms) {
  test(`${name} becomes 8-bit sRGB of three channels`, async ({ folder }) => {
    const file = join(folder, fileName);
    await make().toFile(file);
    const image = await readImage(file);
    assert.is(image.data.length, image.width * image.height * 3);
    assert.equal(pixel(image, 1, 0), expected);
  });
}

test('CMYK becomes sRGB', async ({ folder }) => {
  const file = join(folder, 'cmyk.jpg');
  await picture().resize(60, 40, { kernel: 'nearest' }).toColourspace('cmyk').jpeg({ quality: 100 }).toFile(file);
  assert.is((await sharp(file).metadata()).channels, 4);
  const image = await readImage(file);
  assert.is(image.data.length, 60 * 40 * 3);
  const [red, green, blue] = pixel(image, 10, 20);
  assert.ok(red > 180 && green < 90 && blue < 90, `${red} ${green} ${blue}`);
});

test('the EXIF orientation is applied, to the size as well', async ({ folder }) => {
  const file = join(folder, 'turned.jpg');
  await picture().resize(60, 40, { kernel: 'nearest' }).jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toFile(file);
  const image = await readImage(file);
  assert.equal([image.width, image.height], [40, 60]);
  assert.equal(await readImageSize(file), { width: 40, height: 60 });
  assert.ok(pixel(image, 20, 5)[0] > 200, 'the red left half is now on top');
});

const isBad = (file: string, message: RegExp) => (error: unknown) => {
  assert.instance(error, BadInputError);
  assert.is((error as BadInputError).file, file);
  assert.match((error as BadInputError).message, message);
};
const mustFail = () => assert.unreachable('must be refused');

test('truncated files of every format are refused', async ({ folder }) => {
  const noise = sharp(
    Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251),
    { raw: { width: 64, height: 64, channels: 3 } },
  );
  for (const format of ['jpeg', 'png', 'webp'] as const) {
    const bytes = await noise.clone().toFormat(format).toBuffer();
    for (const share of [0.1, 0.5, 0.95]) {
      const file = join(folder, `cut-${share}.${format}`);
      await writeFile(file, bytes.subarray(0, Math.floor(bytes.length * share)));
      await readImage(file).then(mustFail, isBad(file, /damaged or incomplete/));
    }
  }
});

test('what is missing, a folder or no image is refused', async ({ folder }) => {
  const missing = join(folder, 'missing.jpg');
  await readImage(missing).then(mustFail, isBad(missing, /does not exist/));
  await readImageSize(missing).then(mustFail, isBad(missing, /does not exist/));
  await readImage(folder).then(mustFail, isBad(folder, /cannot be read/));
  const text = join(folder, 'text.jpg');
  await writeFile(text, 'not a picture');
  await readImage(text).then(mustFail, isBad(text, /not a readable image/));
  await readImageSize(text).then(mustFail, isBad(text, /not a readable image/));
});

test.run();
