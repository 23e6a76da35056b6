import { BadInputError } from '../../errors.ts';
import { decodeElements, ELEMENT_TYPES, elementCount } from './elements.ts';
import type { NamedArrays } from './elements.ts';
import { readBytes, writeBytesAtomically } from './files.ts';

/**
 * The safetensors format: the header's length (8 bytes, little-endian), the header as JSON, then the tensors' bytes one
 * after the other without a gap.
 */
export interface SafetensorsFile {
  readonly arrays: NamedArrays;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

const LENGTH_BYTES = 8;
const ALIGNMENT = 8;
/** The limit of the format's reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;

/** Tensors of a .safetensors file as float32. Throws BadInputError for a file that is missing, damaged or incomplete. */
export function readSafetensors(file: string): NamedArrays {
  return readSafetensorsFile(file).arrays;
}

/** Like readSafetensors, with the file's own metadata. */
export function readSafetensorsFile(file: string): SafetensorsFile {
  return decodeSafetensors(readBytes(file), file);
}

/** Decodes the bytes of a .safetensors file; `file` only names it in errors. */
export function decodeSafetensors(bytes: Uint8Array, file: string): SafetensorsFile {
  const { header, data } = splitHeader(bytes, file);
  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw damaged(file, 'its metadata is not a list of texts');
  }
  const entries = Object.entries(tensors).map(([name, value]) => parseEntry(name, value, file));
  checkLayout(entries, data.byteLength, file);
  const arrays: NamedArrays = new Map();
  for (const { name, dtype, shape, begin, end } of entries) {
    const type = ELEMENT_TYPES[dtype];
    if (type === undefined) {
      throw new BadInputError(`tensor "${name}" has the unsupported element type ${dtype}; save the weights as float32`, { file });
    }
    const count = elementCount(shape);
    if (count * type.bytes !== end - begin) {
      throw damaged(file, `tensor "${name}" of shape [${shape.join(', ')}] and type ${dtype} cannot have ${end - begin} bytes`);
    }
    arrays.set(name, { shape, data: decodeElements(data.subarray(begin, end), type, count) });
  }
  return { arrays, metadata: metadata as Record<string, string> };
}

function splitHeader(bytes: Uint8Array, file: string): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.byteLength < LENGTH_BYTES) throw damaged(file, `it has only ${bytes.byteLength} bytes`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES) throw damaged(file, 'its header has an impossible length');
  const start = LENGTH_BYTES + headerBytes;
  if (start > bytes.byteLength) {
    throw damaged(file, `it ends inside its header: ${start} bytes expected, ${bytes.byteLength} found`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(LENGTH_BYTES, start)));
  } catch (cause) {
    throw damaged(file, 'its header is not JSON', cause);
  }
  if (!isRecord(header)) throw damaged(file, 'its header is not a JSON object');
  return { header, data: bytes.subarray(start) };
}

function parseEntry(name: string, value: unknown, file: string): Entry {
  if (!isRecord(value)) throw damaged(file, `the entry of tensor "${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string') throw damaged(file, `tensor "${name}" has no element type`);
  if (!Array.isArray(shape) || Number.isNaN(elementCount(shape))) throw damaged(file, `tensor "${name}" has no valid shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || offsets.some((offset) => Number.isNaN(elementCount([offset])))) {
    throw damaged(file, `tensor "${name}" has no valid data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw damaged(file, `tensor "${name}" ends before it begins`);
  return { name, dtype, shape: shape as number[], begin, end };
}

/** The tensors must fill the data exactly: nothing beyond its end, no byte used twice, none unused. */
function checkLayout(entries: readonly Entry[], dataBytes: number, file: string): void {
  let position = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < position) throw damaged(file, `tensor "${name}" overlaps another one`);
    if (begin > position) throw damaged(file, `bytes ${position} to ${begin} of its data belong to no tensor`);
    if (end > dataBytes) throw damaged(file, `tensor "${name}" is cut off: ${end} bytes of data expected, ${dataBytes} found`);
    position = end;
  }
  if (position < dataBytes) throw damaged(file, `${dataBytes - position} bytes after its last tensor belong to no tensor`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function damaged(file: string, what: string, cause?: unknown): BadInputError {
  return new BadInputError(`this .safetensors file is damaged or incomplete: ${what}; fetch or save it again`, { file, cause });
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The pieces of a file of float32 tensors, each tensor's data read when its turn comes, so that arrays made on demand need not be
 * in memory together. Names and metadata are sorted, so that equal content gives equal bytes whatever the order of insertion; the
 * header is padded with spaces until the data begins at a multiple of 8 bytes, as the reference implementation does.
 * The pieces share memory with `arrays`.
 */
export function* safetensorsPieces(arrays: NamedArrays, metadata: Readonly<Record<string, string>> = {}): Generator<Uint8Array> {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', Object.fromEntries(Object.entries(metadata).sort(byName))]);
  const sorted = [...arrays].sort(byName);
  let position = 0;
  for (const [name, { shape }] of sorted) {
    if (name === '__metadata__') throw new Error('no tensor may be called __metadata__');
    const end = position + elementCount(shape) * Float32Array.BYTES_PER_ELEMENT;
    header.push([name, { dtype: 'F32', shape, data_offsets: [position, end] }]);
    position = end;
  }
  // Not JSON.stringify of an object: names made of digits would move to the front.
  const text = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const json = new TextEncoder().encode(text);
  const padded = new Uint8Array(LENGTH_BYTES + Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - LENGTH_BYTES), true);
  padded.set(json, LENGTH_BYTES);
  yield padded;
  for (const [name, array] of sorted) {
    const { data } = array;
    if (elementCount(array.shape) !== data.length) {
      throw new Error(`tensor "${name}": shape [${array.shape.join(', ')}] but ${data.length} values`);
    }
    yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
}

/** A whole file of float32 tensors in memory. */
export function encodeSafetensors(arrays: NamedArrays, metadata: Readonly<Record<string, string>> = {}): Uint8Array[] {
  return [...safetensorsPieces(arrays, metadata)];
}

/**
 * Writes float32 tensors as a .safetensors file, atomically and byte for byte reproducible. Throws BadInputError where the
 * folder cannot be written or the disk is full; the file that was there before then stays as it was.
 */
export function writeSafetensors(file: string, arrays: NamedArrays, metadata: Readonly<Record<string, string>> = {}): void {
  writeBytesAtomically(file, safetensorsPieces(arrays, metadata));
}
