/** Arithmetic on exact values, with what cannot be represented folded into a sticky lowest bit. */

import { bitLength, type Exact } from "./rounding.ts";

/**
 * Bits kept below the larger operand's lowest when operands are far apart: beyond both precisions
 * and the guard bits, so that one sticky unit rounds as the true operand would.
 */
const FAR_APART = 140;

/** Square root of an integer, rounded down (Newton's method from above). */
export function integerSquareRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let guess = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (guess + value / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** a + b; an exact zero comes back with significand 0. */
export function addExact(a: Exact, b: Exact): Exact {
  if (a.significand === 0n) return b;
  if (b.significand === 0n) return a;
  const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a];
  const gap = high.exponent - low.exponent;
  const signed = (value: Exact, magnitude: bigint): bigint =>
    value.negative ? -magnitude : magnitude;
  let exponent = low.exponent;
  let sum: bigint;
  if (gap > FAR_APART + bitLength(low.significand)) {
    // Low is less than one unit at this exponent.
    exponent = high.exponent - FAR_APART;
    sum = signed(high, high.significand << BigInt(FAR_APART)) + signed(low, 1n);
  } else {
    sum = signed(high, high.significand << BigInt(gap)) + signed(low, low.significand);
  }
  return { negative: sum < 0n, significand: sum < 0n ? -sum : sum, exponent };
}

export function multiplyExact(a: Exact, b: Exact): Exact {
  return {
    negative: a.negative !== b.negative,
    significand: a.significand * b.significand,
    exponent: a.exponent + b.exponent,
  };
}

/** a / b to at least `bits` bits and a sticky bit. */
export function divideSticky(a: Exact, b: Exact, bits: number): Exact {
  const shift = Math.max(0, bits + 2 + bitLength(b.significand) - bitLength(a.significand));
  const dividend = a.significand << BigInt(shift);
  const quotient = dividend / b.significand;
  const sticky = quotient * b.significand === dividend ? 0n : 1n;
  return {
    negative: a.negative !== b.negative,
    significand: (quotient << 1n) | sticky,
    exponent: a.exponent - b.exponent - shift - 1,
  };
}

/** Square root of a positive value to at least `bits` bits and a sticky bit. */
export function squareRootSticky(a: Exact, bits: number): Exact {
  let shift = Math.max(0, 2 * bits + 4 - bitLength(a.significand));
  if (((a.exponent - shift) & 1) !== 0) shift++;
  const scaled = a.significand << BigInt(shift);
  const root = integerSquareRoot(scaled);
  const sticky = root * root === scaled ? 0n : 1n;
  return {
    negative: false,
    significand: (root << 1n) | sticky,
    exponent: (a.exponent - shift) / 2 - 1,
  };
}

/** -1, 0 or 1 as a is below, equal to or above b. Significands may be 0. */
export function compareExact(a: Exact, b: Exact): -1 | 0 | 1 {
  const difference = addExact(a, { ...b, negative: !b.negative });
  if (difference.significand === 0n) return 0;
  return difference.negative ? -1 : 1;
}
