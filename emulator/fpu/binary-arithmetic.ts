/** SSE arithmetic and comparison on one lane of binary32 or binary64. */

import {
  type Binary,
  type BinaryFormat,
  infinityOf,
  invalid,
  isNaNKind,
  noteDenormal,
  packBinary,
  propagateNaN,
  type SseEnvironment,
  unpackBinary,
  zeroOf,
} from "./binary.ts";
import { addExact, compareExact, divideSticky, multiplyExact, squareRootSticky } from "./exact.ts";
import { type Exact, FpuFlag, Rounding } from "./rounding.ts";

/** An operation on two raw lanes; the flags go into the environment. */
export type BinaryOperation = (
  env: SseEnvironment,
  format: BinaryFormat,
  a: bigint,
  b: bigint,
) => bigint;

/** Packs an exact sum, whose zero takes its sign from the rounding mode. */
function packSum(env: SseEnvironment, format: BinaryFormat, sum: Exact): bigint {
  if (sum.significand !== 0n) return packBinary(env, format, sum);
  return zeroOf(format, env.rounding === Rounding.down);
}

export const add: BinaryOperation = (env, format, a, b) => {
  const nan = propagateNaN(env, format, a, b);
  if (nan !== undefined) return nan;
  const first = unpackBinary(env, format, a);
  const second = unpackBinary(env, format, b);
  if (first.kind === "infinity" || second.kind === "infinity") {
    if (first.kind === second.kind && first.negative !== second.negative) {
      return invalid(env, format);
    }
    noteDenormal(env, first, second);
    return infinityOf(format, first.kind === "infinity" ? first.negative : second.negative);
  }
  noteDenormal(env, first, second);
  if (first.kind === "zero" && second.kind === "zero" && first.negative === second.negative) {
    return zeroOf(format, first.negative);
  }
  return packSum(env, format, addExact(first, second));
};

/** NaN operands keep their sign: only a number is negated. */
export const subtract: BinaryOperation = (env, format, a, b) => {
  if (isNaNKind(unpackBinary(env, format, b))) return add(env, format, a, b);
  return add(env, format, a, b ^ format.signBit);
};

export const multiply: BinaryOperation = (env, format, a, b) => {
  const nan = propagateNaN(env, format, a, b);
  if (nan !== undefined) return nan;
  const first = unpackBinary(env, format, a);
  const second = unpackBinary(env, format, b);
  const negative = first.negative !== second.negative;
  const zero = first.kind === "zero" || second.kind === "zero";
  const infinite = first.kind === "infinity" || second.kind === "infinity";
  if (zero && infinite) return invalid(env, format);
  noteDenormal(env, first, second);
  if (infinite) return infinityOf(format, negative);
  if (zero) return zeroOf(format, negative);
  return packBinary(env, format, multiplyExact(first, second));
};

export const divide: BinaryOperation = (env, format, a, b) => {
  const nan = propagateNaN(env, format, a, b);
  if (nan !== undefined) return nan;
  const first = unpackBinary(env, format, a);
  const second = unpackBinary(env, format, b);
  const negative = first.negative !== second.negative;
  if (first.kind === second.kind && (first.kind === "zero" || first.kind === "infinity")) {
    return invalid(env, format);
  }
  if (first.kind === "finite" && second.kind === "zero") {
    env.flags |= FpuFlag.zeroDivide;
    return infinityOf(format, negative);
  }
  noteDenormal(env, first, second);
  if (first.kind === "infinity") return infinityOf(format, negative);
  if (first.kind === "zero" || second.kind === "infinity") return zeroOf(format, negative);
  return packBinary(env, format, divideSticky(first, second, format.precision));
};

/** Square root of the second operand, as SQRTSS takes it. */
export const squareRoot: BinaryOperation = (env, format, _a, b) => {
  const nan = propagateNaN(env, format, b, b);
  if (nan !== undefined) return nan;
  const value = unpackBinary(env, format, b);
  if (value.kind === "zero") return zeroOf(format, value.negative);
  if (value.negative) return invalid(env, format);
  if (value.kind === "infinity") return b;
  noteDenormal(env, value);
  return packBinary(env, format, squareRootSticky(value, format.precision));
};

/** Order of two operands: -1, 0, 1, or undefined when a NaN leaves them unordered. */
export function relation(
  env: SseEnvironment,
  format: BinaryFormat,
  a: bigint,
  b: bigint,
  quietIsInvalid: boolean,
): -1 | 0 | 1 | undefined {
  const first = unpackBinary(env, format, a);
  const second = unpackBinary(env, format, b);
  if (isNaNKind(first) || isNaNKind(second)) {
    const signalling = first.kind === "signalling" || second.kind === "signalling";
    if (signalling || quietIsInvalid) env.flags |= FpuFlag.invalid;
    return undefined;
  }
  noteDenormal(env, first, second);
  const rank = (value: Binary): number =>
    value.kind === "infinity" ? (value.negative ? -1 : 1) : 0;
  const byRank = rank(first) - rank(second);
  if (byRank !== 0) return byRank < 0 ? -1 : 1;
  return rank(first) !== 0 ? 0 : compareExact(first, second);
}

/** MIN and MAX return the second operand for NaNs and for two zeros; with DAZ, unchanged. */
const extreme =
  (wanted: -1 | 1): BinaryOperation =>
  (env, format, a, b) => {
    const order = relation(env, format, a, b, true);
    const chosen = order === wanted ? a : b;
    const value = unpackBinary(env, format, chosen);
    return value.kind === "zero" ? zeroOf(format, value.negative) : chosen;
  };
export const minimum = extreme(-1);
export const maximum = extreme(1);

/** CMPxx with the predicate in the immediate's low three bits: all ones or zero. */
export const compare =
  (predicate: number): BinaryOperation =>
  (env, format, a, b) => {
    const order = relation(env, format, a, b, (predicate & 3) === 1 || (predicate & 3) === 2);
    const holds = [order === 0, order === -1, order === -1 || order === 0, order === undefined][
      predicate & 3
    ]!;
    return holds !== ((predicate & 4) !== 0) ? (1n << BigInt(format.bits)) - 1n : 0n;
  };
