// Inflates zlib streams (RFC 1950 and 1951), as linkers compress debug sections with them.
import { FormatError } from "./dwarf/reader.ts";

const MAX_BITS = 15;
const MAX_SIZE = 2 ** 31 - 1;
const END_OF_BLOCK = 256;
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Length codes from 257 on and distance codes: smallest value and how many bits are added. */
const LENGTHS = codeValues(29, 4, 3, 258);
const DISTANCES = codeValues(30, 2, 1);

interface CodeValues {
  readonly base: readonly number[];
  readonly extra: readonly number[];
}

/** The extra bits grow by one every `step` codes (RFC 1951 section 3.2.5). */
function codeValues(count: number, step: number, first: number, last?: number): CodeValues {
  const base: number[] = [];
  const extra: number[] = [];
  let next = first;
  for (let code = 0; code < count; code++) {
    const bits = Math.max(0, Math.floor(code / step) - 1);
    base.push(next);
    extra.push(bits);
    next += 2 ** bits;
  }
  if (last !== undefined) {
    base[count - 1] = last;
    extra[count - 1] = 0;
  }
  return { base, extra };
}

/** A Huffman code: how many codes there are of each length, and the symbols in their order. */
interface Huffman {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function huffman(lengths: readonly number[]): Huffman {
  const counts = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) counts[length]!++;
  const starts = new Uint16Array(MAX_BITS + 2);
  for (let length = 1; length <= MAX_BITS; length++) {
    starts[length + 1] = starts[length]! + counts[length]!;
  }
  const symbols = new Uint16Array(lengths.length);
  for (const [symbol, length] of lengths.entries()) {
    if (length > 0) symbols[starts[length]!++] = symbol;
  }
  return { counts, symbols };
}

const run = (count: number, length: number) => new Array<number>(count).fill(length);
const FIXED = huffman([...run(144, 8), ...run(112, 9), ...run(24, 7), ...run(8, 8)]);
const FIXED_DISTANCES = huffman(run(30, 5));

/**
 * The `size` bytes that the stream holds. Throws a FormatError that begins with `name` where it is
 * damaged or holds more or fewer.
 */
export function inflate(bytes: Uint8Array, size: number, name: string): Uint8Array {
  const [method, flags] = [bytes[0] ?? 0, bytes[1] ?? 0];
  if ((method & 15) !== 8 || (method * 256 + flags) % 31 !== 0 || flags & 0x20) {
    throw new FormatError(`${name}: not a zlib stream`);
  }
  return new Inflation(bytes, 2, size, name).run();
}

class Inflation {
  private readonly input: Uint8Array;
  private position: number;
  private readonly size: number;
  /** Grows with what there is: a damaged size must not cost memory. */
  private output: Uint8Array;
  private length = 0;
  private readonly name: string;
  private held = 0;
  private heldBits = 0;

  constructor(input: Uint8Array, position: number, size: number, name: string) {
    if (size > MAX_SIZE) throw new FormatError(`${name}: too large when inflated`);
    this.input = input;
    this.position = position;
    this.size = size;
    this.output = new Uint8Array(Math.min(size, 4 * input.length));
    this.name = name;
  }

  run(): Uint8Array {
    for (let isLast = false; !isLast; ) {
      isLast = this.bits(1) === 1;
      const kind = this.bits(2);
      if (kind === 0) this.stored();
      else if (kind === 1) this.compressed(FIXED, FIXED_DISTANCES);
      else if (kind === 2) this.dynamic();
      else throw this.error("unknown kind of block");
    }
    if (this.length !== this.size) throw this.error("shorter than its header says");
    return this.output;
  }

  private bits(count: number): number {
    while (this.heldBits < count) {
      if (this.position >= this.input.length) throw this.error("truncated");
      this.held |= this.input[this.position++]! << this.heldBits;
      this.heldBits += 8;
    }
    const value = this.held & ((1 << count) - 1);
    this.held >>>= count;
    this.heldBits -= count;
    return value;
  }

  private symbol({ counts, symbols }: Huffman): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length <= MAX_BITS; length++) {
      code |= this.bits(1);
      const count = counts[length]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw this.error("code without a meaning");
  }

  private stored(): void {
    this.held = 0;
    this.heldBits = 0;
    const size = this.bits(16);
    if (this.bits(16) !== (~size & 0xffff)) throw this.error("damaged length of a stored block");
    const end = this.position + size;
    if (end > this.input.length) throw this.error("truncated");
    this.room(size);
    this.output.set(this.input.subarray(this.position, end), this.length);
    this.position = end;
    this.length += size;
  }

  private dynamic(): void {
    const [literals, distances] = [this.bits(5) + 257, this.bits(5) + 1];
    const order = CODE_LENGTH_ORDER.slice(0, this.bits(4) + 4);
    const lengthLengths = run(CODE_LENGTH_ORDER.length, 0);
    for (const symbol of order) lengthLengths[symbol] = this.bits(3);
    const code = huffman(lengthLengths);
    const lengths: number[] = [];
    while (lengths.length < literals + distances) {
      const symbol = this.symbol(code);
      if (symbol < 16) lengths.push(symbol);
      else if (symbol === 16) {
        const last = lengths.at(-1);
        if (last === undefined) throw this.error("repeats a length before the first");
        lengths.push(...run(3 + this.bits(2), last));
      } else lengths.push(...run(symbol === 17 ? 3 + this.bits(3) : 11 + this.bits(7), 0));
    }
    if (lengths.length > literals + distances) throw this.error("too many code lengths");
    this.compressed(huffman(lengths.slice(0, literals)), huffman(lengths.slice(literals)));
  }

  private compressed(literals: Huffman, distances: Huffman): void {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol === END_OF_BLOCK) return;
      if (symbol < END_OF_BLOCK) {
        this.room(1);
        this.output[this.length++] = symbol;
        continue;
      }
      const size = this.valueOf(LENGTHS, symbol - END_OF_BLOCK - 1);
      const distance = this.valueOf(DISTANCES, this.symbol(distances));
      if (distance > this.length) throw this.error("copies from before the start");
      this.room(size);
      const { output } = this;
      for (let i = 0; i < size; i++, this.length++) {
        output[this.length] = output[this.length - distance]!;
      }
    }
  }

  private valueOf({ base, extra }: CodeValues, code: number): number {
    const least = base[code];
    if (least === undefined) throw this.error("unknown length or distance");
    return least + this.bits(extra[code]!);
  }

  private room(count: number): void {
    const needed = this.length + count;
    if (needed > this.size) throw this.error("longer than its header says");
    if (needed <= this.output.length) return;
    const grown = new Uint8Array(Math.min(this.size, Math.max(needed, 2 * this.output.length)));
    grown.set(this.output);
    this.output = grown;
  }

  private error(reason: string): FormatError {
    return new FormatError(`${this.name}: damaged zlib stream: ${reason}`);
  }
}
