/** binary32 and binary64 as SSE sees them: unpacking with DAZ, packing with FTZ, NaNs and flags. */

import {
  type Exact,
  type Format,
  FpuFlag,
  leadingExponent,
  overflowsToInfinity,
  roundToFormat,
  roundUnbounded,
} from "./rounding.ts";

/** A binary interchange format: raw values are bigint of `bits` bits. */
export interface BinaryFormat extends Format {
  readonly bits: number;
  readonly fractionBits: bigint;
  /** The exponent field with all bits set. */
  readonly exponentMask: bigint;
  readonly signBit: bigint;
  readonly quietBit: bigint;
  readonly infinity: bigint;
  /** The default NaN: negative, quiet, no payload. */
  readonly indefinite: bigint;
}

function binaryFormat(bits: number, precision: number): BinaryFormat {
  const fractionBits = BigInt(precision - 1);
  const exponentBits = BigInt(bits - precision);
  const exponentMask = (1n << exponentBits) - 1n;
  const maxExponent = 2 ** (bits - precision - 1) - 1;
  const signBit = 1n << BigInt(bits - 1);
  const infinity = exponentMask << fractionBits;
  const quietBit = 1n << (fractionBits - 1n);
  return {
    bits,
    precision,
    minExponent: 1 - maxExponent,
    maxExponent,
    fractionBits,
    exponentMask,
    signBit,
    quietBit,
    infinity,
    indefinite: signBit | infinity | quietBit,
  };
}

export const BINARY32 = binaryFormat(32, 24);
export const BINARY64 = binaryFormat(64, 53);

/** Rounding, masks and modes out of MXCSR, and the flags that an instruction gathers. */
export class SseEnvironment {
  readonly rounding: number;
  readonly denormalsAreZero: boolean;
  readonly flushToZero: boolean;
  /** Exceptions that are not masked, as flags. */
  readonly unmasked: number;
  flags = 0;

  constructor(mxcsr: number) {
    this.rounding = (mxcsr >> 13) & 3;
    this.denormalsAreZero = (mxcsr & 0x40) !== 0;
    this.flushToZero = (mxcsr & 0x8000) !== 0;
    this.unmasked = ~(mxcsr >> 7) & 0x3f;
  }
}

export type BinaryKind = "zero" | "finite" | "infinity" | "quiet" | "signalling";

export interface Binary extends Exact {
  readonly kind: BinaryKind;
  readonly denormal: boolean;
}

/** Takes a raw value apart; with DAZ a denormal is a zero. */
export function unpackBinary(env: SseEnvironment, format: BinaryFormat, raw: bigint): Binary {
  const negative = (raw & format.signBit) !== 0n;
  const field = (raw >> format.fractionBits) & format.exponentMask;
  const fraction = raw & ((1n << format.fractionBits) - 1n);
  const least = format.minExponent - format.precision + 1;
  const value = (kind: BinaryKind, significand: bigint, exponent: number, denormal = false) => ({
    kind,
    negative,
    significand,
    exponent,
    denormal,
  });
  if (field === format.exponentMask) {
    if (fraction === 0n) return value("infinity", 0n, 0);
    return value((fraction & format.quietBit) !== 0n ? "quiet" : "signalling", 0n, 0);
  }
  if (field !== 0n) {
    return value("finite", fraction | (1n << format.fractionBits), least + Number(field) - 1);
  }
  if (fraction === 0n || env.denormalsAreZero) return value("zero", 0n, least);
  return value("finite", fraction, least, true);
}

export function isNaNKind(value: Binary): boolean {
  return value.kind === "quiet" || value.kind === "signalling";
}

export function zeroOf(format: BinaryFormat, negative: boolean): bigint {
  return negative ? format.signBit : 0n;
}

export function infinityOf(format: BinaryFormat, negative: boolean): bigint {
  return format.infinity | zeroOf(format, negative);
}

/** The default NaN of an invalid operation. */
export function invalid(env: SseEnvironment, format: BinaryFormat): bigint {
  env.flags |= FpuFlag.invalid;
  return format.indefinite;
}

/**
 * The result when an operand is a NaN (APM volume 1, section 4.7.2): the first operand if it is
 * one, else the second, made quiet. Undefined when neither is.
 */
export function propagateNaN(
  env: SseEnvironment,
  format: BinaryFormat,
  a: bigint,
  b: bigint,
): bigint | undefined {
  const first = unpackBinary(env, format, a);
  const second = unpackBinary(env, format, b);
  if (first.kind === "signalling" || second.kind === "signalling") {
    env.flags |= FpuFlag.invalid;
  }
  if (isNaNKind(first)) return a | format.quietBit;
  if (isNaNKind(second)) return b | format.quietBit;
  return undefined;
}

export function noteDenormal(env: SseEnvironment, ...operands: readonly Binary[]): void {
  if (operands.some((operand) => operand.denormal)) env.flags |= FpuFlag.denormal;
}

/**
 * Rounds a non-zero exact value into the format. Tininess is found after rounding; it is reported
 * always when underflow is unmasked, else only with loss of precision (APM volume 1, 4.10).
 */
export function packBinary(env: SseEnvironment, format: BinaryFormat, value: Exact): bigint {
  const { negative } = value;
  const mode = env.rounding;
  const free = roundUnbounded(value, format.precision, mode);
  const tiny = leadingExponent(free) < format.minExponent;
  if (leadingExponent(free) > format.maxExponent) {
    env.flags |= FpuFlag.overflow;
    if (free.inexact || (env.unmasked & FpuFlag.overflow) === 0) env.flags |= FpuFlag.precision;
    const infinity = infinityOf(format, negative);
    return overflowsToInfinity(negative, mode) ? infinity : infinity - 1n;
  }
  if (tiny && (env.unmasked & FpuFlag.underflow) !== 0) {
    env.flags |= FpuFlag.underflow | (free.inexact ? FpuFlag.precision : 0);
    return zeroOf(format, negative);
  }
  if (tiny && env.flushToZero) {
    env.flags |= FpuFlag.underflow | FpuFlag.precision;
    return zeroOf(format, negative);
  }
  const rounded = roundToFormat(value, format, mode);
  if (rounded.inexact) env.flags |= FpuFlag.precision | (tiny ? FpuFlag.underflow : 0);
  // A significand that reaches the implicit bit carries into the exponent field by itself.
  const field = rounded.exponent - (format.minExponent - format.precision + 1);
  return zeroOf(format, negative) | (rounded.significand + (BigInt(field) << format.fractionBits));
}
