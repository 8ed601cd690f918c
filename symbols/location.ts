// Where a value lives, and reading its bytes from there.

/** Part of a value that is split over several places (DW_OP_piece, DW_OP_bit_piece). */
export interface Piece {
  readonly location: Location;
  readonly bits: number;
  /** Of the piece's first bit from the least significant bit of its location. */
  readonly bitOffset: number;
}

/** Register numbers are DWARF's for the machine: see registers.ts for their names. */
export type Location =
  | { readonly kind: "memory"; readonly address: bigint }
  | { readonly kind: "register"; readonly register: number }
  /** The value itself, little-endian: it has no home in the machine. */
  | { readonly kind: "value"; readonly bytes: Uint8Array }
  | { readonly kind: "pieces"; readonly pieces: readonly Piece[] }
  /** `reason` is a phrase for the user, e.g. "optimised out at this pc". */
  | { readonly kind: "unavailable"; readonly reason: string };

/** An address to which a frame further in saved a register, or "live": the CPU's register has it still. */
export type KeptAt = bigint | "live";

/** The state of one frame of a stopped program. */
export interface FrameState {
  /** A register by its DWARF number; undefined where it is not known in this frame. */
  register(number: number): bigint | undefined;
  /** Undefined where any of the bytes cannot be read. Must have no side effects. */
  readMemory(address: bigint, length: number): Uint8Array | undefined;
  /** Where the value of that register is kept; undefined where that is not known. */
  keptAt?(number: number): KeptAt | undefined;
  /**
   * The canonical frame address, where the caller knows it otherwise (by frame pointer). Without
   * it the CFI of the program is used.
   */
  readonly cfa?: bigint | undefined;
  /** Run address minus link address of the program: static addresses are that much higher. */
  readonly slide?: bigint | undefined;
}

export type Bytes =
  | { readonly bytes: Uint8Array }
  | { readonly bytes?: never; readonly unavailable: string };

/** No single value is read in more bytes than this; children are read one by one. */
const MAX_READ = 1 << 20;

/** Reads `length` bytes at `offset` of the object at `location`. Never throws. */
export function readLocation(
  location: Location,
  offset: number,
  length: number,
  state: FrameState,
): Bytes {
  if (length > MAX_READ) return { unavailable: `too large to read (${length} bytes)` };
  switch (location.kind) {
    case "unavailable":
      return { unavailable: location.reason };
    case "memory": {
      const address = BigInt.asUintN(64, location.address + BigInt(offset));
      const bytes = length === 0 ? new Uint8Array(0) : state.readMemory(address, length);
      if (bytes && bytes.length === length) return { bytes };
      return { unavailable: `memory at 0x${address.toString(16)} cannot be read` };
    }
    case "register": {
      const value = state.register(location.register);
      if (value === undefined) return { unavailable: "its register is not known in this frame" };
      if (offset + length > 16) return { unavailable: "larger than the register that holds it" };
      return { bytes: toBytes(value >> BigInt(offset * 8), length) };
    }
    case "value":
      if (offset + length > location.bytes.length) {
        return { unavailable: "the debug information gives only a part of it" };
      }
      return { bytes: location.bytes.subarray(offset, offset + length) };
    case "pieces":
      return readPieces(location.pieces, offset * 8, length * 8, state);
  }
}

/**
 * Reads a value of `size` bits at bit `offset` of the object: of bytes that other values share
 * only its own bits must be there.
 */
export function readLocationBits(
  location: Location,
  offset: number,
  size: number,
  state: FrameState,
): { readonly bits: bigint } | { readonly bits?: never; readonly unavailable: string } {
  if (location.kind === "pieces") {
    const read = readPieces(location.pieces, offset, size, state);
    return read.bytes ? { bits: bitsOf(read.bytes, 0, size) } : read;
  }
  const first = Math.floor(offset / 8);
  const read = readLocation(location, first, Math.ceil((offset + size) / 8) - first, state);
  return read.bytes ? { bits: bitsOf(read.bytes, offset - first * 8, size) } : read;
}

/** Joins the pieces that overlap the wanted bits; others may be unavailable. */
function readPieces(
  pieces: readonly Piece[],
  wantedStart: number,
  size: number,
  state: FrameState,
): Bytes {
  if (size > MAX_READ * 8) return { unavailable: `too large to read (${size / 8} bytes)` };
  const wantedEnd = wantedStart + size;
  let value = 0n;
  let start = 0;
  for (const piece of pieces) {
    const end = start + piece.bits;
    if (end > wantedStart && start < wantedEnd) {
      const first = Math.floor(piece.bitOffset / 8);
      const last = Math.ceil((piece.bitOffset + piece.bits) / 8);
      const read = readLocation(piece.location, first, last - first, state);
      if (!read.bytes) return read;
      const bits = bitsOf(read.bytes, piece.bitOffset - first * 8, piece.bits);
      value |=
        start >= wantedStart
          ? bits << BigInt(start - wantedStart)
          : bits >> BigInt(wantedStart - start);
    }
    start = end;
  }
  if (start < wantedEnd) return { unavailable: "the debug information gives only a part of it" };
  return { bytes: toBytes(value, Math.ceil(size / 8)) };
}

/** The little-endian integer of all bytes. */
export function fromBytes(bytes: Uint8Array): bigint {
  let digits = "0x0";
  for (let i = bytes.length - 1; i >= 0; i--) digits += bytes[i]!.toString(16).padStart(2, "0");
  return BigInt(digits);
}

export function toBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let i = 0; i < length; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

export function bitsOf(bytes: Uint8Array, offset: number, size: number): bigint {
  return BigInt.asUintN(size, fromBytes(bytes) >> BigInt(offset));
}
