/**
 * A pickle machine that cannot run code: it knows the opcodes that PyTorch's state dicts are made of, and it calls nothing by
 * itself. Names that a pickle imports, calls (REDUCE) and states (BUILD) go to a host, which allows what it knows.
 */

/** A tuple; lists become arrays, dicts become Maps. */
export class Tuple {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** Something imported by name, for example `torch.FloatStorage`. */
export class Global {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle may do beyond building plain values. Each method throws PickleError to refuse. */
export interface PickleHost {
  readonly findGlobal: (name: string) => Global;
  readonly call: (callee: Global, args: readonly unknown[]) => unknown;
  readonly setState: (target: unknown, state: unknown) => void;
  readonly loadPersistent: (id: unknown) => unknown;
}

/** The pickle is damaged, or wants something that is not allowed. */
export class PickleError extends Error {}

/** Reads one pickle that begins at `start`. `end` is the position after it. Throws PickleError. */
export function readPickle(bytes: Uint8Array, start: number, host: PickleHost): { value: unknown; end: number } {
  const machine = new Machine(bytes, start, host);
  return { value: machine.run(), end: machine.position };
}

const MAX_PROTOCOL = 5;
/** PyTorch's longest integer is its magic number of 10 bytes. */
const MAX_INTEGER_BYTES = 256;
/** A state dict takes about 40 opcodes a tensor. Each may make an object, so their number bounds the memory. */
const MAX_OPCODES = 1_000_000;
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Machine {
  position: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly host: PickleHost;
  private readonly memo = new Map<number, unknown>();
  private stack: unknown[] = [];
  /** The stacks below each MARK. */
  private readonly marks: unknown[][] = [];

  constructor(bytes: Uint8Array, start: number, host: PickleHost) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
    this.host = host;
  }

  run(): unknown {
    for (let count = 0; count < MAX_OPCODES; count++) {
      const opcode = this.unsigned(1);
      if (opcode === 0x2e /* STOP */) return this.pop();
      this.step(opcode);
    }
    throw new PickleError('its pickle is far longer than a state dict needs');
  }

  private step(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        if (this.unsigned(1) > MAX_PROTOCOL) throw new PickleError('its pickle protocol is unknown');
        return;
      case 0x95: // FRAME: only a hint for readers of streams
        this.take(8);
        return;
      case 0x28: // MARK
        this.marks.push(this.stack);
        this.stack = [];
        return;
      case 0x30: // POP
        this.pop();
        return;
      case 0x4e: // NONE
        return this.push(null);
      case 0x88: // NEWTRUE
        return this.push(true);
      case 0x89: // NEWFALSE
        return this.push(false);
      case 0x4a: // BININT
        return this.push(this.view.getInt32(this.take(4), true));
      case 0x4b: // BININT1
        return this.push(this.unsigned(1));
      case 0x4d: // BININT2
        return this.push(this.unsigned(2));
      case 0x8a: // LONG1
        return this.push(this.integer(this.unsigned(1)));
      case 0x8b: // LONG4
        return this.push(this.integer(this.unsigned(4)));
      case 0x47: // BINFLOAT
        return this.push(this.view.getFloat64(this.take(8)));
      case 0x58: // BINUNICODE
        return this.push(this.string(this.unsigned(4)));
      case 0x8c: // SHORT_BINUNICODE
        return this.push(this.string(this.unsigned(1)));
      case 0x54: // BINSTRING, as Python 2 writes texts
        return this.push(this.string(this.unsigned(4)));
      case 0x55: // SHORT_BINSTRING
        return this.push(this.string(this.unsigned(1)));
      case 0x29: // EMPTY_TUPLE
        return this.push(new Tuple([]));
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.push(new Tuple(this.popMany(opcode - 0x84)));
      case 0x74: // TUPLE
        return this.push(new Tuple(this.popMark()));
      case 0x5d: // EMPTY_LIST
        return this.push([]);
      case 0x61: // APPEND
        return this.append([this.pop()]);
      case 0x65: // APPENDS
        return this.append(this.popMark());
      case 0x7d: // EMPTY_DICT
        return this.push(new Map());
      case 0x73: // SETITEM
        return this.setItems(this.popMany(2));
      case 0x75: // SETITEMS
        return this.setItems(this.popMark());
      case 0x71: // BINPUT
        return this.remember(this.unsigned(1));
      case 0x72: // LONG_BINPUT
        return this.remember(this.unsigned(4));
      case 0x94: // MEMOIZE
        return this.remember(this.memo.size);
      case 0x68: // BINGET
        return this.recall(this.unsigned(1));
      case 0x6a: // LONG_BINGET
        return this.recall(this.unsigned(4));
      case 0x63: // GLOBAL
        return this.push(this.host.findGlobal(`${this.line()}.${this.line()}`));
      case 0x93: // STACK_GLOBAL
        return this.stackGlobal();
      case 0x52: // REDUCE
        return this.reduce();
      case 0x62: // BUILD
        return this.build();
      case 0x51: // BINPERSID
        return this.push(this.host.loadPersistent(this.pop()));
      default:
        throw new PickleError(`pickle opcode 0x${opcode.toString(16).padStart(2, '0')} at byte ${this.position - 1} is not allowed`);
    }
  }

  /** Moves on by `count` bytes and returns where they begin. */
  private take(count: number): number {
    const start = this.position;
    if (count > this.bytes.length - start) throw new PickleError('it ends in the middle of its pickle');
    this.position = start + count;
    return start;
  }

  private unsigned(count: 1 | 2 | 4): number {
    const at = this.take(count);
    return count === 1 ? this.bytes[at] : count === 2 ? this.view.getUint16(at, true) : this.view.getUint32(at, true);
  }

  /** A two's complement integer; a number where that is exact, else a bigint. */
  private integer(count: number): number | bigint {
    if (count > MAX_INTEGER_BYTES) throw new PickleError(`it holds an integer of ${count} bytes`);
    const at = this.take(count);
    let value = 0n;
    for (let index = count - 1; index >= 0; index--) value = (value << 8n) | BigInt(this.bytes[at + index]);
    const signed = BigInt.asIntN(count * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  private string(count: number): string {
    const at = this.take(count);
    return decode(this.bytes.subarray(at, at + count));
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw new PickleError('it ends in the middle of its pickle');
    const found = decode(this.bytes.subarray(this.position, end));
    this.position = end + 1;
    return found;
  }

  private push(value: unknown): void {
    this.stack.push(value);
  }

  private pop(): unknown {
    return this.popMany(1)[0];
  }

  private popMany(count: number): unknown[] {
    if (this.stack.length < count) throw new PickleError('its pickle takes a value that is not there');
    return this.stack.splice(this.stack.length - count);
  }

  private popMark(): unknown[] {
    const items = this.stack;
    const below = this.marks.pop();
    if (below === undefined) throw new PickleError('its pickle closes a group that was not opened');
    this.stack = below;
    return items;
  }

  private top(): unknown {
    if (this.stack.length === 0) throw new PickleError('its pickle takes a value that is not there');
    return this.stack[this.stack.length - 1];
  }

  private append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw new PickleError('its pickle appends to something that is not a list');
    for (const item of items) list.push(item);
  }

  private setItems(items: readonly unknown[]): void {
    const map = this.top();
    if (!(map instanceof Map) || items.length % 2 !== 0) throw new PickleError('its pickle sets items of something that is not a dict');
    for (let index = 0; index < items.length; index += 2) map.set(items[index], items[index + 1]);
  }

  private remember(index: number): void {
    this.memo.set(index, this.top());
  }

  private recall(index: number): void {
    if (!this.memo.has(index)) throw new PickleError('its pickle recalls a value that it never made');
    this.push(this.memo.get(index));
  }

  private stackGlobal(): void {
    const [module, name] = this.popMany(2);
    if (typeof module !== 'string' || typeof name !== 'string') throw new PickleError('its pickle imports something without a name');
    this.push(this.host.findGlobal(`${module}.${name}`));
  }

  private reduce(): void {
    const [callee, args] = this.popMany(2);
    if (!(callee instanceof Global) || !(args instanceof Tuple)) throw new PickleError('its pickle calls something that is no function');
    this.push(this.host.call(callee, args.items));
  }

  private build(): void {
    const state = this.pop();
    this.host.setState(this.top(), state);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return text.decode(bytes);
  } catch (cause) {
    throw new PickleError('its pickle holds a text that is not UTF-8', { cause });
  }
}
