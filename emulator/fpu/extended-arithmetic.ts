/** x87 arithmetic on 80-bit values: the basic operations, remainders, scaling and comparison. */

import { addExact, compareExact, divideSticky, multiplyExact, squareRootSticky } from "./exact.ts";
import {
  type Extended,
  infinity,
  invalidOperation,
  isNaN80,
  makeExtended,
  noteDenormals,
  type Operand,
  pack,
  propagate,
  type X87Environment,
  zero,
} from "./extended.ts";
import {
  bitLength,
  type Exact,
  FpuFlag,
  leadingExponent,
  Rounding,
  roundMagnitude,
} from "./rounding.ts";

export type ExtendedOperation = (env: X87Environment, a: Operand, b: Operand) => Extended;

function packOrZero(env: X87Environment, value: Exact, negativeZero: boolean): Extended {
  return value.significand === 0n ? zero(negativeZero) : pack(env, value);
}

export const add: ExtendedOperation = (env, a, b) => {
  const nan = propagate(env, a, b);
  if (nan !== undefined) return nan;
  if (a.kind === "infinity" && b.kind === "infinity" && a.negative !== b.negative) {
    return invalidOperation(env);
  }
  noteDenormals(env, a, b);
  if (a.kind === "infinity") return infinity(a.negative);
  if (b.kind === "infinity") return infinity(b.negative);
  if (a.kind === "zero" && b.kind === "zero" && a.negative === b.negative) {
    return zero(a.negative);
  }
  return packOrZero(env, addExact(a, b), env.rounding === Rounding.down);
};

/** a - b. NaN operands keep their sign. */
export const subtract: ExtendedOperation = (env, a, b) =>
  add(env, a, isNaN80(b) ? b : { ...b, negative: !b.negative });

export const multiply: ExtendedOperation = (env, a, b) => {
  const nan = propagate(env, a, b);
  if (nan !== undefined) return nan;
  const negative = a.negative !== b.negative;
  const infinite = a.kind === "infinity" || b.kind === "infinity";
  const isZero = a.kind === "zero" || b.kind === "zero";
  if (infinite && isZero) return invalidOperation(env);
  noteDenormals(env, a, b);
  if (infinite) return infinity(negative);
  return isZero ? zero(negative) : pack(env, multiplyExact(a, b));
};

/** a / b. */
export const divide: ExtendedOperation = (env, a, b) => {
  const nan = propagate(env, a, b);
  if (nan !== undefined) return nan;
  const negative = a.negative !== b.negative;
  if (a.kind === b.kind && a.kind !== "finite") return invalidOperation(env);
  if (b.kind === "zero" && a.kind === "finite") {
    env.flags |= FpuFlag.zeroDivide;
    return infinity(negative);
  }
  noteDenormals(env, a, b);
  if (a.kind === "infinity") return infinity(negative);
  if (a.kind === "zero" || b.kind === "infinity") return zero(negative);
  return pack(env, divideSticky(a, b, env.precision));
};

export function squareRoot(env: X87Environment, a: Operand): Extended {
  const nan = propagate(env, a, a);
  if (nan !== undefined) return nan;
  if (a.kind === "zero") return zero(a.negative);
  if (a.negative) return invalidOperation(env);
  if (a.kind === "infinity") return infinity(false);
  noteDenormals(env, a);
  return pack(env, squareRootSticky(a, env.precision));
}

/** FRNDINT. */
export function roundToInteger(env: X87Environment, a: Operand): Extended {
  const nan = propagate(env, a, a);
  if (nan !== undefined) return nan;
  if (a.kind === "infinity") return infinity(a.negative);
  if (a.kind === "zero") return zero(a.negative);
  noteDenormals(env, a);
  const rounded = roundMagnitude(a.negative, a.significand, -a.exponent, env.rounding);
  if (rounded.inexact) env.flags |= FpuFlag.precision;
  env.roundedUp = rounded.roundedUp;
  if (rounded.significand === 0n) return zero(a.negative);
  return exactly(a.negative, rounded.significand, 0);
}

/** A value that has at most 64 significant bits and a normal exponent, whatever the precision. */
function exactly(negative: boolean, significand: bigint, exponent: number): Extended {
  const leading = exponent + bitLength(significand) - 1;
  const shift = 64 - bitLength(significand);
  const moved = shift >= 0 ? significand << BigInt(shift) : significand >> BigInt(-shift);
  return makeExtended(negative, leading + 16383, moved);
}

/** FSCALE: a * 2^(b rounded toward zero). */
export function scale(env: X87Environment, a: Operand, b: Operand): Extended {
  const nan = propagate(env, a, b);
  if (nan !== undefined) return nan;
  if (b.kind === "infinity") {
    if (a.kind === (b.negative ? "infinity" : "zero")) return invalidOperation(env);
    noteDenormals(env, a);
    return b.negative ? zero(a.negative) : infinity(a.negative);
  }
  noteDenormals(env, a, b);
  if (a.kind === "infinity") return infinity(a.negative);
  if (a.kind === "zero") return zero(a.negative);
  const amount = roundMagnitude(b.negative, b.significand, -Math.min(b.exponent, 80), 3);
  // Beyond this every operand over- or underflows, also with a wrapped exponent.
  const steps = Number(amount.significand > 0x10000n ? 0x10000n : amount.significand);
  // The significand is kept at 64 bits whatever the precision control.
  return packFull(env, { ...a, exponent: a.exponent + (b.negative ? -steps : steps) });
}

/** Packs at 64 bits of precision, for operations that precision control does not reach. */
export function packFull(env: X87Environment, value: Exact): Extended {
  return pack(env, value, 64);
}

/** FXTRACT: exponent (for the old top) and significand (pushed). */
export function extract(
  env: X87Environment,
  a: Operand,
): { exponent: Extended; significand: Extended } {
  const nan = propagate(env, a, a);
  if (nan !== undefined) return { exponent: nan, significand: nan };
  if (a.kind === "infinity") {
    return { exponent: infinity(false), significand: infinity(a.negative) };
  }
  if (a.kind === "zero") {
    env.flags |= FpuFlag.zeroDivide;
    return { exponent: infinity(true), significand: zero(a.negative) };
  }
  noteDenormals(env, a);
  const leading = leadingExponent(a);
  const magnitude = BigInt(Math.abs(leading));
  return {
    exponent: leading === 0 ? zero(false) : exactly(leading < 0, magnitude, 0),
    significand: exactly(a.negative, a.significand, -bitLength(a.significand) + 1),
  };
}

export interface Remainder {
  readonly value: Extended;
  /** Low three bits of the quotient, if there is one and the reduction was completed. */
  readonly quotient: number | "partial" | "none";
}

/**
 * FPREM (truncating) and FPREM1 (to nearest). An exponent difference of 64 or more is reduced in
 * part, by between 32 and 63 bits (APM volume 5, FPREM).
 */
export function remainder(
  env: X87Environment,
  a: Operand,
  b: Operand,
  nearest: boolean,
): Remainder {
  const nan = propagate(env, a, b);
  if (nan !== undefined) return { value: nan, quotient: "none" };
  if (a.kind === "infinity" || b.kind === "zero") {
    return { value: invalidOperation(env), quotient: "none" };
  }
  noteDenormals(env, a, b);
  if (a.kind === "zero") return { value: zero(a.negative), quotient: 0 };
  if (b.kind === "infinity") return { value: packFull(env, a), quotient: 0 };
  const distance = leadingExponent(a) - leadingExponent(b);
  if (distance < -1) return { value: packFull(env, a), quotient: 0 };
  if (distance >= 64) {
    const step = distance - (32 + (distance % 32));
    const part = reduce(a, { ...b, exponent: b.exponent + step }, false);
    return { value: packOrZeroFull(env, part.rest, a.negative), quotient: "partial" };
  }
  const { rest, quotient } = reduce(a, b, nearest);
  return { value: packOrZeroFull(env, rest, a.negative), quotient: Number(quotient & 7n) };
}

function packOrZeroFull(env: X87Environment, value: Exact, negative: boolean): Extended {
  return value.significand === 0n ? zero(negative) : packFull(env, value);
}

function reduce(a: Exact, b: Exact, nearest: boolean): { rest: Exact; quotient: bigint } {
  const exponent = Math.min(a.exponent, b.exponent);
  const dividend = a.significand << BigInt(a.exponent - exponent);
  const divisor = b.significand << BigInt(b.exponent - exponent);
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  const twice = rest * 2n;
  if (nearest && (twice > divisor || (twice === divisor && (quotient & 1n) === 1n))) {
    quotient += 1n;
    rest -= divisor;
  }
  const negative = rest < 0n;
  return {
    rest: { negative: a.negative !== negative, significand: negative ? -rest : rest, exponent },
    quotient,
  };
}

/** -1, 0, 1, or undefined when unordered. */
export function relation(
  env: X87Environment,
  a: Operand,
  b: Operand,
  quietIsInvalid: boolean,
): -1 | 0 | 1 | undefined {
  const bad = (o: Operand): boolean => o.kind === "signalling" || o.kind === "unsupported";
  if (isNaN80(a) || isNaN80(b) || bad(a) || bad(b)) {
    if (quietIsInvalid || bad(a) || bad(b)) env.flags |= FpuFlag.invalid;
    return undefined;
  }
  noteDenormals(env, a, b);
  const rank = (o: Operand): number => (o.kind === "infinity" ? (o.negative ? -1 : 1) : 0);
  const byRank = rank(a) - rank(b);
  if (byRank !== 0) return byRank < 0 ? -1 : 1;
  return rank(a) !== 0 ? 0 : compareExact(a, b);
}
