import { encode } from 'fast-png';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { countValues, decodeMask, TRANSPARENT } from '../../../operator/import/mask-pixels.ts';
import { encodeIndexPng } from '../../../trainer-image/data/index-png.ts';
import { png } from './folder.ts';

const decoded = (bytes: Uint8Array, asColours = false) => {
  const { kind, data } = decodeMask(bytes, 'a.png', asColours);
  return [kind, ...data];
};

const cases: [string, Uint8Array, (string | number)[]][] = [
  ['a palette PNG gives its indices', encodeIndexPng({ width: 3, height: 1, data: Uint8Array.of(0, 7, 255) }), ['Index', 0, 7, 255]],
  ['greyscale gives its values', png(3, [0, 1, 2], 1), ['Grey', 0, 1, 2]],
  ['grey and alpha gives transparent pixels', png(2, [5, 255, 9, 0], 2), ['Grey', 5, TRANSPARENT]],
  ['RGB gives colours', png(2, [255, 0, 16, 0, 0, 0], 3), ['Colour', 0xff0010, 0]],
  ['grey saved as RGB gives grey values', png(2, [1, 1, 1, 2, 2, 2], 3), ['Grey', 1, 2]],
  [
    'RGBA gives colours where it is drawn',
    png(3, [255, 0, 0, 255, 255, 0, 0, 128, 255, 0, 0, 127], 4),
    ['Colour', 0xff0000, 0xff0000, TRANSPARENT],
  ],
  [
    '1-bit greyscale is spread',
    encode({ width: 10, height: 2, data: Uint8Array.of(0b10100000, 0b01000000, 0b11111111, 0), channels: 1, depth: 1 }),
    ['Grey', 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
  ],
];
for (const [what, bytes, expected] of cases) test(what, () => assert.equal(decoded(bytes), expected));

test('a palette PNG gives its colours where these are wanted', () => {
  const bytes = encodeIndexPng({ width: 2, height: 1, data: Uint8Array.of(1, 0) });
  assert.equal(decoded(bytes, true), ['Colour', 0x800000, 0]);
});

test('colour profiles and gamma change nothing', async () => {
  const picture = sharp(Uint8Array.of(10, 200, 30), { raw: { width: 1, height: 1, channels: 3 } });
  assert.equal(decoded(await picture.withIccProfile('p3').png().toBuffer()).length, 2);
  const plain = sharp(Uint8Array.of(10, 200, 30), { raw: { width: 1, height: 1, channels: 3 } });
  assert.equal(decoded(await plain.withMetadata().png().toBuffer()), ['Colour', 0x0ac81e]);
});

const interlaced = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#800000' } })
  .png({ palette: true, colours: 4, progressive: true })
  .toBuffer();
const refusals: [string, Uint8Array, RegExp][] = [
  ['a text', Uint8Array.from(Buffer.from('no picture')), /not a readable PNG/],
  [
    'a PNG that ends early',
    png(
      4,
      Array.from({ length: 160 }, (_, i) => i),
      1,
    ).slice(0, 60),
    /damaged or incomplete/,
  ],
  ['an interlaced palette of 2 bits, which the library would misread', interlaced, /save it without interlacing/],
  ['16 bits a sample', encode({ width: 1, height: 1, data: Uint16Array.of(1), channels: 1, depth: 16 }), /16 bits/],
];
for (const [what, bytes, message] of refusals) test(`${what} is refused`, () => assert.throws(() => decodeMask(bytes, 'a.png'), message));

test('values are counted', () => {
  assert.equal(
    countValues(decodeMask(png(5, [3, 3, 1, 3, 0], 1), 'a.png')),
    new Map([
      [3, 3],
      [1, 1],
      [0, 1],
    ]),
  );
});

test.run();
