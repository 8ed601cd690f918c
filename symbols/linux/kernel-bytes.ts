/** A contiguous piece of a kernel's memory, as bytes and as 32-bit words. */
export class KernelBytes {
  /** Address of the first byte, a multiple of 8. */
  readonly start: bigint;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;

  constructor(start: bigint, bytes: Uint8Array) {
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    this.start = start;
    this.bytes = aligned;
    this.words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
  }

  get end(): bigint {
    return this.start + BigInt(this.bytes.length);
  }

  /** Offset of an address; undefined outside. */
  offsetOf(address: bigint): number | undefined {
    return this.start <= address && address < this.end ? Number(address - this.start) : undefined;
  }

  /** The u16 at a byte offset. */
  half(at: number): number {
    return (this.bytes[at] ?? 0) | ((this.bytes[at + 1] ?? 0) << 8);
  }

  /** The u32 at a byte offset that is a multiple of 4; 0 outside. */
  word(at: number): number {
    return this.words[at >> 2] ?? 0;
  }

  /** The u64 at a byte offset that is a multiple of 4. */
  long(at: number): bigint {
    return (BigInt(this.word(at + 4)) << 32n) | BigInt(this.word(at));
  }

  /** The bytes between two addresses, as far as they are here. */
  between(from: bigint, to: bigint): Uint8Array {
    const [first, last] = [this.offsetOf(from), this.offsetOf(to - 1n)];
    if (first === undefined || last === undefined || last < first) return new Uint8Array(0);
    return this.bytes.subarray(first, last + 1);
  }
}
