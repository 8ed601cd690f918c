/** The x87's transcendental instructions, to within far less than one unit in the last place. */

import { addExact, compareExact, divideSticky, multiplyExact } from "./exact.ts";
import {
  type Extended,
  infinity,
  invalidOperation,
  noteDenormals,
  type Operand,
  propagate,
  unpack,
  type X87Environment,
  zero,
} from "./extended.ts";
import { packFull } from "./extended-arithmetic.ts";
import {
  arctangent,
  arctangentOverArgument,
  cosine,
  exponentialOverArgument,
  FRACTION_BITS,
  hyperbolicArctangentOverArgument,
  LN_2,
  multiplyFixed,
  PI,
  sineOverArgument,
} from "./fixed-point.ts";
import { bitLength, type Exact, FpuFlag, leadingExponent } from "./rounding.ts";

/** Below this magnitude the functions equal their first term but for one sticky bit. */
const TINY_EXPONENT = -100;
/** Bits of quotients: a significand and what rounding could see of the rest. */
const QUOTIENT_BITS = 200;

const exactOne: Exact = { negative: false, significand: 1n, exponent: 0 };

/** A value as fixed point, truncated toward zero. */
function toFixed(value: Exact): bigint {
  const shift = value.exponent + FRACTION_BITS;
  const magnitude =
    shift >= 0 ? value.significand << BigInt(shift) : value.significand >> BigInt(-shift);
  return value.negative ? -magnitude : magnitude;
}

function fromFixed(value: bigint): Exact {
  const negative = value < 0n;
  return { negative, significand: negative ? -value : value, exponent: -FRACTION_BITS };
}

/** The value a little nearer to zero (-1) or farther from it (1). */
function nudge(value: Exact, direction: -1n | 1n): Exact {
  return {
    negative: value.negative,
    significand: (value.significand << 100n) + direction,
    exponent: value.exponent - 100,
  };
}

/** Delivers an irrational result; never exact, however many zeros end the approximation. */
function inexact(env: X87Environment, value: Exact): Extended {
  return packFull(env, {
    negative: value.negative,
    significand: (value.significand << 2n) | 1n,
    exponent: value.exponent - 2,
  });
}

/** F2XM1: 2^x - 1 for x from -1 to 1; beyond that the result is undefined and x is left. */
export function exponentialMinusOne(env: X87Environment, x: Operand): Extended {
  const nan = propagate(env, x, x);
  if (nan !== undefined) return nan;
  if (x.kind === "infinity") {
    return x.negative ? packFull(env, { ...exactOne, negative: true }) : infinity(false);
  }
  if (x.kind === "zero") return zero(x.negative);
  noteDenormals(env, x);
  env.flags |= FpuFlag.precision;
  const size = compareExact({ ...x, negative: false }, exactOne);
  if (size > 0) return packFull(env, x);
  if (size === 0) return packFull(env, x.negative ? { ...x, exponent: x.exponent - 1 } : x);
  const t = multiplyFixed(toFixed(x), LN_2);
  const factor = multiplyFixed(LN_2, exponentialOverArgument(t));
  return inexact(env, multiplyExact(x, fromFixed(factor)));
}

/** Sine and cosine of an angle below 2^63, exact up to the fixed-point series. */
function sineAndCosine(x: Operand): { sine: Exact; cosine: Exact } {
  if (leadingExponent(x) < TINY_EXPONENT) {
    return { sine: nudge(x, -1n), cosine: nudge({ ...exactOne, negative: false }, -1n) };
  }
  const angle = toFixed(x);
  const half = PI >> 1n;
  const turns = (2n * angle + half) / (2n * half) - (2n * angle + half < 0n ? 1n : 0n);
  const rest = angle - ((turns * PI) >> 1n);
  const square = multiplyFixed(rest, rest);
  const factor = fromFixed(sineOverArgument(square));
  // Without reduction the operand itself keeps its relative precision.
  const sine = multiplyExact(turns === 0n ? x : fromFixed(rest), factor);
  const cosineValue = fromFixed(cosine(square));
  const negate = (value: Exact): Exact => ({ ...value, negative: !value.negative });
  switch (BigInt.asUintN(2, turns)) {
    case 0n:
      return { sine, cosine: cosineValue };
    case 1n:
      return { sine: cosineValue, cosine: negate(sine) };
    case 2n:
      return { sine: negate(sine), cosine: negate(cosineValue) };
    default:
      return { sine: negate(cosineValue), cosine: sine };
  }
}

type AngleFunction = "sine" | "cosine" | "tangent";

/** FSIN, FCOS, FPTAN (and FSINCOS by asking twice). Undefined when the operand is out of range. */
export function ofAngle(
  env: X87Environment,
  x: Operand,
  wanted: AngleFunction,
): Extended | undefined {
  const nan = propagate(env, x, x);
  if (nan !== undefined) return nan;
  if (x.kind === "infinity") return invalidOperation(env);
  if (x.kind === "zero") return wanted === "cosine" ? packFull(env, exactOne) : zero(x.negative);
  if (leadingExponent(x) >= 63) return undefined;
  noteDenormals(env, x);
  if (wanted === "tangent" && leadingExponent(x) < TINY_EXPONENT) {
    return inexact(env, nudge(x, 1n));
  }
  const { sine, cosine: cosineValue } = sineAndCosine(x);
  if (wanted === "sine") return inexact(env, sine);
  if (wanted === "cosine") return inexact(env, cosineValue);
  return inexact(env, divideSticky(sine, cosineValue, QUOTIENT_BITS));
}

/** log2 of a positive value, as numerator * factor / denominator with its relative precision. */
function binaryLogarithm(x: Exact): { value: Exact; exact: boolean } {
  const length = bitLength(x.significand);
  // x = m * 2^e with m from about 0.7 to 1.4.
  const top = length >= 2 ? x.significand >> BigInt(length - 2) : 2n;
  const e = x.exponent + length - (top === 3n ? 0 : 1);
  const m: Exact = { negative: false, significand: x.significand, exponent: x.exponent - e };
  const difference = addExact(m, { ...exactOne, negative: true });
  if (difference.significand === 0n) {
    const magnitude = BigInt(Math.abs(e));
    return { value: { negative: e < 0, significand: magnitude, exponent: 0 }, exact: true };
  }
  const fraction = logarithmOfOnePlus(difference);
  if (e === 0) return { value: fraction, exact: false };
  return {
    value: fromFixed(toFixed(fraction) + (BigInt(e) << BigInt(FRACTION_BITS))),
    exact: false,
  };
}

/** log2(1 + d) for d from about -0.3 to 0.5: 2 atanh(d / (2 + d)) / ln 2. */
function logarithmOfOnePlus(d: Exact): Exact {
  const sum = addExact(d, { negative: false, significand: 2n, exponent: 0 });
  const s = divideSticky(d, sum, FRACTION_BITS);
  const fixed = toFixed(s);
  const factor = hyperbolicArctangentOverArgument(multiplyFixed(fixed, fixed));
  const scaled = ((factor << BigInt(FRACTION_BITS + 1)) / LN_2) | 1n;
  return multiplyExact(s, fromFixed(scaled));
}

function deliverProduct(
  env: X87Environment,
  y: Operand,
  logarithm: { value: Exact; exact: boolean },
): Extended {
  // Real processors report precision here also where nothing is lost.
  env.flags |= FpuFlag.precision;
  const product = multiplyExact(y, logarithm.value);
  if (!logarithm.exact) return inexact(env, product);
  const result = packFull(env, product);
  if (unpack(result).denormal) env.flags |= FpuFlag.underflow;
  return result;
}

/** FYL2X: y * log2(x). */
export function yLog2X(env: X87Environment, y: Operand, x: Operand): Extended {
  const nan = propagate(env, y, x);
  if (nan !== undefined) return nan;
  if (x.kind === "zero") return yLog2Zero(env, y);
  if (x.negative) return invalidOperation(env);
  const order = x.kind === "infinity" ? 1 : compareExact(x, exactOne);
  const negative = y.negative !== order < 0;
  if (x.kind === "infinity" || y.kind === "infinity") {
    const other = y.kind === "infinity" ? order === 0 : y.kind === "zero";
    if (other) return invalidOperation(env);
    noteDenormals(env, y, x);
    return infinity(negative);
  }
  noteDenormals(env, y, x);
  if (order === 0 || y.kind === "zero") return zero(negative);
  return deliverProduct(env, y, binaryLogarithm(x));
}

function yLog2Zero(env: X87Environment, y: Operand): Extended {
  if (y.kind === "zero") return invalidOperation(env);
  if (y.kind !== "infinity") env.flags |= FpuFlag.zeroDivide;
  return infinity(!y.negative);
}

/** FYL2XP1: y * log2(x + 1); below -1 the result is undefined and x is left. */
export function yLog2XPlus1(env: X87Environment, y: Operand, x: Operand): Extended {
  const nan = propagate(env, y, x);
  if (nan !== undefined) return nan;
  const negative = y.negative !== x.negative;
  if (x.kind === "infinity") {
    if (x.negative || y.kind === "zero") return invalidOperation(env);
    noteDenormals(env, y);
    return infinity(negative);
  }
  if (y.kind === "infinity") {
    if (x.kind === "zero") return invalidOperation(env);
    noteDenormals(env, x);
    return infinity(negative);
  }
  noteDenormals(env, y, x);
  if (x.kind === "zero" || y.kind === "zero") return zero(negative);
  const sum = leadingExponent(x) < TINY_EXPONENT ? undefined : addExact(x, exactOne);
  if (sum !== undefined && (sum.negative || sum.significand === 0n)) {
    env.flags |= FpuFlag.precision;
    return packFull(env, x);
  }
  if (leadingExponent(x) < -2) {
    return deliverProduct(env, y, { value: logarithmOfOnePlus(x), exact: false });
  }
  return deliverProduct(env, y, binaryLogarithm(sum!));
}

/** Quarters of half a turn, for FPATAN's special cases. */
function partOfPi(env: X87Environment, negative: boolean, quarters: bigint): Extended {
  return inexact(env, { negative, significand: PI * quarters, exponent: -FRACTION_BITS - 2 });
}

/** FPATAN: the angle of the point (x, y). */
export function arctangentOf(env: X87Environment, y: Operand, x: Operand): Extended {
  const nan = propagate(env, y, x);
  if (nan !== undefined) return nan;
  noteDenormals(env, y, x);
  if (y.kind === "infinity") {
    const quarters = x.kind === "infinity" ? (x.negative ? 3n : 1n) : 2n;
    return partOfPi(env, y.negative, quarters);
  }
  if (x.kind === "infinity" || y.kind === "zero") {
    return x.negative ? partOfPi(env, y.negative, 4n) : zero(y.negative);
  }
  if (x.kind === "zero") return partOfPi(env, y.negative, 2n);
  return arctangentOfFinite(env, y, x);
}

function arctangentOfFinite(env: X87Environment, y: Operand, x: Operand): Extended {
  const height: Exact = { ...y, negative: false };
  const width: Exact = { ...x, negative: false };
  const steep = compareExact(height, width) > 0;
  const ratio = steep
    ? divideSticky(width, height, QUOTIENT_BITS)
    : divideSticky(height, width, QUOTIENT_BITS);
  const tiny = leadingExponent(ratio) < -2;
  const fixed = toFixed(ratio);
  if (tiny && !steep && !x.negative) {
    if (leadingExponent(ratio) < TINY_EXPONENT) return smallAngle(env, ratio, y.negative);
    const factor = fromFixed(arctangentOverArgument(multiplyFixed(fixed, fixed)));
    return inexact(env, { ...multiplyExact(ratio, factor), negative: y.negative });
  }
  const angle = arctangent(fixed);
  const acute = steep ? (PI >> 1n) - angle : angle;
  const whole = x.negative ? PI - acute : acute;
  return inexact(env, { ...fromFixed(whole), negative: y.negative });
}

/** An angle that equals its tangent but for a little less. */
function smallAngle(env: X87Environment, ratio: Exact, negative: boolean): Extended {
  return inexact(env, { ...nudge(ratio, -1n), negative });
}
