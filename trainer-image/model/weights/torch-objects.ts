import { ELEMENT_TYPES } from './elements.ts';
import type { ElementType } from './elements.ts';
import { Global, PickleError, Tuple } from './pickle.ts';
import type { PickleHost } from './pickle.ts';

/**
 * What the pickle of a PyTorch state dict may import, and what that means here. Nothing is allocated while it is read: a tensor
 * is only noted as a view of a storage whose bytes follow elsewhere in the file.
 */

/** `length` elements from element `offset` of the root storage `key`. */
export interface StorageView {
  readonly kind: 'storage';
  readonly key: string;
  readonly type: ElementType;
  /** Elements of the whole root storage. */
  readonly rootLength: number;
  readonly offset: number;
  readonly length: number;
}

export interface TensorView {
  readonly kind: 'tensor';
  readonly storage: StorageView;
  /** In elements, relative to the storage view. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

const STORAGE_TYPES: Readonly<Record<string, string>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  UntypedStorage: 'U8',
};

/** Globals that stand for a storage's element type. */
const STORAGES = new Map<string, ElementType>(
  Object.entries(STORAGE_TYPES).flatMap(([name, type]) =>
    ['torch.', 'torch.cuda.', 'torch.storage.'].map((module) => [`${module}${name}`, ELEMENT_TYPES[type]!] as const),
  ),
);

type Call = (args: readonly unknown[]) => unknown;

const CALLS = new Map<string, Call>([
  ['collections.OrderedDict', orderedDict],
  ['torch._utils._rebuild_tensor', rebuildTensor],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', firstTensor],
  ['torch._utils._rebuild_parameter_with_state', firstTensor],
  ['torch.nn.parameter.Parameter', firstTensor],
  ['torch.Size', ([sizes]) => (sizes instanceof Tuple ? sizes : new Tuple(listOf(sizes)))],
  // A device says where a tensor once was, which is of no interest here.
  ['torch.device', () => null],
]);

/** Lets a pickle build state dicts and nothing else; whatever else it imports is refused by name. */
export const torchHost: PickleHost = {
  findGlobal(name) {
    if (!STORAGES.has(name) && !CALLS.has(name)) {
      throw new PickleError(
        `it needs "${name}", which could run code and is not allowed; in PyTorch save only the weights: torch.save(model.state_dict(), file)`,
      );
    }
    return new Global(name);
  },
  call({ name }, args) {
    const call = CALLS.get(name);
    if (call === undefined) throw new PickleError(`its pickle calls "${name}" as a function`);
    return call(args);
  },
  /** OrderedDicts carry `_metadata` (versions of modules), parameters a flag: both without meaning for the values. */
  setState(target) {
    if (!(target instanceof Map) && !isTensor(target)) throw new PickleError('its pickle gives a state to something that has none');
  },
  loadPersistent(id) {
    if (!(id instanceof Tuple)) throw new PickleError('its pickle refers to something that is not a storage');
    const [tag, global, key, , length, view] = id.items;
    const type = global instanceof Global ? STORAGES.get(global.name) : undefined;
    if (tag !== 'storage' || type === undefined || typeof key !== 'string' || !isSize(length)) {
      throw new PickleError('its pickle refers to something that is not a storage');
    }
    const root: StorageView = { kind: 'storage', key, type, rootLength: length, offset: 0, length };
    return view instanceof Tuple ? viewOf(root, view.items) : root;
  },
};

/** PyTorch before 0.4 could save a part of a storage: (key of the part, offset, length). */
function viewOf(root: StorageView, [, offset, length]: readonly unknown[]): StorageView {
  if (!isSize(offset) || !isSize(length) || offset + length > root.length) {
    throw new PickleError('its pickle refers to a part that lies outside its storage');
  }
  return { ...root, offset, length };
}

export function isTensor(value: unknown): value is TensorView {
  return (value as TensorView | null | undefined)?.kind === 'tensor';
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function listOf(value: unknown): readonly unknown[] {
  if (value instanceof Tuple) return value.items;
  if (Array.isArray(value)) return value;
  throw new PickleError('its pickle gives a function something other than a list');
}

function orderedDict(args: readonly unknown[]): Map<unknown, unknown> {
  const pairs = args.length === 0 ? [] : listOf(args[0]).map(listOf);
  if (pairs.some((pair) => pair.length !== 2)) throw new PickleError('its pickle makes a dict of something other than pairs');
  return new Map(pairs.map(([key, value]) => [key, value]));
}

function firstTensor([tensor]: readonly unknown[]): TensorView {
  if (!isTensor(tensor)) throw new PickleError('its pickle makes a parameter of something other than a tensor');
  return tensor;
}

/** TensorFlow's limit of dimensions is 254; no weight comes near this one. */
const MAX_RANK = 16;

function rebuildTensor([storage, offset, size, stride]: readonly unknown[]): TensorView {
  const shape = listOf(size);
  const strides = listOf(stride);
  const isStorage = (storage as StorageView | null | undefined)?.kind === 'storage';
  if (!isStorage || !isSize(offset) || shape.length > MAX_RANK || shape.length !== strides.length) {
    throw new PickleError('its pickle holds a tensor without a valid storage, offset or shape');
  }
  if (!shape.every(isSize) || !strides.every(isSize)) throw new PickleError('its pickle holds a tensor with an invalid shape or stride');
  return { kind: 'tensor', storage: storage as StorageView, offset, shape, strides };
}
