/** Numbers, bytes and texts of a recording's parts, written one behind the other. */

/** A recording that cannot be used, or a part of it: one sentence. */
export class RecordingError extends Error {}

/** 53 bits, seven a byte. */
const MAX_VARINT_BYTES = 8;

export class ByteWriter {
  private buffer = new Uint8Array(256);
  private length = 0;

  private room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const wider = new Uint8Array(Math.max(2 * this.buffer.length, this.length + bytes));
    wider.set(this.buffer);
    this.buffer = wider;
  }

  byte(value: number): this {
    this.room(1);
    this.buffer[this.length++] = value;
    return this;
  }

  /** A whole number from 0 below 2^53: seven bits a byte, the lowest first, bit 7 says that more come. */
  number(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${value} is not to be written`);
    this.room(MAX_VARINT_BYTES);
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.length++] = rest;
    return this;
  }

  /** A whole number of either sign: the sign is the lowest bit. */
  signed(value: number): this {
    return this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  raw(bytes: Uint8Array): this {
    this.room(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** Bytes with their length before them. */
  bytes(bytes: Uint8Array): this {
    return this.number(bytes.length).raw(bytes);
  }

  text(text: string): this {
    return this.bytes(new TextEncoder().encode(text));
  }

  get done(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }
}

/** Throws a RecordingError where the bytes do not hold what is asked for. */
export class ByteReader {
  private readonly from: Uint8Array;
  private at = 0;

  constructor(from: Uint8Array) {
    this.from = from;
  }

  get left(): number {
    return this.from.length - this.at;
  }

  byte(): number {
    const value = this.from[this.at];
    if (value === undefined) throw new RecordingError("A part of the recording ends too early.");
    this.at++;
    return value;
  }

  number(): number {
    let [value, scale] = [0, 1];
    for (let i = 0; i < MAX_VARINT_BYTES; i++, scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (Number.isSafeInteger(value)) return value;
      break;
    }
    throw new RecordingError("A number in the recording is too large.");
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  raw(length: number): Uint8Array {
    if (length > this.left) throw new RecordingError("A part of the recording ends too early.");
    const bytes = this.from.slice(this.at, this.at + length);
    this.at += length;
    return bytes;
  }

  bytes(): Uint8Array {
    return this.raw(this.number());
  }

  text(): string {
    return new TextDecoder().decode(this.bytes());
  }
}
