// A cursor over little-endian bytes, with the variable-length encodings that DWARF uses.

/** What every reader in this folder throws for input that is truncated or malformed. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** Length of a table and the width of the offsets in it (DWARF 5 section 7.4). */
export interface InitialLength {
  readonly length: number;
  readonly offsetSize: 4 | 8;
}

const utf8 = new TextDecoder();

/**
 * Reads forward from `position` and never past `end`: every read that would throws a FormatError
 * that names the section and the offset, so a caller needs no bounds checks of its own.
 */
export class Reader {
  readonly bytes: Uint8Array;
  /** Where the bytes are from, for messages, e.g. ".debug_info". */
  readonly name: string;
  position: number;
  readonly end: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, name: string, position = 0, end = bytes.length) {
    if (position < 0 || position > end || end > bytes.length) {
      throw new FormatError(`${name}: offset ${hex(position)} is outside the section`);
    }
    this.bytes = bytes;
    this.name = name;
    this.position = position;
    this.end = end;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.position;
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  /** A reader of the next `length` bytes; this one moves past them. */
  slice(length: number): Reader {
    const start = this.take(length);
    return new Reader(this.bytes, this.name, start, start + length);
  }

  block(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.take(length);
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  i8(): number {
    return this.view.getInt8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  /** An unsigned integer of 1 to 8 bytes. */
  unsigned(size: number): bigint {
    if (size === 8) return this.u64();
    const at = this.take(size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i]!);
    return value;
  }

  /** Unsigned LEB128 as a number; one that has no exact number is an error. */
  uleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw this.error("LEB128 number too large");
      if (byte < 0x80) return value;
      scale *= 128;
      if (scale > 2 ** 70) throw this.error("LEB128 number too long");
    }
  }

  /** Signed LEB128 as a number; one that has no exact number is an error. */
  sleb(): number {
    const value = Number(this.sleb64());
    if (!Number.isSafeInteger(value)) throw this.error("LEB128 number too large");
    return value;
  }

  uleb64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (shift > 140n) throw this.error("LEB128 number too long");
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  }

  sleb64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (shift > 140n) throw this.error("LEB128 number too long");
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      return BigInt.asIntN(64, byte & 0x40 ? value - (1n << (shift + 7n)) : value);
    }
  }

  /** A section offset or length, 4 or 8 bytes wide. */
  offset(size: 4 | 8): number {
    if (size === 4) return this.u32();
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.error("64-bit offset too large");
    return Number(value);
  }

  /** The length that opens a unit: 32-bit, or 0xffffffff and then 64-bit (section 7.4). */
  initialLength(): InitialLength {
    const first = this.u32();
    if (first === 0xffffffff) return { length: this.offset(8), offsetSize: 8 };
    if (first >= 0xfffffff0) throw this.error(`reserved unit length ${hex(first)}`);
    return { length: first, offsetSize: 4 };
  }

  /** A NUL-terminated UTF-8 string. */
  string(): string {
    const nul = this.bytes.indexOf(0, this.position);
    if (nul < 0 || nul >= this.end) throw this.error("string without an end");
    const text = utf8.decode(this.bytes.subarray(this.position, nul));
    this.position = nul + 1;
    return text;
  }

  /** Moves past a string. */
  skipString(): void {
    const nul = this.bytes.indexOf(0, this.position);
    if (nul < 0 || nul >= this.end) throw this.error("string without an end");
    this.position = nul + 1;
  }

  error(reason: string): FormatError {
    return new FormatError(`${this.name}+${hex(this.position)}: ${reason}`);
  }

  private take(length: number): number {
    const start = this.position;
    if (length < 0 || length > this.end - start) {
      throw this.error(`truncated: ${length} bytes wanted, ${this.end - start} left`);
    }
    this.position = start + length;
    return start;
  }
}

export function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
