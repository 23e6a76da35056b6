/** Tensors by name, in the order of the file; `data` is row-major. */
export type NamedArrays = Map<string, NamedArray>;
export interface NamedArray {
  shape: number[];
  data: Float32Array;
}

/** Arrays of which each is made anew whenever its data are read: for what is too large to be in memory twice. */
export function arraysOnDemand(sources: Iterable<readonly [name: string, shape: number[], read: () => Float32Array]>): NamedArrays {
  return new Map(
    [...sources].map(([name, shape, read]) => [
      name,
      {
        shape,
        get data() {
          return read();
        },
      },
    ]),
  );
}

export interface ElementType {
  readonly bytes: number;
  /** One little-endian element as a number. 64-bit integers beyond 2^53 are rounded. */
  readonly read: (view: DataView, at: number) => number;
}

/** IEEE 754 half precision from its 16 bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Element types by the name that the safetensors format gives them. */
export const ELEMENT_TYPES: Readonly<Record<string, ElementType | undefined>> = Object.assign(Object.create(null) as object, {
  F64: { bytes: 8, read: (view: DataView, at: number) => view.getFloat64(at, true) },
  F32: { bytes: 4, read: (view: DataView, at: number) => view.getFloat32(at, true) },
  F16: { bytes: 2, read: (view: DataView, at: number) => halfToNumber(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view: DataView, at: number) => bfloat16ToNumber(view.getUint16(at, true)) },
  I64: { bytes: 8, read: (view: DataView, at: number) => Number(view.getBigInt64(at, true)) },
  U64: { bytes: 8, read: (view: DataView, at: number) => Number(view.getBigUint64(at, true)) },
  I32: { bytes: 4, read: (view: DataView, at: number) => view.getInt32(at, true) },
  U32: { bytes: 4, read: (view: DataView, at: number) => view.getUint32(at, true) },
  I16: { bytes: 2, read: (view: DataView, at: number) => view.getInt16(at, true) },
  U16: { bytes: 2, read: (view: DataView, at: number) => view.getUint16(at, true) },
  I8: { bytes: 1, read: (view: DataView, at: number) => view.getInt8(at) },
  U8: { bytes: 1, read: (view: DataView, at: number) => view.getUint8(at) },
  BOOL: { bytes: 1, read: (view: DataView, at: number) => (view.getUint8(at) === 0 ? 0 : 1) },
});

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a float32. */
function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** Number of elements of a shape; NaN where it is no shape or the number is not exact. */
export function elementCount(shape: readonly unknown[]): number {
  const count = shape.reduce<number>((product, size) => {
    const valid = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
    return valid ? product * size : NaN;
  }, 1);
  return Number.isSafeInteger(count) ? count : NaN;
}

/** `count` elements that lie one after the other in `bytes` (which must hold them), as float32. Copies. */
export function decodeElements(bytes: Uint8Array, type: ElementType, count: number): Float32Array {
  if (type === ELEMENT_TYPES.F32) {
    const data = new Float32Array(count);
    // TensorFlow and Node's prebuilt binaries exist for little-endian machines only, so the bytes are already in order.
    new Uint8Array(data.buffer).set(bytes.subarray(0, count * 4));
    return data;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: count }, (_, index) => type.read(view, index * type.bytes));
}

/**
 * The elements at `offset + Σ index·stride` (both counted in elements), in row-major order, as float32. The caller has
 * checked that the furthest one lies inside `bytes`.
 */
export function gatherElements(
  bytes: Uint8Array,
  type: ElementType,
  layout: { offset: number; shape: readonly number[]; strides: readonly number[] },
): Float32Array {
  const { offset, shape, strides } = layout;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float32Array(elementCount(shape));
  const index = shape.map(() => 0);
  let at = offset;
  for (let position = 0; position < data.length; position++) {
    data[position] = type.read(view, at * type.bytes);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]++;
      at += strides[axis];
      if (index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return data;
}
