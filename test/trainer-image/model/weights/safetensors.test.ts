import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BadInputError } from '../../../../trainer-image/errors.ts';
import type { NamedArrays } from '../../../../trainer-image/model/weights/elements.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  readSafetensorsFile,
  writeSafetensors,
} from '../../../../trainer-image/model/weights/safetensors.ts';
import { bytesOf } from './torch-writer.ts';

const test = suite<{ folder: string }>('safetensors', { folder: '' });
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'cdsp-safetensors-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

const FILE = 'net.safetensors';

function file(header: string, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return bytesOf(length, header, data);
}

function badInput(run: () => unknown, message: RegExp): void {
  assert.throws(run, (error: unknown) => error instanceof BadInputError && error.file === FILE && message.test(error.message));
}

function equalArrays(actual: NamedArrays, expected: NamedArrays): void {
  assert.equal([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { shape, data }] of expected) {
    assert.equal(actual.get(name)!.shape, shape);
    assert.equal(Buffer.from(actual.get(name)!.data.buffer), Buffer.from(data.slice().buffer));
  }
}

/** Any tensors: odd names, sizes of 0, every bit pattern. */
const anyArrays: fc.Arbitrary<NamedArrays> = fc
  .dictionary(
    fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
    fc.array(fc.nat(4), { maxLength: 4 }),
    { maxKeys: 5 },
  )
  .chain((shapes) =>
    fc.tuple(
      ...Object.entries(shapes).map(([name, shape]) => {
        const count = shape.reduce((a, b) => a * b, 1);
        return fc
          .uint8Array({ minLength: count * 4, maxLength: count * 4 })
          .map((bytes) => [name, { shape, data: new Float32Array(bytes.slice().buffer) }] as const);
      }),
    ),
  )
  .map((entries) => new Map(entries));

const small: NamedArrays = new Map([
  ['conv.weight', { shape: [2, 1], data: Float32Array.of(1, -2) }],
  ['bias', { shape: [], data: Float32Array.of(0.5) }],
]);
const smallBytes = Buffer.concat(encodeSafetensors(small, { epoch: '3' }));

test('tensors come back bit by bit, whatever their names, shapes and values', ({ folder }) => {
  const path = join(folder, FILE);
  fc.assert(
    fc.property(anyArrays, fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), (arrays, metadata) => {
      writeSafetensors(path, arrays, metadata);
      const { arrays: found, metadata: foundMetadata } = readSafetensorsFile(path);
      equalArrays(found, arrays);
      assert.equal(Object.entries(foundMetadata).sort(), Object.entries(metadata).sort());
    }),
    { numRuns: 60 },
  );
});

test('equal content gives equal bytes in any order of insertion', () => {
  const reversed = new Map([...small].reverse());
  assert.equal(Buffer.concat(encodeSafetensors(reversed, { b: '1', a: '2' })), Buffer.concat(encodeSafetensors(small, { a: '2', b: '1' })));
});

test('the bytes are those of the format: sorted names, data at a multiple of 8', () => {
  const header =
    '{"__metadata__":{"epoch":"3"},"bias":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"conv.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]}}';
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  assert.equal(smallBytes, file(padded, bytesOf(Float32Array.of(0.5, 1, -2))));
});

test('every element type becomes float32', () => {
  const cases: [dtype: string, bytes: Uint8Array, values: number[]][] = [
    ['F64', new Uint8Array(Float64Array.of(0.25, -3).buffer), [0.25, -3]],
    ['F16', Uint8Array.of(0, 0x3c, 1, 0, 0, 0xfc, 0xff, 0x7b), [1, 2 ** -24, -Infinity, 65504]],
    ['BF16', Uint8Array.of(0x80, 0x3f, 0, 0xc0), [1, -2]],
    ['I64', new Uint8Array(BigInt64Array.of(-5n, 2n ** 40n).buffer), [-5, 2 ** 40]],
    ['U64', new Uint8Array(BigUint64Array.of(7n).buffer), [7]],
    ['I32', new Uint8Array(Int32Array.of(-70000).buffer), [-70000]],
    ['U32', new Uint8Array(Uint32Array.of(4e9).buffer), [4e9]],
    ['I16', new Uint8Array(Int16Array.of(-300).buffer), [-300]],
    ['U16', new Uint8Array(Uint16Array.of(65535).buffer), [65535]],
    ['I8', Uint8Array.of(255), [-1]],
    ['U8', Uint8Array.of(255), [255]],
    ['BOOL', Uint8Array.of(0, 1), [0, 1]],
  ];
  for (const [dtype, bytes, values] of cases) {
    const entry = { x: { dtype, shape: [values.length], data_offsets: [0, bytes.length] } };
    const found = decodeSafetensors(file(JSON.stringify(entry), bytes), FILE).arrays.get('x')!;
    assert.equal([...found.data], [...Float32Array.from(values)], dtype);
  }
});

const entry = (dtype: string, shape: unknown, offsets: unknown) => JSON.stringify({ x: { dtype, shape, data_offsets: offsets } });
const eight = Buffer.alloc(8);
const damages: [why: string, bytes: Buffer, message: RegExp][] = [
  ['an empty file', Buffer.alloc(0), /only 0 bytes/],
  ['a header longer than the file', smallBytes.subarray(0, 20), /ends inside its header/],
  ['an impossible header length', bytesOf(Buffer.alloc(8, 255), smallBytes), /impossible length/],
  ['a header that is not JSON', file('{"x":'), /not JSON/],
  ['a header that is not UTF-8', bytesOf(2, Buffer.alloc(7), 0x7b, 0xff), /not JSON/],
  ['a header that is a list', file('[]'), /not a JSON object/],
  ['an entry that is no object', file('{"x":1}'), /entry of tensor "x"/],
  ['metadata that is not text', file('{"__metadata__":{"a":1}}'), /metadata/],
  ['no element type', file('{"x":{"shape":[],"data_offsets":[0,0]}}'), /no element type/],
  ['a negative size', file(entry('F32', [-1], [0, 8]), eight), /no valid shape/],
  ['a size that is not whole', file(entry('F32', [1.5], [0, 8]), eight), /no valid shape/],
  ['a shape whose product overflows', file(entry('F32', [2 ** 40, 2 ** 40], [0, 8]), eight), /no valid shape/],
  ['offsets that are not two', file(entry('F32', [2], [0]), eight), /data_offsets/],
  ['an end before the begin', file(entry('F32', [2], [8, 0]), eight), /ends before it begins/],
  ['bytes that do not fit the shape', file(entry('F32', [3], [0, 8]), eight), /cannot have 8 bytes/],
  ['a tensor beyond the end', file(entry('F32', [4], [0, 16]), eight), /cut off: 16 bytes of data expected, 8 found/],
  ['a gap before a tensor', file(entry('F32', [1], [4, 8]), eight), /bytes 0 to 4/],
  ['bytes after the last tensor', file(entry('F32', [1], [0, 4]), eight), /4 bytes after its last tensor/],
  ['an unknown element type', file(entry('F8_E4M3', [8], [0, 8]), eight), /unsupported element type F8_E4M3/],
  ['an element type named like a method', file(entry('constructor', [8], [0, 8]), eight), /unsupported element type/],
  [
    'two tensors in the same place',
    file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', eight),
    /"b" overlaps/,
  ],
];
for (const [why, bytes, message] of damages) test(`refused: ${why}`, () => badInput(() => decodeSafetensors(bytes, FILE), message));

test('a file cut off at any byte is refused', () => {
  for (let length = 0; length < smallBytes.length; length++) {
    badInput(() => decodeSafetensors(smallBytes.subarray(0, length), FILE), /damaged or incomplete/);
  }
});

test('changed bytes give a refusal or tensors that fit their shapes', () => {
  fc.assert(
    fc.property(fc.nat(smallBytes.length - 1), fc.nat(255), (at, value) => {
      const bytes = Buffer.from(smallBytes);
      bytes[at] = value;
      try {
        for (const { shape, data } of decodeSafetensors(bytes, FILE).arrays.values()) {
          assert.is(
            data.length,
            shape.reduce((a, b) => a * b, 1),
          );
        }
      } catch (error) {
        assert.instance(error, BadInputError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a missing file and a folder are refused by name', ({ folder }) => {
  for (const [path, message] of [
    [join(folder, 'none'), /does not exist/],
    [folder, /is a folder/],
  ] as const) {
    assert.throws(
      () => readSafetensors(path),
      (error: unknown) => error instanceof BadInputError && error.file === path && message.test(error.message),
    );
  }
});

test('writing replaces the file as a whole and leaves nothing else', ({ folder }) => {
  const path = join(folder, FILE);
  writeSafetensors(path, new Map());
  writeSafetensors(path, small, { epoch: '3' });
  assert.equal(readFileSync(path), smallBytes);
  assert.equal(readdirSync(folder), [FILE]);
});

test('a write that fails keeps the old file and says what is wrong', ({ folder }) => {
  const missing = join(folder, 'none', FILE);
  assert.throws(
    () => writeSafetensors(missing, small),
    (error: unknown) => error instanceof BadInputError && error.file === missing && /folder that does not exist/.test(error.message),
  );
  const taken = join(folder, 'taken');
  mkdirSync(taken);
  writeFileSync(join(taken, 'inside'), '');
  assert.throws(
    () => writeSafetensors(taken, small),
    (error: unknown) => error instanceof BadInputError && error.file === taken,
  );
  assert.equal(readdirSync(folder), ['taken']);
});

test('a folder without write permission is named as such', ({ folder }) => {
  if (process.getuid?.() === 0) return assert.ok(existsSync(folder), 'root may write everywhere');
  chmodSync(folder, 0o500);
  try {
    assert.throws(
      () => writeSafetensors(join(folder, FILE), small),
      (error: unknown) => error instanceof BadInputError && /permission/.test(error.message),
    );
  } finally {
    chmodSync(folder, 0o700);
  }
});

test('shapes that do not fit their values are a fault of the program, not of the input', () => {
  const wrong: NamedArrays = new Map([['x', { shape: [3], data: Float32Array.of(1) }]]);
  assert.throws(
    () => encodeSafetensors(wrong),
    (error: unknown) => !(error instanceof BadInputError),
  );
});

test.run();
