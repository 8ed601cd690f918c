/** Conversions between the 80-bit format and what memory holds: floats, integers and BCD. */

import { BINARY32, BINARY64, type BinaryFormat, infinityOf, zeroOf } from "./binary.ts";
import {
  type Extended,
  invalidOperation,
  isNaN80,
  LEADING_BIT,
  makeExtended,
  noteDenormals,
  type Operand,
  QUIET_BIT,
  unpack,
  type X87Environment,
} from "./extended.ts";
import { packFull } from "./extended-arithmetic.ts";
import {
  FpuFlag,
  leadingExponent,
  overflowsToInfinity,
  roundMagnitude,
  roundToFormat,
  roundUnbounded,
} from "./rounding.ts";

/** A binary32 or binary64 operand of an arithmetic instruction. */
export function operandOfBinary(format: BinaryFormat, raw: bigint): Operand {
  const negative = (raw & format.signBit) !== 0n;
  const field = (raw >> format.fractionBits) & format.exponentMask;
  const fraction = raw & ((1n << format.fractionBits) - 1n);
  const exponent = format.minExponent - format.precision + 1 + Math.max(Number(field) - 1, 0);
  if (field === format.exponentMask) {
    const significand = LEADING_BIT | (fraction << (63n - format.fractionBits));
    const nan = (significand & QUIET_BIT) !== 0n ? "quiet" : "signalling";
    const kind = fraction === 0n ? "infinity" : nan;
    return { kind, negative, significand, exponent, denormal: false };
  }
  const significand = field === 0n ? fraction : fraction | (1n << format.fractionBits);
  const kind = significand === 0n ? "zero" : "finite";
  return { kind, negative, significand, exponent, denormal: kind === "finite" && field === 0n };
}

/** A signed integer operand of `bits` bits. */
export function operandOfInteger(raw: bigint, bits: number): Operand {
  const value = BigInt.asIntN(bits, raw);
  return {
    kind: value === 0n ? "zero" : "finite",
    negative: value < 0n,
    significand: value < 0n ? -value : value,
    exponent: 0,
    denormal: false,
  };
}

/** FLD of a 32- or 64-bit value: exact, but NaNs become quiet and denormals are reported. */
export function loadOperand(env: X87Environment, operand: Operand): Extended {
  if (operand.kind === "signalling") env.flags |= FpuFlag.invalid;
  if (isNaN80(operand)) {
    return makeExtended(operand.negative, 0x7fff, operand.significand | QUIET_BIT);
  }
  if (operand.kind === "infinity") return makeExtended(operand.negative, 0x7fff, LEADING_BIT);
  if (operand.kind === "zero") return makeExtended(operand.negative, 0, 0n);
  noteDenormals(env, operand);
  return packFull(env, operand);
}

/** FST to 32 or 64 bits. Undefined when an unmasked overflow or underflow withholds the store. */
function storeBinary(
  env: X87Environment,
  format: BinaryFormat,
  value: Extended,
): bigint | undefined {
  const operand = unpack(value);
  const { negative } = operand;
  if (operand.kind === "unsupported") {
    invalidOperation(env);
    return format.indefinite;
  }
  if (isNaN80(operand)) {
    if (operand.kind === "signalling") env.flags |= FpuFlag.invalid;
    const fraction = (operand.significand | QUIET_BIT) & (LEADING_BIT - 1n);
    return infinityOf(format, negative) | (fraction >> (63n - format.fractionBits));
  }
  if (operand.kind === "infinity") return infinityOf(format, negative);
  if (operand.kind === "zero") return zeroOf(format, negative);
  return storeFinite(env, format, operand);
}

function storeFinite(
  env: X87Environment,
  format: BinaryFormat,
  operand: Operand,
): bigint | undefined {
  const { negative } = operand;
  const free = roundUnbounded(operand, format.precision, env.rounding);
  const tiny = leadingExponent(free) < format.minExponent;
  if (leadingExponent(free) > format.maxExponent) {
    env.flags |= FpuFlag.overflow;
    if ((env.unmasked & FpuFlag.overflow) !== 0) {
      return undefined;
    }
    env.flags |= FpuFlag.precision;
    env.roundedUp = overflowsToInfinity(negative, env.rounding);
    return infinityOf(format, negative) - (env.roundedUp ? 0n : 1n);
  }
  if (tiny && (env.unmasked & FpuFlag.underflow) !== 0) {
    env.flags |= FpuFlag.underflow;
    return undefined;
  }
  const rounded = roundToFormat(operand, format, env.rounding);
  if (rounded.inexact) env.flags |= FpuFlag.precision | (tiny ? FpuFlag.underflow : 0);
  env.roundedUp = rounded.roundedUp;
  const field = BigInt(rounded.exponent - (format.minExponent - format.precision + 1));
  return zeroOf(format, negative) | (rounded.significand + (field << format.fractionBits));
}

export const storeSingle = (env: X87Environment, value: Extended): bigint | undefined =>
  storeBinary(env, BINARY32, value);
export const storeDouble = (env: X87Environment, value: Extended): bigint | undefined =>
  storeBinary(env, BINARY64, value);

/** Rounded magnitude if it is at most `limit` (one more for negatives if so asked). */
function integerMagnitude(
  env: X87Environment,
  value: Extended,
  mode: number,
  limitOf: (negative: boolean) => bigint,
): bigint | undefined {
  const operand = unpack(value);
  if (operand.kind !== "finite" && operand.kind !== "zero") {
    env.flags |= FpuFlag.invalid;
    return undefined;
  }
  const rounded = roundMagnitude(
    operand.negative,
    operand.significand,
    -Math.min(operand.exponent, 80),
    mode,
  );
  if (rounded.significand > limitOf(operand.negative)) {
    env.flags |= FpuFlag.invalid;
    return undefined;
  }
  if (rounded.inexact) env.flags |= FpuFlag.precision;
  env.roundedUp = rounded.roundedUp;
  return rounded.significand;
}

/** FIST and FISTTP: an unsigned field of `bits`; the integer indefinite when it does not fit. */
export function storeInteger(
  env: X87Environment,
  value: Extended,
  bits: number,
  mode: number,
): bigint {
  const indefinite = 1n << BigInt(bits - 1);
  const magnitude = integerMagnitude(env, value, mode, (negative) =>
    negative ? indefinite : indefinite - 1n,
  );
  if (magnitude === undefined) return indefinite;
  return BigInt.asUintN(bits, (value.signExponent & 0x8000) !== 0 ? -magnitude : magnitude);
}

/** Ten bytes: 18 packed decimal digits and the sign. */
const BCD_INDEFINITE = 0xffffc000000000000000n;

export function storeBcd(env: X87Environment, value: Extended): bigint {
  const magnitude = integerMagnitude(env, value, env.rounding, () => 10n ** 18n - 1n);
  if (magnitude === undefined) return BCD_INDEFINITE;
  const sign = (value.signExponent & 0x8000) !== 0 ? 0x80n << 72n : 0n;
  return sign | BigInt(`0x${magnitude.toString(10)}`);
}

/** FBLD. Digits above 9 count as they are, as real processors take them. */
export function operandOfBcd(raw: bigint): Operand {
  let significand = 0n;
  for (let digit = 17n; digit >= 0n; digit--) {
    significand = significand * 10n + ((raw >> (4n * digit)) & 15n);
  }
  return {
    kind: significand === 0n ? "zero" : "finite",
    negative: ((raw >> 79n) & 1n) === 1n,
    significand,
    exponent: 0,
    denormal: false,
  };
}
