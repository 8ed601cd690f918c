/** MUL, IMUL, DIV and IDIV. */

import type { Context, Size, StatusFlag } from "./context.ts";
import { type Row, type RowOptions, row, type Semantics } from "./row.ts";

const MULTIPLY: RowOptions = { undefinedFlags: ["SF", "ZF", "AF", "PF"] satisfies StatusFlag[] };
const DIVIDE: RowOptions = { undefinedFlags: ["CF", "OF", "SF", "ZF", "AF", "PF"] };

/** Writes the double-width accumulator: AX, DX:AX, EDX:EAX or RDX:RAX. */
function setAccumulator<V, B, X>(c: Context<V, B, X>, low: V, high: V, size: Size): void {
  if (size === 1) {
    c.setRegister("rax", 2, low);
  } else {
    c.setRegister("rax", size, low);
    c.setRegister("rdx", size, high);
  }
}

function setOverflow<V, B, X>(c: Context<V, B, X>, overflow: B): void {
  c.setFlags({ CF: overflow, OF: overflow });
}

const multiply: Semantics = (c) => {
  const size = c.sizeOf(0);
  const b = c.read(0);
  const a = c.getRegister("rax", size);
  const low = c.mul(a, b);
  const high = size === 8 ? c.multiplyHigh(a, b) : c.shiftRight(low, c.constant(size * 8));
  setAccumulator(c, low, high, size);
  setOverflow(c, c.isNonZero(high));
};

/** Whether the signed product of two operands needs more than `size` bytes. */
function signedOverflow<V, B, X>(c: Context<V, B, X>, low: V, high: V | undefined, size: Size): B {
  const expected =
    high === undefined ? c.signExtend(low, size) : c.shiftRightSigned(low, c.constant(63));
  return c.negate(c.equal(high ?? low, expected));
}

const multiplySigned: Semantics = (c) => {
  const size = c.sizeOf(0);
  const b = c.signExtend(c.read(0), size);
  const a = c.signExtend(c.getRegister("rax", size), size);
  const low = c.mul(a, b);
  if (size === 8) {
    const high = c.multiplyHighSigned(a, b);
    setAccumulator(c, low, high, size);
    setOverflow(c, signedOverflow(c, low, high, size));
  } else {
    setAccumulator(c, low, c.shiftRight(low, c.constant(size * 8)), size);
    setOverflow(c, signedOverflow(c, low, undefined, size));
  }
};

/** Two- and three-operand IMUL: operand 0 = operand i * operand j. */
function multiplyInto(i: number, j: number): Semantics {
  return (c) => {
    const size = c.sizeOf(0);
    const a = c.signExtend(c.read(i), size);
    const b = c.signExtend(c.read(j), size);
    const low = c.mul(a, b);
    c.write(0, low);
    const high = size === 8 ? c.multiplyHighSigned(a, b) : undefined;
    setOverflow(c, signedOverflow(c, low, high, size));
  };
}

function setQuotient<V, B, X>(c: Context<V, B, X>, quotient: V, remainder: V, size: Size): void {
  c.setRegister("rax", size, quotient);
  if (size === 1) c.setAh(remainder);
  else c.setRegister("rdx", size, remainder);
}

/** The dividend of a division below 64 bits: AX, DX:AX or EDX:EAX. */
function narrowDividend<V, B, X>(c: Context<V, B, X>, size: 1 | 2 | 4): V {
  if (size === 1) return c.getRegister("rax", 2);
  const high = c.shiftLeft(c.getRegister("rdx", size), c.constant(size * 8));
  return c.or(high, c.getRegister("rax", size));
}

/** One estimated 32-bit digit put right: at most two steps are needed (Knuth, algorithm D). */
function correctDigit<V, B, X>(
  c: Context<V, B, X>,
  digit: { quotient: V; remainder: V },
  divisorHigh: V,
  divisorLow: V,
  next: V,
): { quotient: V; remainder: V } {
  const base = c.constant(1n << 32n);
  const tooBig = c.either(
    c.negate(c.below(digit.quotient, base)),
    c.below(
      c.or(c.shiftLeft(digit.remainder, c.constant(32)), next),
      c.mul(digit.quotient, divisorLow),
    ),
  );
  const correct = c.both(tooBig, c.below(digit.remainder, base));
  return {
    quotient: c.sub(digit.quotient, c.toValue(correct)),
    remainder: c.select(correct, c.add(digit.remainder, divisorHigh), digit.remainder),
  };
}

/** 128 by 64 bits, for high < divisor: schoolbook division in two digits of a normalised divisor. */
function divideWide<V, B, X>(
  c: Context<V, B, X>,
  high: V,
  low: V,
  divisor: V,
): { quotient: V; remainder: V } {
  const half = c.constant(32);
  const mask = c.constant(0xffffffffn);
  const shift = c.countLeadingZeros(divisor);
  const d = c.shiftLeft(divisor, shift);
  const dHigh = c.shiftRight(d, half);
  const dLow = c.and(d, mask);
  // low >> (64 - shift), in two steps since shift may be 0.
  const carried = c.shiftRight(c.shiftRight(low, c.constant(1)), c.sub(c.constant(63), shift));
  const top = c.or(c.shiftLeft(high, shift), carried);
  const rest = c.shiftLeft(low, shift);
  const step = (value: V, next: V): { quotient: V; remainder: V } => {
    const quotient = c.divide(value, dHigh);
    const estimate = { quotient, remainder: c.sub(value, c.mul(quotient, dHigh)) };
    const once = correctDigit(c, estimate, dHigh, dLow, next);
    const { quotient: digit } = correctDigit(c, once, dHigh, dLow, next);
    const left = c.sub(c.or(c.shiftLeft(value, half), next), c.mul(digit, d));
    return { quotient: digit, remainder: left };
  };
  const first = step(top, c.shiftRight(rest, half));
  const second = step(first.remainder, c.and(rest, mask));
  return {
    quotient: c.or(c.shiftLeft(first.quotient, half), second.quotient),
    remainder: c.shiftRight(second.remainder, shift),
  };
}

function divide64<V, B, X>(c: Context<V, B, X>, divisor: V): void {
  const low = c.getRegister("rax", 8);
  const high = c.getRegister("rdx", 8);
  // Also true for a zero divisor.
  c.faultIf(c.negate(c.below(high, divisor)), "DE");
  c.when(
    c.isZero(high),
    () => setQuotient(c, c.divide(low, divisor), c.remainder(low, divisor), 8),
    () => {
      const { quotient, remainder } = divideWide(c, high, low, divisor);
      setQuotient(c, quotient, remainder, 8);
    },
  );
}

const divide: Semantics = (c) => {
  const size = c.sizeOf(0);
  const divisor = c.read(0);
  if (size === 8) {
    divide64(c, divisor);
    return;
  }
  const dividend = narrowDividend(c, size);
  c.faultIf(c.isZero(divisor), "DE");
  const quotient = c.divide(dividend, divisor);
  c.faultIf(c.isNonZero(c.shiftRight(quotient, c.constant(size * 8))), "DE");
  setQuotient(c, quotient, c.remainder(dividend, divisor), size);
};

function negateIf<V, B, X>(c: Context<V, B, X>, condition: B, value: V): V {
  return c.select(condition, c.sub(c.constant(0), value), value);
}

/** A dividend over 64 bits: on magnitudes, with the signs put back. */
function divideSignedWide<V, B, X>(c: Context<V, B, X>, high: V, low: V, divisor: V): void {
  const dividendNegative = c.bit(high, 63);
  const divisorNegative = c.bit(divisor, 63);
  const lowMagnitude = negateIf(c, dividendNegative, low);
  const highMagnitude = c.select(
    dividendNegative,
    c.add(c.not(high), c.toValue(c.isZero(low))),
    high,
  );
  const divisorMagnitude = negateIf(c, divisorNegative, divisor);
  c.faultIf(c.negate(c.below(highMagnitude, divisorMagnitude)), "DE");
  const { quotient, remainder } = divideWide(c, highMagnitude, lowMagnitude, divisorMagnitude);
  const negative = c.isNonZero(c.xor(c.toValue(dividendNegative), c.toValue(divisorNegative)));
  const most = c.add(c.constant((1n << 63n) - 1n), c.toValue(negative));
  c.faultIf(c.below(most, quotient), "DE");
  setQuotient(c, negateIf(c, negative, quotient), negateIf(c, dividendNegative, remainder), 8);
}

/** A division whose dividend fits in 64 bits: wasm has no result for -2^63 / -1, which is #DE here. */
function divideSignedNarrow<V, B, X>(
  c: Context<V, B, X>,
  dividend: V,
  divisor: V,
  size: Size,
): void {
  if (size >= 4) {
    const lowest = c.equal(dividend, c.constant(1n << 63n));
    const minusOne = c.isZero(c.not(divisor));
    c.faultIf(c.both(lowest, minusOne), "DE");
  }
  const quotient = c.divideSigned(dividend, divisor);
  if (size !== 8) c.faultIf(c.negate(c.equal(quotient, c.signExtend(quotient, size))), "DE");
  setQuotient(c, quotient, c.remainderSigned(dividend, divisor), size);
}

const divideSigned: Semantics = (c) => {
  const size = c.sizeOf(0);
  const divisor = c.signExtend(c.read(0), size);
  c.faultIf(c.isZero(divisor), "DE");
  if (size !== 8) {
    const wide = narrowDividend(c, size);
    const dividend = size === 4 ? wide : c.signExtend(wide, size === 1 ? 2 : 4);
    divideSignedNarrow(c, dividend, divisor, size);
    return;
  }
  const low = c.getRegister("rax", 8);
  const high = c.getRegister("rdx", 8);
  c.when(
    c.equal(high, c.shiftRightSigned(low, c.constant(63))),
    () => divideSignedNarrow(c, low, divisor, 8),
    () => divideSignedWide(c, high, low, divisor),
  );
};

export const MULTIPLY_ROWS: readonly Row[] = [
  row("MUL", "F6 /4", "Eb", MULTIPLY, multiply),
  row("MUL", "F7 /4", "Ev", MULTIPLY, multiply),
  row("IMUL", "F6 /5", "Eb", MULTIPLY, multiplySigned),
  row("IMUL", "F7 /5", "Ev", MULTIPLY, multiplySigned),
  row("IMUL", "0F AF /r", "Gv,Ev", { ...MULTIPLY }, multiplyInto(0, 1)),
  row("IMUL", "69 /r", "Gv,Ev,Iz", MULTIPLY, multiplyInto(1, 2)),
  row("IMUL", "6B /r", "Gv,Ev,Ibs", MULTIPLY, multiplyInto(1, 2)),
  row("DIV", "F6 /6", "Eb", DIVIDE, divide),
  row("DIV", "F7 /6", "Ev", DIVIDE, divide),
  row("IDIV", "F6 /7", "Eb", DIVIDE, divideSigned),
  row("IDIV", "F7 /7", "Ev", DIVIDE, divideSigned),
];
