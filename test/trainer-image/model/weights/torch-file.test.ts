import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BadInputError } from '../../../../trainer-image/errors.ts';
import type { NamedArrays } from '../../../../trainer-image/model/weights/elements.ts';
import { decodeTorchWeights } from '../../../../trainer-image/model/weights/torch-file.ts';
import { bytesOf, pickle, stateDict, storage, tensor, torchLegacy, torchZip, zip } from './torch-writer.ts';
import type { Py, Storages } from './torch-writer.ts';

const FILE = 'net.pth';
const six = Float32Array.of(1, 2, 3, 4, 5, 6);

type Write = (object: Py, storages: Storages) => Buffer;
const formats: [name: string, write: Write][] = [
  ['zip', torchZip],
  ['zip, pickle protocol 4', (object, storages) => torchZip(object, storages, { protocol: 4 })],
  ['zip64', (object, storages) => torchZip(object, storages, { zip64: true })],
  ['legacy', torchLegacy],
];

function plain(arrays: NamedArrays): Record<string, [shape: number[], values: number[]]> {
  return Object.fromEntries([...arrays].map(([name, { shape, data }]) => [name, [shape, [...data]]]));
}

function badInput(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decodeTorchWeights(bytes, FILE),
    (error: unknown) => {
      if (!(error instanceof BadInputError)) throw error;
      assert.is(error.file, FILE);
      assert.match(error.message, message);
      return true;
    },
  );
}

const layouts: [why: string, object: Py, storages: Storages, expected: Record<string, [number[], number[]]>][] = [
  [
    'a contiguous tensor',
    stateDict([['w', tensor(storage('0', 6), [2, 3])]]),
    { 0: six },
    {
      w: [
        [2, 3],
        [1, 2, 3, 4, 5, 6],
      ],
    },
  ],
  ['a scalar', stateDict([['w', tensor(storage('0', 1), [])]]), { 0: Float32Array.of(7) }, { w: [[], [7]] }],
  ['an empty tensor', stateDict([['w', tensor(storage('0', 0), [0, 3])]]), { 0: new Float32Array() }, { w: [[0, 3], []] }],
  [
    'a transposed tensor',
    stateDict([['w', tensor(storage('0', 6), [3, 2], { strides: [1, 3] })]]),
    { 0: six },
    {
      w: [
        [3, 2],
        [1, 4, 2, 5, 3, 6],
      ],
    },
  ],
  [
    'an expanded tensor',
    stateDict([['w', tensor(storage('0', 6), [2, 2], { strides: [0, 1], offset: 4 })]]),
    { 0: six },
    {
      w: [
        [2, 2],
        [5, 6, 5, 6],
      ],
    },
  ],
  [
    'two tensors that share a storage',
    stateDict([
      ['a', tensor(storage('0', 6), [2])],
      ['b', tensor(storage('0', 6), [2, 2], { offset: 2 })],
    ]),
    { 0: six },
    {
      a: [[2], [1, 2]],
      b: [
        [2, 2],
        [3, 4, 5, 6],
      ],
    },
  ],
  [
    'a part of a storage, as PyTorch before 0.4 saved it',
    stateDict([['w', tensor(storage('0', 6, 'torch.FloatStorage', { tuple: ['1', 2, 3] }), [2], { offset: 1 })]]),
    { 0: six },
    { w: [[2], [4, 5]] },
  ],
  [
    'a parameter, and tensors of the first form',
    stateDict([
      ['a', { call: 'torch._utils._rebuild_parameter', args: [tensor(storage('0', 6), [1]), true, null] }],
      ['b', { of: { call: 'torch.nn.parameter.Parameter', args: [tensor(storage('0', 6), [2])] }, state: { tuple: [true, false] } }],
      [
        'c',
        { call: 'torch._utils._rebuild_tensor', args: [storage('0', 6, 'torch.cuda.FloatStorage'), 5, { tuple: [1] }, { tuple: [1] }] },
      ],
    ]),
    { 0: six },
    { a: [[1], [1]], b: [[2], [1, 2]], c: [[1], [6]] },
  ],
  ['a plain dict', { dict: [['w', tensor(storage('0', 6), [6])]] }, { 0: six }, { w: [[6], [1, 2, 3, 4, 5, 6]] }],
  [
    'a checkpoint with other things around the state dict',
    {
      dict: [
        ['epoch', 3],
        ['loss', -0.25],
        ['best', null],
        ['sizes', [{ call: 'torch.Size', args: [{ tuple: [1, -70000, 2 ** 40] }] }, true]],
        ['device', { call: 'torch.device', args: ['cuda', 0] }],
        ['optimizer', { dict: [['state', { dict: [[0, { dict: [['momentum_buffer', tensor(storage('0', 6), [1])]] }]] }]] }],
        ['state_dict', stateDict([['w', tensor(storage('0', 6), [2])]])],
      ],
    },
    { 0: six },
    { w: [[2], [1, 2]] },
  ],
];
for (const [name, write] of formats) {
  for (const [why, object, storages, expected] of layouts) {
    test(`${name}: ${why}`, () => assert.equal(plain(decodeTorchWeights(write(object, storages), FILE)), expected));
  }
}

test('every storage type becomes float32', () => {
  const cases: [type: string, data: Uint8Array, elementBytes: number, values: number[]][] = [
    ['DoubleStorage', new Uint8Array(Float64Array.of(0.5, -2).buffer), 8, [0.5, -2]],
    ['HalfStorage', Uint8Array.of(0, 0x3c, 0, 0xb8), 2, [1, -0.5]],
    ['BFloat16Storage', Uint8Array.of(0x80, 0x3f, 0, 0xc0), 2, [1, -2]],
    ['LongStorage', new Uint8Array(BigInt64Array.of(-1n, 9n).buffer), 8, [-1, 9]],
    ['IntStorage', new Uint8Array(Int32Array.of(-8).buffer), 4, [-8]],
    ['ShortStorage', new Uint8Array(Int16Array.of(-9).buffer), 2, [-9]],
    ['CharStorage', Uint8Array.of(254), 1, [-2]],
    ['ByteStorage', Uint8Array.of(254), 1, [254]],
    ['BoolStorage', Uint8Array.of(1, 0), 1, [1, 0]],
  ];
  for (const [type, data, elementBytes, values] of cases) {
    const object = stateDict([['w', tensor(storage('k', values.length, `torch.${type}`), [values.length])]]);
    for (const bytes of [torchZip(object, { k: data }), torchLegacy(object, { k: data }, { elementBytes })]) {
      assert.equal(plain(decodeTorchWeights(bytes, FILE)).w[1], values, type);
    }
  }
});

test('random tensors come back from both formats', () => {
  const shapes = fc.array(fc.array(fc.nat(3), { maxLength: 4 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(shapes, fc.integer(), (sizes, seed) => {
      const storages: Storages = {};
      const expected: Record<string, [number[], number[]]> = {};
      const entries = sizes.map((shape, index): [string, Py] => {
        const count = shape.reduce((a, b) => a * b, 1);
        const values = Float32Array.from({ length: count }, (_, position) => Math.sin(seed + position + index * 7));
        storages[`${index}`] = values;
        expected[`layer.${index}`] = [shape, [...values]];
        return [`layer.${index}`, tensor(storage(`${index}`, count), shape)];
      });
      for (const [, write] of formats) assert.equal(plain(decodeTorchWeights(write(stateDict(entries), storages), FILE)), expected);
    }),
    { numRuns: 50 },
  );
});

const attack = (name: string, ...args: Py[]): Py => ({ dict: [['w', { call: name, args }]] });
const forbidden: [name: string, object: Py][] = [
  ['os.system', attack('os.system', 'touch /tmp/owned')],
  ['posix.system', attack('posix.system', 'id')],
  ['builtins.eval', attack('builtins.eval', '1')],
  ['builtins.getattr', attack('builtins.getattr', { global: 'torch.FloatStorage' }, '__init__')],
  ['torch.load', attack('torch.load', 'x')],
  ['torch.storage._load_from_bytes', attack('torch.storage._load_from_bytes', 'x')],
  ['torch._utils._rebuild_sparse_tensor', attack('torch._utils._rebuild_sparse_tensor')],
  ['numpy.core.multiarray.scalar', attack('numpy.core.multiarray.scalar')],
  ['torchvision.models.resnet.ResNet', { global: 'torchvision.models.resnet.ResNet' }],
  ['__main__.constructor', { global: '__main__.constructor' }],
];
for (const [name, write] of formats) {
  for (const [global, object] of forbidden) {
    test(`${name}: refuses ${global} by name`, () => badInput(write(object, {}), new RegExp(`needs "${global.replaceAll('.', '\\.')}"`)));
  }
}

const w = (value: Py): Py => ({ dict: [['w', value]] });
const raw = (...parts: (number | string)[]): Py => ({ raw: bytesOf(...parts) });
const refusals: [why: string, object: Py, message: RegExp][] = [
  ['an object made by INST', raw('(ios\nsystem\n'), /opcode 0x69/],
  ['an object made by NEWOBJ', raw('ccollections\nOrderedDict\n)', 0x81), /opcode 0x81/],
  ['an import by extension code', raw(0x82, 1), /opcode 0x82/],
  ['a call of a storage type', w({ call: 'torch.FloatStorage', args: [] }), /calls "torch.FloatStorage"/],
  ['a call of something that is no function', raw('N)R'), /no function/],
  ['a state for a plain value', w({ of: 3, state: { dict: [] } }), /state/],
  ['a value that is not there', raw('u'), /not opened/],
  ['a value taken from an empty stack', raw('a'), /not there/],
  ['a value that was never remembered', raw('h', 9), /recalls/],
  ['a number appended to a dict', raw('}Na'), /not a list/],
  ['a dict item set in a list', raw(']NNs'), /not a dict/],
  ['an import without a name', raw('NN', 0x93), /without a name/],
  ['a text that is not UTF-8', raw('U', 1, 0x80), /UTF-8/],
  ['a text longer than the file', raw('X', 255, 255, 255, 255), /middle of its pickle/],
  ['an integer of megabytes', raw(0x8b, 0, 0, 16, 0), /integer of 1048576 bytes/],
  ['a newer protocol', raw(0x80, 6), /protocol/],
  ['a pickle bomb of a million lists', { raw: Buffer.alloc(1_000_001, ']') }, /far longer/],
  ['a list instead of a state dict', [], /no state dict/],
  [
    'a dict without tensors',
    {
      dict: [
        ['epoch', 1],
        ['args', 'x'],
      ],
    },
    /it has epoch, args/,
  ],
  ['a tensor beyond its storage', w(tensor(storage('0', 6), [7])), /"w" reaches beyond/],
  ['a view beyond its storage', w(tensor(storage('0', 6, 'torch.FloatStorage', { tuple: ['1', 4, 3] }), [1])), /outside its storage/],
  [
    'a view that shows another part than its tensor needs',
    w(tensor(storage('0', 6, 'torch.FloatStorage', { tuple: ['1', 0, 2] }), [3])),
    /beyond/,
  ],
  ['a stride beyond its storage', w(tensor(storage('0', 6), [2, 2], { strides: [5, 1] })), /reaches beyond/],
  ['a negative stride', w(tensor(storage('0', 6), [2], { strides: [-1] })), /stride/],
  ['a shape that is not whole', w(tensor(storage('0', 6), [0.5])), /shape/],
  ['a tensor of 17 dimensions', w(tensor(storage('0', 6), new Array<number>(17).fill(1))), /shape/],
  ['a tensor without a storage', w(tensor(null, [1])), /storage/],
  ['a storage of an unknown kind', w(tensor({ persistent: { tuple: ['module', 'x'] } }, [1])), /not a storage/],
  ['a tensor that would unfold to terabytes', w(tensor(storage('0', 6), [2 ** 40], { strides: [0] })), /unfold/],
  [
    'many tensors that would unfold to gigabytes together',
    { dict: Array.from({ length: 40 }, (_, index): [Py, Py] => [`w${index}`, tensor(storage('0', 6), [2 ** 18], { strides: [0] })]) },
    /unfold/,
  ],
];
for (const [name, write] of [formats[0], formats[3]]) {
  for (const [why, object, message] of refusals) test(`${name}: refuses ${why}`, () => badInput(write(object, { 0: six }), message));
}

const object = stateDict([['w', tensor(storage('0', 6), [2, 3])]]);
const refusedFiles: [why: string, bytes: Buffer, message: RegExp][] = [
  ['big-endian zip', torchZip(object, { 0: six }, { byteorder: 'big' }), /big-endian/],
  ['big-endian legacy file', torchLegacy(object, { 0: six }, { littleEndian: false }), /big-endian/],
  ['a pickle that is not torch.save’s', pickle({ dict: [['w', 1]] }), /not one made by torch.save/],
  ['a zip that is not torch.save’s', zip([['a.txt', Buffer.from('a')]]), /no data.pkl/],
  ['a missing storage', torchZip(object, {}), /storage "0" is missing/],
  ['a storage of another length', torchZip(object, { 0: Float32Array.of(1) }), /4 bytes instead of 24/],
  ['a compressed member', zip([['archive/data.pkl', Buffer.from('x')]], { method: 8 }), /compressed/],
  ['a legacy file whose list of storages names an unknown one', torchLegacy(object, { 0: six, 1: six }), /names one that no tensor uses/],
];
for (const [why, bytes, message] of refusedFiles) test(`refused: ${why}`, () => badInput(bytes, message));

for (const [name, write] of formats) {
  const bytes = write(object, { 0: six });
  const intact = plain(decodeTorchWeights(bytes, FILE));

  test(`${name}: a file cut off at any byte is refused`, () => {
    for (let length = 0; length < bytes.length; length++) badInput(bytes.subarray(0, length), /./);
  });

  // Only the zip format has checksums: there, a changed byte that matters never goes unnoticed.
  test(`${name}: changed bytes give a refusal or a result of the same form`, () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] ^= flip;
        let found: NamedArrays;
        try {
          found = decodeTorchWeights(changed, FILE);
        } catch (error) {
          assert.instance(error, BadInputError);
          return;
        }
        if (write !== torchLegacy) assert.equal(plain(found), intact);
        for (const { shape, data } of found.values()) {
          assert.is(
            data.length,
            shape.reduce((a, b) => a * b, 1),
          );
        }
      }),
      { numRuns: 3000 },
    );
  });
}

test.run();
