/** SSE conversions between binary32, binary64 and integers. */

import {
  BINARY32,
  BINARY64,
  type BinaryFormat,
  infinityOf,
  isNaNKind,
  noteDenormal,
  packBinary,
  type SseEnvironment,
  unpackBinary,
  zeroOf,
} from "./binary.ts";
import { FpuFlag, Rounding, roundMagnitude } from "./rounding.ts";

/** Float to float. NaNs become quiet and keep the top of their payload. */
function convertFloat(
  env: SseEnvironment,
  from: BinaryFormat,
  to: BinaryFormat,
  raw: bigint,
): bigint {
  const value = unpackBinary(env, from, raw);
  if (isNaNKind(value)) {
    if (value.kind === "signalling") env.flags |= FpuFlag.invalid;
    const fraction = (raw | from.quietBit) & ((1n << from.fractionBits) - 1n);
    const moved = (fraction << to.fractionBits) >> from.fractionBits;
    return infinityOf(to, value.negative) | moved;
  }
  noteDenormal(env, value);
  if (value.kind === "infinity") return infinityOf(to, value.negative);
  if (value.kind === "zero") return zeroOf(to, value.negative);
  return packBinary(env, to, value);
}

export const toDouble = (env: SseEnvironment, raw: bigint): bigint =>
  convertFloat(env, BINARY32, BINARY64, raw);
export const toSingle = (env: SseEnvironment, raw: bigint): bigint =>
  convertFloat(env, BINARY64, BINARY32, raw);

/**
 * Float to a signed integer of `bits` bits, as an unsigned field; the integer indefinite (only the
 * sign bit) where it does not fit. Denormal operands are not reported.
 */
export function toInteger(
  env: SseEnvironment,
  from: BinaryFormat,
  raw: bigint,
  bits: 32 | 64,
  truncate: boolean,
): bigint {
  const value = unpackBinary(env, from, raw);
  const indefinite = 1n << BigInt(bits - 1);
  if (isNaNKind(value) || value.kind === "infinity") {
    env.flags |= FpuFlag.invalid;
    return indefinite;
  }
  const mode = truncate ? Rounding.towardZero : env.rounding;
  const rounded = roundMagnitude(value.negative, value.significand, -value.exponent, mode);
  const limit = value.negative ? indefinite : indefinite - 1n;
  if (rounded.significand > limit) {
    env.flags |= FpuFlag.invalid;
    return indefinite;
  }
  if (rounded.inexact) env.flags |= FpuFlag.precision;
  return BigInt.asUintN(bits, value.negative ? -rounded.significand : rounded.significand);
}

/** Signed integer of `bits` bits to float. */
export function fromInteger(
  env: SseEnvironment,
  to: BinaryFormat,
  raw: bigint,
  bits: 32 | 64,
): bigint {
  const value = BigInt.asIntN(bits, raw);
  if (value === 0n) return 0n;
  const negative = value < 0n;
  return packBinary(env, to, { negative, significand: negative ? -value : value, exponent: 0 });
}
