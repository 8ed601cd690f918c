// The typed stack of DWARF expressions and the operations that need only the stack (2.5.1.3, .4).
import { FormatError, type Reader } from "./reader.ts";

/** Ends an evaluation whose value cannot be had, with the reason for the user. */
export class Unavailable extends Error {}

/** `generic` is the address-sized integer of unspecified sign. */
export interface StackType {
  readonly size: number;
  readonly kind: "generic" | "signed" | "unsigned" | "float";
}

/** `bits` is never negative and has no more bits than the type. */
export interface StackValue {
  readonly bits: bigint;
  readonly type: StackType;
}

type Binary = (a: bigint, b: bigint, left: StackValue) => bigint;

/** Of (second from top, top). Generic values compare and divide as signed (section 2.5.1.4). */
const BINARY: Readonly<Record<number, Binary>> = {
  26: (a, b) => a & b, // and
  27: (a, b) => a / nonZero(b), // div
  28: (a, b) => a - b, // minus
  29: (a, b, left) => (left.type.kind === "signed" ? a : left.bits) % nonZero(b), // mod
  30: (a, b) => a * b, // mul
  33: (a, b) => a | b, // or
  34: (a, b) => a + b, // plus
  36: (a, b, left) => (b >= width(left) ? 0n : a << b), // shl
  37: (_, b, left) => (b >= width(left) ? 0n : left.bits >> b), // shr
  38: (_, b, left) => signed(left) >> (b < 64n ? b : 64n), // shra
  39: (a, b) => a ^ b, // xor
};

const COMPARE: Readonly<Record<number, (a: bigint, b: bigint) => boolean>> = {
  41: (a, b) => a === b, // eq
  42: (a, b) => a >= b, // ge
  43: (a, b) => a > b, // gt
  44: (a, b) => a <= b, // le
  45: (a, b) => a < b, // lt
  46: (a, b) => a !== b, // ne
};

const UNARY: Readonly<Record<number, (a: bigint) => bigint>> = {
  25: (a) => (a < 0n ? -a : a), // abs
  31: (a) => -a, // neg
  32: (a) => ~a, // not
};

/** Runs a stack, arithmetic or logical operation; false where `op` is none. */
export function arithmetic(op: number, reader: Reader, stack: StackValue[]): boolean {
  if (moveValues(op, reader, stack)) return true;
  const [binary, compare, unary] = [BINARY[op], COMPARE[op], UNARY[op]];
  if (op === 35) {
    const value = at(stack, 0); // plus_uconst
    stack.pop();
    push(stack, value.bits + reader.uleb64(), value);
  } else if (unary) {
    const value = at(stack, 0);
    stack.pop();
    push(stack, unary(numeric(value)), value);
  } else if (binary || compare) {
    const [right, left] = [at(stack, 0), at(stack, 1)];
    stack.length -= 2;
    // A shift count and the divisor of an unsigned remainder are taken without sign.
    const plain = op === 29 || (op >= 36 && op <= 38);
    const b = plain && right.type.kind !== "signed" ? right.bits : numeric(right);
    if (binary) push(stack, binary(numeric(left), b, left), left);
    else stack.push({ bits: compare!(numeric(left), b) ? 1n : 0n, type: genericLike(left) });
  } else return false;
  return true;
}

function moveValues(op: number, reader: Reader, stack: StackValue[]): boolean {
  if (op === 0x12)
    stack.push(at(stack, 0)); // dup
  else if (op === 0x13) {
    at(stack, 0); // drop
    stack.pop();
  } else if (op === 0x14)
    stack.push(at(stack, 1)); // over
  else if (op === 0x15)
    stack.push(at(stack, reader.u8())); // pick
  else if (op === 0x16)
    stack.splice(-2, 2, at(stack, 0), at(stack, 1)); // swap
  else if (op === 0x17)
    stack.splice(-3, 3, at(stack, 0), at(stack, 2), at(stack, 1)); // rot
  else return false;
  return true;
}

function at(stack: readonly StackValue[], depth: number): StackValue {
  const value = stack.at(-1 - depth);
  if (!value) throw new FormatError("location expression takes from an empty stack");
  return value;
}

function push(stack: StackValue[], value: bigint, like: StackValue): void {
  stack.push({ bits: BigInt.asUintN(like.type.size * 8, value), type: like.type });
}

function numeric(value: StackValue): bigint {
  if (value.type.kind === "float") {
    throw new Unavailable("not available yet: location computes with floating-point values");
  }
  return value.type.kind === "unsigned" ? value.bits : signed(value);
}

function signed(value: StackValue): bigint {
  return BigInt.asIntN(value.type.size * 8, value.bits);
}

function width(value: StackValue): bigint {
  return BigInt(value.type.size * 8);
}

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new FormatError("location expression divides by zero");
  return value;
}

/** Comparisons give a generic 0 or 1; generic values of one context all have one size. */
function genericLike(value: StackValue): StackType {
  return value.type.kind === "generic" ? value.type : { size: 8, kind: "generic" };
}
