/**
 * Fixed-point series on bigint for the transcendental functions. Values have FRACTION_BITS fraction
 * bits: 192 more than an 80-bit significand has, so that truncations never reach the result.
 */

import { integerSquareRoot } from "./exact.ts";

export const FRACTION_BITS = 256;
const BITS = BigInt(FRACTION_BITS);
export const ONE = 1n << BITS;

export function multiplyFixed(a: bigint, b: bigint): bigint {
  return (a * b) >> BITS;
}

/**
 * 1 + term(1) + term(2) + ... where each term is the one before times `square` times ratio(n), a
 * fraction; stops when terms vanish.
 */
function series(square: bigint, ratio: (n: bigint) => readonly [bigint, bigint]): bigint {
  let sum = ONE;
  let term = ONE;
  for (let n = 1n; term !== 0n && term !== -1n; n++) {
    const [above, below] = ratio(n);
    term = (multiplyFixed(term, square) * above) / below;
    sum += term;
  }
  return sum;
}

/** sin(r) / r of r squared. */
export function sineOverArgument(square: bigint): bigint {
  return series(-square, (n) => [1n, 2n * n * (2n * n + 1n)]);
}

/** cos(r) of r squared. */
export function cosine(square: bigint): bigint {
  return series(-square, (n) => [1n, (2n * n - 1n) * 2n * n]);
}

/** (e^t - 1) / t. */
export function exponentialOverArgument(t: bigint): bigint {
  return series(t, (n) => [1n, n + 1n]);
}

/** Sum of x^n / (2n + 1): atanh(s) / s of s squared, atan(t) / t of minus t squared. */
function oddReciprocals(x: bigint): bigint {
  let sum = ONE;
  let power = ONE;
  for (let n = 3n; power !== 0n && power !== -1n; n += 2n) {
    power = multiplyFixed(power, x);
    sum += power / n;
  }
  return sum;
}

/** atanh(s) / s of s squared, for |s| well below 1. */
export function hyperbolicArctangentOverArgument(square: bigint): bigint {
  return oddReciprocals(square);
}

/** atan(t) / t of t squared, for |t| below about 1/4. */
export function arctangentOverArgument(square: bigint): bigint {
  return oddReciprocals(-square);
}

/** atan(t) for t from 0 to 1, by atan(t) = 2 atan(t / (1 + sqrt(1 + t^2))). */
export function arctangent(t: bigint): bigint {
  let halved = t;
  let doublings = 0n;
  while (halved > ONE >> 2n) {
    const root = integerSquareRoot((ONE + multiplyFixed(halved, halved)) << BITS);
    halved = (halved << BITS) / (ONE + root);
    doublings++;
  }
  const value = multiplyFixed(halved, arctangentOverArgument(multiplyFixed(halved, halved)));
  return value << doublings;
}

/** atan(1/n) or, with sign 1, atanh(1/n), of an integer. */
function ofReciprocal(n: bigint, sign: 1n | -1n): bigint {
  const x = ONE / n;
  return multiplyFixed(x, oddReciprocals(sign * multiplyFixed(x, x)));
}

/** Machin's formula. */
export const PI = 16n * ofReciprocal(5n, -1n) - 4n * ofReciprocal(239n, -1n);
/** ln 2 = 2 atanh(1/3); ln 10 = 3 ln 2 + ln 1.25, ln 1.25 = 2 atanh(1/9). */
export const LN_2 = 2n * ofReciprocal(3n, 1n);
export const LN_10 = 3n * LN_2 + 2n * ofReciprocal(9n, 1n);
