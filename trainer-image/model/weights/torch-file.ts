import { BadInputError } from '../../errors.ts';
import { decodeElements, elementCount, gatherElements } from './elements.ts';
import type { NamedArray, NamedArrays } from './elements.ts';
import { PickleError, readPickle } from './pickle.ts';
import type { PickleHost } from './pickle.ts';
import { isTensor, torchHost } from './torch-objects.ts';
import type { TensorView } from './torch-objects.ts';
import { openZip } from './zip.ts';

/**
 * Reads what torch.save writes, in both of its formats, without running any of the code that a pickle can name:
 * - since PyTorch 1.6 a zip archive: `<name>/data.pkl` and one member `<name>/data/<key>` per storage;
 * - before (and with _use_new_zipfile_serialization=False): pickles of a magic number, a protocol version, facts about the
 *   machine, the object and the list of storage keys, followed by each storage as its length and its elements.
 * The state dict may lie inside a checkpoint, under one of STATE_DICT_KEYS.
 */

/** Where training programs keep the state dict inside a checkpoint; the first that holds tensors is taken. */
const STATE_DICT_KEYS = ['state_dict', 'model', 'model_state', 'model_state_dict', 'net', 'network', 'weights', 'params'];

/** The pickled object and, by key, the bytes of its storages. */
interface Saved {
  readonly object: unknown;
  readonly storageBytes: (key: string, bytes: number) => Uint8Array;
}

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

/**
 * Decodes the bytes of a .pth or .pt file as float32; `file` only names it in errors.
 * @throws BadInputError for a file that is damaged, or needs code to load
 */
export function decodeTorchWeights(bytes: Uint8Array, file: string): NamedArrays {
  try {
    const { object, storageBytes } = isZip(bytes) ? openZipFormat(bytes, file) : openLegacyFormat(bytes);
    return materialize(findStateDict(object), storageBytes, bytes.byteLength);
  } catch (cause) {
    if (!(cause instanceof PickleError)) throw cause;
    throw new BadInputError(`this PyTorch file cannot be loaded: ${cause.message}`, { file, cause });
  }
}

/** A local file header of a zip archive, or the end record of an empty one. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && ((bytes[2] === 3 && bytes[3] === 4) || (bytes[2] === 5 && bytes[3] === 6));
}

function openZipFormat(bytes: Uint8Array, file: string): Saved {
  const zip = openZip(bytes, file);
  const pickles = zip.names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) throw new PickleError('it is a zip archive but not one made by torch.save: it has no data.pkl');
  const root = pickles[0].slice(0, -'data.pkl'.length);
  const order = zip.read(`${root}byteorder`);
  if (order !== undefined && new TextDecoder().decode(order) !== 'little') {
    throw new PickleError('it was saved on a big-endian machine; load and save it again on a little-endian one');
  }
  const { value: object } = readPickle(zip.read(pickles[0])!, 0, torchHost);
  return {
    object,
    storageBytes(key, expected) {
      const content = zip.read(`${root}data/${key}`);
      if (content === undefined) throw new PickleError(`its storage "${key}" is missing; fetch or save it again`);
      if (content.byteLength !== expected) {
        throw new PickleError(`its storage "${key}" has ${content.byteLength} bytes instead of ${expected}; fetch or save it again`);
      }
      return content;
    },
  };
}

/** Refuses every name: the pickles around the object hold plain values only. */
const plainHost: PickleHost = {
  ...torchHost,
  findGlobal(name) {
    throw new PickleError(`its header needs "${name}", which is not allowed`);
  },
};

function openLegacyFormat(bytes: Uint8Array): Saved {
  const magic = readPickle(bytes, 0, plainHost);
  if (magic.value !== LEGACY_MAGIC) throw new PickleError('it is a pickle but not one made by torch.save');
  const protocol = readPickle(bytes, magic.end, plainHost);
  if (protocol.value !== LEGACY_PROTOCOL) throw new PickleError(`its format version ${String(protocol.value)} is unknown`);
  const machine = readPickle(bytes, protocol.end, plainHost);
  if (!(machine.value instanceof Map) || machine.value.get('little_endian') !== true) {
    throw new PickleError('it was saved on a big-endian machine; load and save it again on a little-endian one');
  }
  // The element sizes of storages are known only from the object's references to them.
  const elementBytes = new Map<string, number>();
  const object = readPickle(bytes, machine.end, {
    ...torchHost,
    loadPersistent(id) {
      const storage = torchHost.loadPersistent(id) as TensorView['storage'];
      elementBytes.set(storage.key, storage.type.bytes);
      return storage;
    },
  });
  const keys = readPickle(bytes, object.end, plainHost);
  let storages: Map<string, Uint8Array> | undefined;
  return {
    object: object.value,
    storageBytes(key, expected) {
      storages ??= splitStorages(bytes, keys, elementBytes);
      const content = storages.get(key);
      if (content?.byteLength !== expected)
        throw new PickleError(`its storage "${key}" is missing or has another length than its tensors need`);
      return content;
    },
  };
}

function splitStorages(
  bytes: Uint8Array,
  keys: { value: unknown; end: number },
  elementBytes: ReadonlyMap<string, number>,
): Map<string, Uint8Array> {
  if (!Array.isArray(keys.value)) throw new PickleError('its list of storages is damaged');
  const storages = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = keys.end;
  for (const key of keys.value as unknown[]) {
    const size = typeof key === 'string' ? elementBytes.get(key) : undefined;
    if (size === undefined) throw new PickleError('its list of storages names one that no tensor uses');
    if (at + 8 > bytes.byteLength) throw new PickleError('it is cut off before its last tensor; fetch it again');
    const end = at + 8 + Number(view.getBigInt64(at, true)) * size;
    if (end < at + 8 || end > bytes.byteLength) throw new PickleError('it is cut off before its last tensor, or damaged; fetch it again');
    storages.set(key as string, bytes.subarray(at + 8, end));
    at = end;
  }
  return storages;
}

/** The tensors of the state dict by name: the saved dict itself, or the one inside a checkpoint. */
function findStateDict(object: unknown): Map<string, TensorView> {
  if (!(object instanceof Map)) {
    throw new PickleError('it holds no state dict; in PyTorch save one: torch.save(model.state_dict(), file)');
  }
  for (const candidate of [...STATE_DICT_KEYS.map((key) => (object as Map<unknown, unknown>).get(key)), object]) {
    if (!(candidate instanceof Map)) continue;
    const tensors = [...(candidate as Map<unknown, unknown>)].filter(
      (entry): entry is [string, TensorView] => typeof entry[0] === 'string' && isTensor(entry[1]),
    );
    if (tensors.length > 0) return new Map(tensors);
  }
  const names = [...object.keys()].filter((key) => typeof key === 'string').slice(0, 5);
  const where = `looked at the top and under ${STATE_DICT_KEYS.slice(0, 4).join(', ')}; it has ${names.join(', ') || 'no entry'}`;
  throw new PickleError(`it holds no state dict (${where}); in PyTorch save one: torch.save(model.state_dict(), file)`);
}

/** Tensors may share or repeat storage (tied weights, strides of 0), so a small file could ask for any amount of memory. */
const MAX_ELEMENTS_PER_FILE_BYTE = 2;
const FREE_ELEMENTS = 1 << 20;

function materialize(tensors: ReadonlyMap<string, TensorView>, storageBytes: Saved['storageBytes'], fileBytes: number): NamedArrays {
  const total = [...tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (!(total <= fileBytes * MAX_ELEMENTS_PER_FILE_BYTE + FREE_ELEMENTS)) {
    throw new PickleError(`its tensors would unfold to far more values than its ${fileBytes} bytes can hold`);
  }
  const read = new Map<string, Uint8Array>();
  const bytesOf = ({ key, type, rootLength }: TensorView['storage']) => {
    const id = `${key} ${type.bytes * rootLength}`;
    const known = read.get(id) ?? storageBytes(key, type.bytes * rootLength);
    read.set(id, known);
    return known;
  };
  const arrays: NamedArrays = new Map();
  for (const [name, tensor] of tensors) arrays.set(name, toArray(name, tensor, bytesOf));
  return arrays;
}

function toArray(name: string, tensor: TensorView, bytesOf: (storage: TensorView['storage']) => Uint8Array): NamedArray {
  const { storage, shape, strides } = tensor;
  const count = elementCount(shape);
  const furthest = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], tensor.offset);
  if (count > 0 && !(furthest < storage.length)) throw new PickleError(`its tensor "${name}" reaches beyond its storage`);
  const bytes = bytesOf(storage);
  const offset = storage.offset + tensor.offset;
  const data =
    count === 0 || isContiguous(shape, strides)
      ? decodeElements(bytes.subarray(offset * storage.type.bytes), storage.type, count)
      : gatherElements(bytes, storage.type, { offset, shape, strides });
  return { shape: [...shape], data };
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}
