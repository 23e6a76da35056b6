import { crc32 } from 'node:zlib';
import { BadInputError } from '../../errors.ts';

/** Reads the zip archives that torch.save writes: members are stored uncompressed, sizes may be in zip64 form. */
export interface ZipArchive {
  readonly names: readonly string[];
  /** Bytes of a member, checked against its checksum; undefined where there is none of that name. */
  readonly read: (name: string) => Uint8Array | undefined;
}

interface Member {
  readonly name: string;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly headerAt: number;
}

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const CENTRAL_SIGNATURE = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
const IN_ZIP64 = 0xffffffff;
const ENCRYPTED = 1;

/** Reads an archive's table of contents. Throws BadInputError, naming `file`, for an archive that is damaged or incomplete. */
export function openZip(bytes: Uint8Array, file: string): ZipArchive {
  const zip = new Zip(bytes, file);
  const members = new Map(zip.members().map((member) => [member.name, member]));
  return {
    names: [...members.keys()],
    read(name) {
      const member = members.get(name);
      return member && zip.content(member);
    },
  };
}

class Zip {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly file: string;

  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.file = file;
  }

  members(): Member[] {
    const { count, at: start } = this.directory();
    const members: Member[] = [];
    let at = start;
    for (let index = 0; index < count; index++) {
      this.expect(at, CENTRAL_SIGNATURE, CENTRAL_BYTES, 'its table of contents is not whole');
      const nameBytes = this.view.getUint16(at + 28, true);
      const extraBytes = this.view.getUint16(at + 30, true);
      const nameAt = at + CENTRAL_BYTES;
      this.within(nameAt, nameBytes + extraBytes, 'its table of contents is not whole');
      const sizes = this.sizes(at, nameAt + nameBytes, extraBytes);
      members.push({
        name: new TextDecoder().decode(this.bytes.subarray(nameAt, nameAt + nameBytes)),
        flags: this.view.getUint16(at + 8, true),
        method: this.view.getUint16(at + 10, true),
        crc: this.view.getUint32(at + 16, true),
        ...sizes,
      });
      at = nameAt + nameBytes + extraBytes + this.view.getUint16(at + 32, true);
    }
    // Members that share bytes could make a small file cost a lot of work.
    const total = members.reduce((sum, { packedBytes }) => sum + packedBytes, 0);
    if (total > this.bytes.length) throw this.damaged('its members are larger than the file');
    return members;
  }

  content(member: Member): Uint8Array {
    const { name, headerAt, bytes } = member;
    if (member.flags & ENCRYPTED) throw new BadInputError(`"${name}" in this archive is encrypted`, { file: this.file });
    if (member.method !== 0 || member.packedBytes !== bytes) {
      throw new BadInputError(`"${name}" in this archive is compressed, which torch.save never does; save the weights again`, {
        file: this.file,
      });
    }
    this.expect(headerAt, LOCAL_SIGNATURE, LOCAL_BYTES, `"${name}" is not where its table of contents says`);
    const start = headerAt + LOCAL_BYTES + this.view.getUint16(headerAt + 26, true) + this.view.getUint16(headerAt + 28, true);
    this.within(start, bytes, `"${name}" is cut off`);
    const content = this.bytes.subarray(start, start + bytes);
    if (crc32(content) !== member.crc) throw this.damaged(`the checksum of "${name}" does not match`);
    return content;
  }

  /** Where the central directory begins and how many members it has. */
  private directory(): { count: number; at: number } {
    const end = this.findEnd();
    const count = this.view.getUint16(end + 10, true);
    const at = this.view.getUint32(end + 16, true);
    const locator = end - LOCATOR_BYTES;
    if (locator < 0 || this.view.getUint32(locator, true) !== LOCATOR_SIGNATURE) return { count, at };
    const end64 = this.unsigned64(locator + 8);
    this.expect(end64, END64_SIGNATURE, END64_BYTES, 'its table of contents cannot be found');
    return { count: this.unsigned64(end64 + 32), at: this.unsigned64(end64 + 48) };
  }

  private findEnd(): number {
    const last = this.bytes.length - END_BYTES;
    for (let at = last; at >= Math.max(0, last - MAX_COMMENT_BYTES); at--) {
      const isEnd = this.view.getUint32(at, true) === END_SIGNATURE;
      if (isEnd && at + END_BYTES + this.view.getUint16(at + 20, true) === this.bytes.length) return at;
    }
    throw this.damaged('its table of contents is missing, so the end of the file is probably cut off');
  }

  /** Sizes and position of a member; where they do not fit 32 bits they are in the extra field 1, in this order. */
  private sizes(at: number, extraAt: number, extraBytes: number): Pick<Member, 'bytes' | 'packedBytes' | 'headerAt'> {
    const extra = this.zip64Extra(extraAt, extraBytes);
    const size = (field: number) => {
      const value = this.view.getUint32(at + field, true);
      if (value !== IN_ZIP64) return value;
      const next = extra.shift();
      if (next === undefined) throw this.damaged('a size in its table of contents is missing');
      return next;
    };
    const bytes = size(24);
    const packedBytes = size(20);
    return { bytes, packedBytes, headerAt: size(42) };
  }

  private zip64Extra(at: number, bytes: number): number[] {
    for (let field = at; field + 4 <= at + bytes; field += 4 + this.view.getUint16(field + 2, true)) {
      if (this.view.getUint16(field, true) !== 1) continue;
      const count = Math.min(3, Math.floor(Math.min(this.view.getUint16(field + 2, true), at + bytes - field - 4) / 8));
      return Array.from({ length: count }, (_, index) => this.unsigned64(field + 4 + index * 8));
    }
    return [];
  }

  private unsigned64(at: number): number {
    const value = Number(this.view.getBigUint64(at, true));
    if (value > this.bytes.length) throw this.damaged('a number in its table of contents points beyond its end');
    return value;
  }

  private expect(at: number, signature: number, length: number, what: string): void {
    this.within(at, length, what);
    if (this.view.getUint32(at, true) !== signature) throw this.damaged(what);
  }

  private within(at: number, length: number, what: string): void {
    if (at + length > this.bytes.length) throw this.damaged(what);
  }

  private damaged(what: string): BadInputError {
    return new BadInputError(`this PyTorch file is damaged or incomplete: ${what}; fetch or save it again`, { file: this.file });
  }
}
