import { crc32 } from 'node:zlib';

/** Writes files as torch.save does, and ones that it never would, for the tests of the reader. */

/** What can be pickled. Arrays are lists. */
export type Py =
  | null
  | boolean
  | number
  | string
  | Py[]
  | { tuple: Py[] }
  | { dict: [Py, Py][] }
  | { global: string }
  | { call: string; args: Py[] }
  | { of: Py; state: Py }
  | { persistent: Py }
  | { raw: Uint8Array };

export function bytesOf(...parts: (number | string | Uint8Array | Float32Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'number') return Buffer.of(part);
      if (typeof part === 'string') return Buffer.from(part);
      return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    }),
  );
}

function unsigned(value: number, bytes: 1 | 2 | 4 | 8): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer.subarray(0, bytes);
}

/** A whole pickle. Protocol 4 imports by STACK_GLOBAL, lower ones by GLOBAL. */
export function pickle(value: Py, protocol: 2 | 4 = 2): Buffer {
  return bytesOf(0x80, protocol, encode(value, protocol), '.');
}

function encode(value: Py, protocol: 2 | 4): Buffer {
  const all = (values: Py[]) => Buffer.concat(values.map((item) => encode(item, protocol)));
  if (value === null) return bytesOf('N');
  if (typeof value === 'boolean') return bytesOf(value ? 0x88 : 0x89);
  if (typeof value === 'string') return bytesOf('X', unsigned(Buffer.byteLength(value), 4), value);
  if (typeof value === 'number') return encodeNumber(value);
  if (Array.isArray(value)) return bytesOf(']', '(', all(value), 'e');
  if ('tuple' in value) return bytesOf('(', all(value.tuple), 't');
  if ('dict' in value) return bytesOf('}', '(', all(value.dict.flat(1)), 'u');
  if ('global' in value) {
    const dot = value.global.lastIndexOf('.');
    const [module, name] = [value.global.slice(0, dot), value.global.slice(dot + 1)];
    return protocol === 4 ? bytesOf(all([module, name]), 0x93) : bytesOf('c', `${module}\n${name}\n`);
  }
  if ('call' in value) return bytesOf(all([{ global: value.call }, { tuple: value.args }]), 'R');
  if ('state' in value) return bytesOf(all([value.of, value.state]), 'b');
  if ('persistent' in value) return bytesOf(encode(value.persistent, protocol), 'Q');
  return Buffer.from(value.raw);
}

function encodeNumber(value: number): Buffer {
  if (!Number.isInteger(value)) {
    const buffer = Buffer.alloc(9, 'G');
    buffer.writeDoubleBE(value, 1);
    return buffer;
  }
  if (value >= 0 && value < 256) return bytesOf('K', unsigned(value, 1));
  if (value >= 0 && value < 65536) return bytesOf('M', unsigned(value, 2));
  if (value >= -(2 ** 31) && value < 2 ** 31) return bytesOf('J', unsigned(value < 0 ? value + 2 ** 32 : value, 4));
  return bytesOf(0x8a, 8, unsigned(value, 8));
}

export function storage(key: string, length: number, type = 'torch.FloatStorage', view: Py = null): Py {
  return { persistent: { tuple: ['storage', { global: type }, key, 'cpu', length, view] } };
}

/** A tensor; without `strides` it is contiguous. */
export function tensor(from: Py, shape: number[], { offset = 0, strides }: { offset?: number; strides?: number[] } = {}): Py {
  const steps = strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const hooks: Py = { call: 'collections.OrderedDict', args: [] };
  return { call: 'torch._utils._rebuild_tensor_v2', args: [from, offset, { tuple: shape }, { tuple: steps }, false, hooks] };
}

/** An OrderedDict with the `_metadata` attribute that modules give theirs. */
export function stateDict(entries: [string, Py][]): Py {
  const dict = bytesOf(
    encode({ call: 'collections.OrderedDict', args: [] }, 2),
    '(',
    ...entries.flat().map((item) => encode(item, 2)),
    'u',
  );
  return { of: { raw: dict }, state: { dict: [['_metadata', { dict: [['', { dict: [['version', 1]] }]] }]] } };
}

export type Storages = Record<string, Uint8Array | Float32Array>;

export function torchZip(
  object: Py,
  storages: Storages,
  { byteorder = 'little', protocol = 2, zip64 = false }: { byteorder?: string; protocol?: 2 | 4; zip64?: boolean } = {},
): Buffer {
  const members: [string, Uint8Array][] = [
    ['archive/data.pkl', pickle(object, protocol)],
    ['archive/byteorder', Buffer.from(byteorder)],
    ...Object.entries(storages).map(([key, data]): [string, Uint8Array] => [`archive/data/${key}`, bytesOf(data)]),
    ['archive/version', Buffer.from('3\n')],
  ];
  return zip(members, { zip64 });
}

export function zip(members: [string, Uint8Array][], { zip64 = false, method = 0 } = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const [name, data] of members) {
    const crc = unsigned(crc32(data), 4);
    const sizes = zip64 ? [0xffffffff, 0xffffffff] : [data.length, data.length];
    const extra = zip64 ? bytesOf(1, 0, 24, 0, unsigned(data.length, 8), unsigned(data.length, 8), unsigned(at, 8)) : Buffer.alloc(0);
    const common = [0, 0, unsigned(method, 2), 0, 0, 0, 0, crc, ...sizes.map((size) => unsigned(size, 4)), unsigned(name.length, 2)];
    // torch.save pads with an extra field until the data is aligned.
    const local = bytesOf('PK', 3, 4, 0, 0, ...common, 4, 0, name, 'FB', 0, 0, data);
    const directory = [unsigned(extra.length, 2), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, unsigned(zip64 ? 0xffffffff : at, 4), name, extra];
    central.push(bytesOf('PK', 1, 2, 0, 0, 0, 0, ...common, ...directory));
    locals.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(central);
  const count = unsigned(members.length, 8);
  const size = unsigned(directory.length, 8);
  const end64 = bytesOf('PK', 6, 6, unsigned(44, 8), Buffer.alloc(12), count, count, size, unsigned(at, 8));
  const locator = bytesOf('PK', 6, 7, Buffer.alloc(4), unsigned(at + directory.length, 8), unsigned(1, 4));
  const start = unsigned(zip64 ? 0xffffffff : at, 4);
  const end = bytesOf('PK', 5, 6, 0, 0, 0, 0, count.subarray(0, 2), count.subarray(0, 2), size.subarray(0, 4), start, 0, 0);
  return bytesOf(...locals, directory, ...(zip64 ? [end64, locator] : []), end);
}

const MAGIC = bytesOf(0x80, 2, 0x8a, 10, Buffer.from('6cfc9c46f9206aa85019', 'hex'), '.');

/** The format before PyTorch 1.6. `elementBytes` is the size of an element in each storage. */
export function torchLegacy(object: Py, storages: Storages, { littleEndian = true, elementBytes = 4 } = {}): Buffer {
  const machine: Py = {
    dict: [
      ['protocol_version', 1001],
      ['little_endian', littleEndian],
      ['type_sizes', { dict: [['long', 4]] }],
    ],
  };
  const data = Object.values(storages).flatMap((content) => [unsigned(content.byteLength / elementBytes, 8), content]);
  return bytesOf(MAGIC, pickle(1001), pickle(machine), pickle(object), pickle(Object.keys(storages)), ...data);
}
