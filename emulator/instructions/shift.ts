/** Shifts and rotates: SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD and SHRD. */

import type { Context, Size, StatusFlag } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

/** What a shift makes of its operand, for a masked count that is not 0. */
interface Shifted<V, B> {
  readonly result: V;
  readonly carry: B;
  readonly overflow: B;
}

type Shift = <V, B, X>(c: Context<V, B, X>, a: V, count: V, size: Size) => Shifted<V, B>;

/** Which flags a shift defines: all six, or only CF and OF (rotates). */
type FlagKind = "shift" | "rotate";

const topBit = (size: Size): number => size * 8 - 1;
const countMask = (size: Size): number => (size === 8 ? 63 : 31);

function never<V, B, X>(c: Context<V, B, X>): B {
  return c.isNonZero(c.constant(0));
}

function differ<V, B, X>(c: Context<V, B, X>, a: B, b: B): B {
  return c.isNonZero(c.xor(c.toValue(a), c.toValue(b)));
}

/** The value's bytes repeated over 64 bits, so that a 64-bit rotate is a rotate of any width. */
function repeated<V, B, X>(c: Context<V, B, X>, a: V, size: Size): V {
  const ones = { 1: 0x0101010101010101n, 2: 0x0001000100010001n, 4: 0x100000001n, 8: 1n }[size];
  return size === 8 ? a : c.mul(a, c.constant(ones));
}

const shl: Shift = (c, a, count, size) => {
  const result = c.shiftLeft(a, count);
  // Below 64 bits the bit shifted out is still in the value; at 64 a rotate brings it to bit 0.
  const carry = size === 8 ? c.bit(c.rotateLeft(a, count), 0) : c.bit(result, size * 8);
  return { result, carry, overflow: differ(c, carry, c.bit(result, topBit(size))) };
};

const shr: Shift = (c, a, count, size) => {
  const beforeLast = c.shiftRight(a, c.sub(count, c.constant(1)));
  const result = c.shiftRight(beforeLast, c.constant(1));
  const overflow = c.bit(beforeLast, topBit(size));
  return { result, carry: c.bit(beforeLast, 0), overflow };
};

const sar: Shift = (c, a, count, size) => {
  const extended = c.signExtend(a, size);
  const beforeLast = c.shiftRightSigned(extended, c.sub(count, c.constant(1)));
  const result = c.shiftRightSigned(beforeLast, c.constant(1));
  return { result, carry: c.bit(beforeLast, 0), overflow: never(c) };
};

const rol: Shift = (c, a, count, size) => {
  const result = c.rotateLeft(repeated(c, a, size), count);
  const carry = c.bit(result, 0);
  return { result, carry, overflow: differ(c, carry, c.bit(result, topBit(size))) };
};

const ror: Shift = (c, a, count, size) => {
  const result = c.rotateRight(repeated(c, a, size), count);
  const carry = c.bit(result, topBit(size));
  return { result, carry, overflow: differ(c, carry, c.bit(result, topBit(size) - 1)) };
};

/** Rotate of CF:operand (9, 17 or 33 bits) to the left by `count` below its width. */
function rotateThroughCarry<V, B, X>(
  c: Context<V, B, X>,
  a: V,
  left: V,
  size: Size,
): Shifted<V, B> {
  const bits = size * 8 + 1;
  const carryIn = c.shiftLeft(c.toValue(c.getFlag("CF")), c.constant(size * 8));
  const whole = c.or(a, carryIn);
  const right = c.sub(c.constant(bits), left);
  const result = c.or(c.shiftLeft(whole, left), c.shiftRight(whole, right));
  const carry = c.bit(result, size * 8);
  return { result, carry, overflow: differ(c, carry, c.bit(result, topBit(size))) };
}

/** Count of a rotate through carry below 64 bits: modulo 9 and 17, and below 32 at 32 bits. */
function throughCarryCount<V, B, X>(c: Context<V, B, X>, count: V, size: Size): V {
  return size === 4 ? count : c.remainder(count, c.constant(size * 8 + 1));
}

const rcl: Shift = (c, a, count, size) => {
  if (size !== 8) return rotateThroughCarry(c, a, throughCarryCount(c, count, size), size);
  const one = c.constant(1);
  const carryIn = c.shiftLeft(c.toValue(c.getFlag("CF")), c.sub(count, one));
  // a >> (65 - count), in two steps since count may be 1.
  const wrapped = c.shiftRight(c.shiftRight(a, one), c.sub(c.constant(64), count));
  const result = c.or(c.or(c.shiftLeft(a, count), carryIn), wrapped);
  const carry = c.bit(c.rotateLeft(a, count), 0);
  const through = { result, carry };
  return { ...through, overflow: differ(c, carry, c.bit(result, 63)) };
};

const rcr: Shift = (c, a, count, size) => {
  const top = topBit(size);
  if (size !== 8) {
    const right = throughCarryCount(c, count, size);
    const left = c.sub(c.constant(size * 8 + 1), right);
    const { result, carry } = rotateThroughCarry(c, a, left, size);
    return { result, carry, overflow: differ(c, c.bit(result, top), c.bit(result, top - 1)) };
  }
  const one = c.constant(1);
  const up = c.sub(c.constant(64), count);
  const carryIn = c.shiftLeft(c.toValue(c.getFlag("CF")), up);
  const wrapped = c.shiftLeft(c.shiftLeft(a, one), up);
  const result = c.or(c.or(c.shiftRight(a, count), carryIn), wrapped);
  const carry = c.bit(c.shiftRight(a, c.sub(count, one)), 0);
  return { result, carry, overflow: differ(c, c.bit(result, 63), c.bit(result, 62)) };
};

function setFlagsOfShift<V, B, X>(
  c: Context<V, B, X>,
  kind: FlagKind,
  size: Size,
  { result, carry, overflow }: Shifted<V, B>,
): void {
  if (kind === "shift") c.flagsOfResult(result, size, carry, overflow, never(c));
  else c.setFlags({ CF: carry, OF: overflow });
}

/** Shift by exactly one: the count is known when code is generated. */
function byOne(shift: Shift, kind: FlagKind): Semantics {
  return (c) => {
    const size = c.sizeOf(0);
    const shifted = shift(c, c.readForWrite(0), c.constant(1), size);
    c.write(0, shifted.result);
    setFlagsOfShift(c, kind, size, shifted);
  };
}

/** Shift by CL or an immediate: a masked count of 0 changes nothing. */
function byCount(shift: Shift, kind: FlagKind): Semantics {
  return (c) => {
    const size = c.sizeOf(0);
    const a = c.readForWrite(0);
    const count = c.and(c.read(1), c.constant(countMask(size)));
    const shifted = shift(c, a, count, size);
    const some = c.isNonZero(count);
    c.write(0, c.select(some, shifted.result, a));
    c.when(some, () => setFlagsOfShift(c, kind, size, shifted));
  };
}

interface ShiftFamily {
  readonly mnemonic: string;
  readonly digit: number;
  readonly kind: FlagKind;
  readonly shift: Shift;
}

function shiftRows({ mnemonic, digit, kind, shift }: ShiftFamily): Row[] {
  const auxiliary: StatusFlag[] = kind === "shift" ? ["AF"] : [];
  const one: RowOptions = { undefinedFlags: auxiliary };
  // OF is defined for counts of one only; CF of SHL and SHR only up to the operand's width.
  const some: RowOptions = { undefinedFlags: [...auxiliary, "OF"] };
  const counted = byCount(shift, kind);
  return [
    row(mnemonic, `D0 /${digit}`, "Eb,1", one, byOne(shift, kind)),
    row(mnemonic, `D1 /${digit}`, "Ev,1", one, byOne(shift, kind)),
    row(mnemonic, `D2 /${digit}`, "Eb,CL", some, counted),
    row(mnemonic, `D3 /${digit}`, "Ev,CL", some, counted),
    row(mnemonic, `C0 /${digit}`, "Eb,Ib", some, counted),
    row(mnemonic, `C1 /${digit}`, "Ev,Ib", some, counted),
  ];
}

/** Double shift: the bits that come in are those of the second operand. */
type DoubleShift = <V, B, X>(
  c: Context<V, B, X>,
  a: V,
  b: V,
  count: V,
  size: Size,
) => { result: V; carry: B };

const shld: DoubleShift = (c, a, b, count, size) => {
  if (size === 8) {
    const filler = c.shiftRight(c.shiftRight(b, c.constant(1)), c.sub(c.constant(63), count));
    const result = c.or(c.shiftLeft(a, count), filler);
    return { result, carry: c.bit(c.rotateLeft(a, count), 0) };
  }
  const bits = c.constant(size * 8);
  const pair = c.or(c.shiftLeft(a, bits), b);
  // A 16-bit count over 16 takes the second operand twice: AMD's side of an undefined case.
  const whole = size === 4 ? pair : c.or(c.shiftLeft(pair, bits), b);
  const result = c.shiftRight(c.shiftLeft(whole, count), c.constant(32));
  return { result, carry: c.bit(c.shiftLeft(a, count), size * 8) };
};

const shrd: DoubleShift = (c, a, b, count, size) => {
  const carry = c.bit(c.shiftRight(a, c.sub(count, c.constant(1))), 0);
  if (size === 8) {
    const filler = c.shiftLeft(c.shiftLeft(b, c.constant(1)), c.sub(c.constant(63), count));
    return { result: c.or(c.shiftRight(a, count), filler), carry };
  }
  const pair = c.or(c.shiftLeft(b, c.constant(size * 8)), a);
  const whole = size === 4 ? pair : c.or(c.shiftLeft(b, c.constant(32)), pair);
  return { result: c.shiftRight(whole, count), carry };
};

function doubleShift(shift: DoubleShift): Semantics {
  return (c) => {
    const size = c.sizeOf(0);
    const a = c.readForWrite(0);
    const b = c.read(1);
    const count = c.and(c.read(2), c.constant(countMask(size)));
    const { result, carry } = shift(c, a, b, count, size);
    const some = c.isNonZero(count);
    c.write(0, c.select(some, result, a));
    c.when(some, () => {
      const top = topBit(size);
      const overflow = differ(c, c.bit(a, top), c.bit(result, top));
      c.flagsOfResult(result, size, carry, overflow, never(c));
    });
  };
}

/** A 16-bit double shift by more than 16 is undefined altogether; this is what AMD's CPUs make of it. */
const DOUBLE: RowOptions = { undefinedFlags: ["AF", "OF"] };

export const SHIFT_ROWS: readonly Row[] = [
  ...shiftRows({ mnemonic: "ROL", digit: 0, kind: "rotate", shift: rol }),
  ...shiftRows({ mnemonic: "ROR", digit: 1, kind: "rotate", shift: ror }),
  ...shiftRows({ mnemonic: "RCL", digit: 2, kind: "rotate", shift: rcl }),
  ...shiftRows({ mnemonic: "RCR", digit: 3, kind: "rotate", shift: rcr }),
  ...shiftRows({ mnemonic: "SHL", digit: 4, kind: "shift", shift: shl }),
  ...shiftRows({ mnemonic: "SHR", digit: 5, kind: "shift", shift: shr }),
  // The opcode map's alias of SHL.
  ...shiftRows({ mnemonic: "SHL", digit: 6, kind: "shift", shift: shl }),
  ...shiftRows({ mnemonic: "SAR", digit: 7, kind: "shift", shift: sar }),
  row("SHLD", "0F A4 /r", "Ev,Gv,Ib", DOUBLE, doubleShift(shld)),
  row("SHLD", "0F A5 /r", "Ev,Gv,CL", DOUBLE, doubleShift(shld)),
  row("SHRD", "0F AC /r", "Ev,Gv,Ib", DOUBLE, doubleShift(shrd)),
  row("SHRD", "0F AD /r", "Ev,Gv,CL", DOUBLE, doubleShift(shrd)),
];
