/** RCPPS and RSQRTPS: our own estimates, within the manual's relative error of 1.5 * 2^-12. */

import { BINARY32, infinityOf, SseEnvironment, unpackBinary, zeroOf } from "./binary.ts";
import { divideSticky, squareRootSticky } from "./exact.ts";
import { type Exact, leadingExponent, Rounding, roundUnbounded } from "./rounding.ts";

/**
 * Significant bits of an estimate. Real processors differ in the bits below the guarantee; ours are
 * the correctly rounded 12-bit value, which needs no table and is the same on every machine.
 */
const ESTIMATE_BITS = 12;

/** Denormals count as zeros and no flag is raised (APM volume 4, RCPPS). */
const QUIET = new SseEnvironment(0x1f80 | 0x40);

const ONE: Exact = { negative: false, significand: 1n, exponent: 0 };

function packEstimate(value: Exact): bigint {
  const rounded = roundUnbounded(value, ESTIMATE_BITS, Rounding.nearestEven);
  const exponent = leadingExponent(rounded);
  if (exponent < BINARY32.minExponent) return zeroOf(BINARY32, value.negative);
  if (exponent > BINARY32.maxExponent) return infinityOf(BINARY32, value.negative);
  const field = BigInt(exponent - BINARY32.minExponent + 1) << BINARY32.fractionBits;
  const significand = rounded.significand << BigInt(rounded.exponent - exponent + 23);
  return zeroOf(BINARY32, value.negative) | field | (significand & 0x7fffffn);
}

export function reciprocalEstimate(raw: bigint): bigint {
  const value = unpackBinary(QUIET, BINARY32, raw);
  if (value.kind === "quiet" || value.kind === "signalling") return raw | BINARY32.quietBit;
  if (value.kind === "zero") return infinityOf(BINARY32, value.negative);
  if (value.kind === "infinity") return zeroOf(BINARY32, value.negative);
  return packEstimate(divideSticky(ONE, value, ESTIMATE_BITS));
}

export function reciprocalRootEstimate(raw: bigint): bigint {
  const value = unpackBinary(QUIET, BINARY32, raw);
  if (value.kind === "quiet" || value.kind === "signalling") return raw | BINARY32.quietBit;
  if (value.kind === "zero") return infinityOf(BINARY32, value.negative);
  if (value.negative) return BINARY32.indefinite;
  if (value.kind === "infinity") return 0n;
  return packEstimate(squareRootSticky(divideSticky(ONE, value, 40), ESTIMATE_BITS));
}
