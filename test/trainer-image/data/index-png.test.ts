import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { encode } from 'fast-png';
import fc from 'fast-check';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeIndexPng, encodeIndexPng, readIndexPng, VOC_PALETTE, writeIndexPng } from '../../../trainer-image/data/index-png.ts';
import { BadInputError } from '../../../trainer-image/errors.ts';

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** A PNG put together by hand from packed rows. Colour type 0: grey, 3: palette. */
function png(width: number, rows: number[][], { depth = 8, colourType = 3, interlace = 0, height = rows.length } = {}): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType, 0, 0, interlace], 8);
  const palette = Uint8Array.from({ length: 3 * 2 ** Math.min(8, depth) }, (_, i) => (i * 37) % 256);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    ...(colourType === 3 ? [chunk('PLTE', palette)] : []),
    chunk('IDAT', deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])))),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

const refuses = (bytes: Uint8Array, message: RegExp) => {
  try {
    decodeIndexPng(bytes, 'mask.png');
  } catch (error) {
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).file, 'mask.png');
    assert.match((error as BadInputError).message, message);
    return;
  }
  assert.unreachable('must be refused');
};

const packed: [string, number, number[], number[]][] = [
  ['1 bit', 1, [0b10110010, 0b01000000], [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]],
  ['2 bits', 2, [0b11100100, 0b01111111, 0b10010000], [3, 2, 1, 0, 1, 3, 3, 3, 2, 1]],
  ['4 bits', 4, [0x01, 0x23, 0xfe, 0x98, 0x7a], [0, 1, 2, 3, 15, 14, 9, 8, 7, 10]],
  ['8 bits', 8, [0, 1, 2, 3, 20, 21, 128, 200, 254, 255], [0, 1, 2, 3, 20, 21, 128, 200, 254, 255]],
];
for (const [name, depth, row, indices] of packed) {
  test(`palette indices of ${name} a pixel are read, each row from a new byte`, () => {
    const map = decodeIndexPng(png(10, [row, row], { depth }), 'mask.png');
    assert.is(map.width, 10);
    assert.is(map.height, 2);
    assert.equal([...map.data], [...indices, ...indices]);
  });
}

test('grey values of 8 bits are class numbers', () => {
  assert.equal([...decodeIndexPng(png(3, [[0, 7, 255]], { colourType: 0 }), 'mask.png').data], [0, 7, 255]);
});

test('interlaced indices of 8 bits are read', () => {
  const data = Uint8Array.from({ length: 77 }, (_, i) => i * 3);
  const palette = VOC_PALETTE.map((colour) => [...colour]);
  const bytes = encode({ width: 11, height: 7, data, channels: 1, depth: 8, palette }, { interlace: 'Adam7' });
  assert.equal([...decodeIndexPng(bytes, 'mask.png').data], [...data]);
});

const good = png(
  16,
  Array.from({ length: 16 }, (_, y) => Array.from({ length: 16 }, (__, x) => (x * y) % 256)),
);
const damaged = Uint8Array.from(good);
damaged[good.length - 20] ^= 0x10;
const rgb = (channels: 2 | 3 | 4, depth: 8 | 16 = 8) =>
  encode({ width: 2, height: 1, channels, depth, data: depth === 8 ? new Uint8Array(2 * channels) : new Uint16Array(2 * channels) });
const refused: [string, Uint8Array, RegExp][] = [
  ['an RGB mask', rgb(3), /3 colour channels; an index PNG .* is needed; `cdsp import` converts/],
  ['an RGBA mask', rgb(4), /4 colour channels.*cdsp import/],
  ['grey with transparency', rgb(2), /2 colour channels/],
  ['16 bits a pixel', encode({ width: 2, height: 1, channels: 1, depth: 16, data: new Uint16Array(2) }), /16 bits a pixel.*cdsp import/],
  ['grey of 1 bit', png(8, [[0xaa]], { depth: 1, colourType: 0 }), /1 bits a pixel/],
  ['interlaced indices of 4 bits', png(2, [[0x12]], { depth: 4, interlace: 1 }), /interlaced/],
  ['a changed bit', damaged, /damaged or incomplete/],
  ['rows that are missing', png(2, [[1, 2]], { height: 3 }), /damaged or incomplete/],
  ['an empty file', new Uint8Array(0), /damaged or incomplete/],
  ['text', Buffer.from('no picture at all, just some text'), /not a readable PNG/],
];
for (const [name, bytes, message] of refused) test(`${name}: refused with what to do`, () => refuses(bytes, message));

test('a PNG cut off anywhere is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: good.length - 13 }), (length) => refuses(good.slice(0, length), /damaged or incomplete/)),
  );
});

test('a JPEG under the name of a mask is refused', async () => {
  refuses(
    await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer(),
    /not a readable PNG/,
  );
});

test('whatever is encoded is decoded to the same map', () => {
  const maps = fc
    .record({ width: fc.integer({ min: 1, max: 20 }), height: fc.integer({ min: 1, max: 20 }) })
    .chain(({ width, height }) =>
      fc.uint8Array({ minLength: width * height, maxLength: width * height }).map((data) => ({ width, height, data })),
    );
  fc.assert(
    fc.property(maps, (map) => {
      const back = decodeIndexPng(encodeIndexPng(map), 'mask.png');
      assert.is(back.width, map.width);
      assert.is(back.height, map.height);
      assert.is(Buffer.compare(back.data, map.data), 0);
    }),
  );
});

test('other programs see VOC’s colours', async () => {
  const bytes = encodeIndexPng({ width: 3, height: 1, data: Uint8Array.of(0, 15, 255) });
  const pixels = await sharp(bytes).removeAlpha().raw().toBuffer();
  assert.equal([...pixels], [0, 0, 0, 192, 128, 128, 224, 224, 192]);
});

test('the palette is PASCAL VOC’s', () => {
  assert.is(VOC_PALETTE.length, 256);
  assert.equal(VOC_PALETTE.slice(0, 5), [
    [0, 0, 0],
    [128, 0, 0],
    [0, 128, 0],
    [128, 128, 0],
    [0, 0, 128],
  ]);
  assert.equal(VOC_PALETTE[20], [0, 64, 128]);
  assert.is(new Set(VOC_PALETTE.map(String)).size, 256);
});

test('files are written whole or not at all, and read back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cdsp-index-png-'));
  try {
    const file = join(folder, 'a.png');
    await writeFile(file, 'an older file');
    writeIndexPng(file, { width: 2, height: 2, data: Uint8Array.of(0, 1, 2, 255) });
    assert.equal([...(await readIndexPng(file)).data], [0, 1, 2, 255]);
    assert.equal(await readdir(folder), ['a.png']);
    const missing = join(folder, 'b.png');
    const error = await readIndexPng(missing).catch((caught: unknown) => caught);
    assert.instance(error, BadInputError);
    assert.is((error as BadInputError).file, missing);
    assert.match((error as BadInputError).message, /does not exist/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
