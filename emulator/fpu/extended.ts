/** The x87's 80-bit format: classes, the environment of an operation, and packing with all its rules. */

import {
  type Exact,
  FpuFlag,
  leadingExponent,
  overflowsToInfinity,
  type Rounded,
  roundMagnitude,
  roundUnbounded,
} from "./rounding.ts";

/** The significand with its explicit leading bit; sign in bit 15 above the biased exponent. */
export interface Extended {
  readonly significand: bigint;
  readonly signExponent: number;
}

/** "unsupported": pseudo-NaNs, pseudo-infinities and unnormals, invalid as operands. */
export type ExtendedKind = "zero" | "finite" | "infinity" | "quiet" | "signalling" | "unsupported";

/** An operand taken apart. For NaNs the significand is the one of the 80-bit format. */
export interface Operand extends Exact {
  readonly kind: ExtendedKind;
  /** Raises the denormal exception when computed with (pseudo-denormals do too). */
  readonly denormal: boolean;
}

const BIAS = 16383;
const MAX_FIELD = 0x7fff;
export const LEADING_BIT = 1n << 63n;
export const QUIET_BIT = 1n << 62n;
/** Exponent of the lowest significand bit of a number with biased exponent 0. */
const ZERO_FIELD = BIAS + 63;
/** What an unmasked overflow or underflow takes from or adds to the exponent. */
const WRAP = 24576;

const MIN_EXPONENT = 1 - BIAS;
const MAX_EXPONENT = BIAS;

export const INDEFINITE: Extended = {
  significand: LEADING_BIT | QUIET_BIT,
  signExponent: 0xffff,
};

/** Rounding, precision and masks out of the control word; the flags and C1 that come of it. */
export class X87Environment {
  readonly rounding: number;
  readonly precision: number;
  readonly unmasked: number;
  flags = 0;
  /** The last rounding increased the magnitude (C1). */
  roundedUp = false;

  constructor(controlWord: number) {
    this.rounding = (controlWord >> 10) & 3;
    // Precision control 01 is reserved and works as 11.
    this.precision = [24, 64, 53, 64][(controlWord >> 8) & 3]!;
    this.unmasked = ~controlWord & 0x3f;
  }
}

export function makeExtended(negative: boolean, field: number, significand: bigint): Extended {
  return { significand, signExponent: (negative ? 0x8000 : 0) | field };
}

export const zero = (negative: boolean): Extended => makeExtended(negative, 0, 0n);
export const infinity = (negative: boolean): Extended =>
  makeExtended(negative, MAX_FIELD, LEADING_BIT);

export function classify({ significand, signExponent }: Extended): ExtendedKind {
  const field = signExponent & MAX_FIELD;
  if (field === 0) return significand === 0n ? "zero" : "finite";
  if ((significand & LEADING_BIT) === 0n) return "unsupported";
  if (field !== MAX_FIELD) return "finite";
  if (significand === LEADING_BIT) return "infinity";
  return (significand & QUIET_BIT) !== 0n ? "quiet" : "signalling";
}

export function unpack(value: Extended): Operand {
  const field = value.signExponent & MAX_FIELD;
  return {
    kind: classify(value),
    negative: (value.signExponent & 0x8000) !== 0,
    significand: value.significand,
    exponent: Math.max(field, 1) - ZERO_FIELD,
    denormal: field === 0 && value.significand !== 0n,
  };
}

export function isNaN80(operand: Operand): boolean {
  return operand.kind === "quiet" || operand.kind === "signalling";
}

export function noteDenormals(env: X87Environment, ...operands: readonly Operand[]): void {
  if (operands.some((operand) => operand.denormal && operand.kind === "finite")) {
    env.flags |= FpuFlag.denormal;
  }
}

export function invalidOperation(env: X87Environment): Extended {
  env.flags |= FpuFlag.invalid;
  return INDEFINITE;
}

/** The significand of a rounded normal, moved up to the leading bit. */
function normalised(negative: boolean, rounded: Rounded, exponentOffset = 0): Extended {
  const leading = leadingExponent(rounded);
  const shift = BigInt(rounded.exponent - leading + 63);
  const field = leading + exponentOffset + BIAS;
  return makeExtended(negative, field & MAX_FIELD, rounded.significand << shift);
}

function packOverflow(
  env: X87Environment,
  value: Exact,
  free: Rounded,
  precision: number,
): Extended {
  env.flags |= FpuFlag.overflow;
  if ((env.unmasked & FpuFlag.overflow) !== 0) {
    if (free.inexact) env.flags |= FpuFlag.precision;
    env.roundedUp = free.roundedUp;
    // Twice over the range (FSCALE) even the wrapped exponent does not fit.
    if (leadingExponent(free) - WRAP > MAX_EXPONENT) {
      env.flags |= FpuFlag.precision;
      env.roundedUp = true;
      return infinity(value.negative);
    }
    return normalised(value.negative, free, -WRAP);
  }
  env.flags |= FpuFlag.precision;
  env.roundedUp = overflowsToInfinity(value.negative, env.rounding);
  if (env.roundedUp) return infinity(value.negative);
  const ones = (1n << BigInt(precision)) - 1n;
  const largest = ones << BigInt(64 - precision);
  return makeExtended(value.negative, MAX_FIELD - 1, largest);
}

function packTiny(env: X87Environment, value: Exact, free: Rounded, precision: number): Extended {
  if ((env.unmasked & FpuFlag.underflow) !== 0) {
    env.flags |= FpuFlag.underflow | (free.inexact ? FpuFlag.precision : 0);
    env.roundedUp = free.roundedUp;
    if (leadingExponent(free) + WRAP < MIN_EXPONENT) {
      env.flags |= FpuFlag.precision;
      env.roundedUp = false;
      return zero(value.negative);
    }
    return normalised(value.negative, free, WRAP);
  }
  // Denormals keep the significant bits of the precision, counted from the least normal's top.
  const lowest = MIN_EXPONENT - precision + 1;
  const rounded = roundMagnitude(
    value.negative,
    value.significand,
    lowest - value.exponent,
    env.rounding,
  );
  if (rounded.inexact) env.flags |= FpuFlag.underflow | FpuFlag.precision;
  env.roundedUp = rounded.roundedUp;
  const significand = rounded.significand << BigInt(64 - precision);
  const field = (significand & LEADING_BIT) !== 0n ? 1 : 0;
  return makeExtended(value.negative, field, significand);
}

/**
 * Rounds a non-zero exact value by the control word. Tininess is found after rounding. An unmasked
 * overflow or underflow delivers the result with its exponent wrapped (APM volume 1, 6.8.2).
 */
export function pack(env: X87Environment, value: Exact, precision = env.precision): Extended {
  const free = roundUnbounded(value, precision, env.rounding);
  const leading = leadingExponent(free);
  if (leading > MAX_EXPONENT) return packOverflow(env, value, free, precision);
  if (leading < MIN_EXPONENT) return packTiny(env, value, free, precision);
  if (free.inexact) env.flags |= FpuFlag.precision;
  env.roundedUp = free.roundedUp;
  return normalised(value.negative, free);
}

/** A NaN operand as an 80-bit value, made quiet. */
function quiet(operand: Operand): Extended {
  return makeExtended(operand.negative, MAX_FIELD, operand.significand | QUIET_BIT);
}

/**
 * The result when an operand is a NaN or unsupported; undefined when neither is. Of a signalling
 * and a quiet NaN the quiet one wins, else the larger significand, else the positive one (APM
 * volume 1, section 6.3.4, table 6-6).
 */
export function propagate(env: X87Environment, a: Operand, b: Operand): Extended | undefined {
  if (a.kind === "unsupported" || b.kind === "unsupported") return invalidOperation(env);
  if (a.kind === "signalling" || b.kind === "signalling") env.flags |= FpuFlag.invalid;
  if (!isNaN80(a)) return isNaN80(b) ? quiet(b) : undefined;
  if (!isNaN80(b)) return quiet(a);
  if (a.kind !== b.kind) return quiet(a.kind === "quiet" ? a : b);
  if (a.significand !== b.significand) return quiet(a.significand > b.significand ? a : b);
  return quiet(a.negative ? b : a);
}
