/** The constants that FLD1, FLDPI and their like push, rounded as the control word says. */

import { type Extended, makeExtended, zero } from "./extended.ts";
import { FRACTION_BITS, LN_2, LN_10, ONE, PI } from "./fixed-point.ts";
import { leadingExponent, roundUnbounded } from "./rounding.ts";

const VALUES = {
  one: ONE,
  log2Of10: (LN_10 << BigInt(FRACTION_BITS)) / LN_2,
  log2OfE: (ONE << BigInt(FRACTION_BITS)) / LN_2,
  pi: PI,
  log10Of2: (LN_2 << BigInt(FRACTION_BITS)) / LN_10,
  lnOf2: LN_2,
  zero: 0n,
} as const;

export type X87Constant = keyof typeof VALUES;

/** Always at 64 bits of precision, and without any flag. */
export function constantOf(name: X87Constant, rounding: number): Extended {
  const significand = VALUES[name];
  if (significand === 0n) return zero(false);
  const exact = { negative: false, significand, exponent: -FRACTION_BITS };
  const rounded = roundUnbounded(exact, 64, rounding);
  const leading = leadingExponent(rounded);
  const shift = BigInt(rounded.exponent - leading + 63);
  return makeExtended(false, leading + 16383, rounded.significand << shift);
}
