/** Rounding of exact values to a binary format: the one place where precision is lost. */

/** Exception flags at their places in MXCSR and in the x87 status word. */
export const FpuFlag = {
  invalid: 0x01,
  denormal: 0x02,
  zeroDivide: 0x04,
  overflow: 0x08,
  underflow: 0x10,
  precision: 0x20,
} as const;

/** RC of MXCSR and of the x87 control word. */
export const Rounding = { nearestEven: 0, down: 1, up: 2, towardZero: 3 } as const;

/** (-1)^negative * significand * 2^exponent. The lowest bit may stand for a lost remainder (sticky). */
export interface Exact {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}

/** Precision in bits, and the least and greatest exponents of the leading bit of a normal number. */
export interface Format {
  readonly precision: number;
  readonly minExponent: number;
  readonly maxExponent: number;
}

export interface Rounded {
  /** At most `precision` bits; fewer for a denormal. */
  readonly significand: bigint;
  readonly exponent: number;
  readonly inexact: boolean;
  /** The magnitude was increased. */
  readonly roundedUp: boolean;
}

/** Number of bits up to the leading one; 0 for 0. */
export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const hex = value.toString(16);
  return hex.length * 4 - 4 + 32 - Math.clz32(Number.parseInt(hex[0]!, 16));
}

/** The magnitude without its lowest `drop` bits, rounded; a negative `drop` appends zeros. */
export function roundMagnitude(
  negative: boolean,
  magnitude: bigint,
  drop: number,
  mode: number,
): { significand: bigint; inexact: boolean; roundedUp: boolean } {
  if (drop <= 0) {
    return { significand: magnitude << BigInt(-drop), inexact: false, roundedUp: false };
  }
  const kept = magnitude >> BigInt(drop);
  const rest = magnitude - (kept << BigInt(drop));
  if (rest === 0n) return { significand: kept, inexact: false, roundedUp: false };
  const half = 1n << BigInt(drop - 1);
  let up = false;
  if (mode === Rounding.nearestEven) up = rest > half || (rest === half && (kept & 1n) === 1n);
  else if (mode === Rounding.up) up = !negative;
  else if (mode === Rounding.down) up = negative;
  return { significand: up ? kept + 1n : kept, inexact: true, roundedUp: up };
}

/** Rounds a non-zero value so that its lowest bit has at least the exponent `leastExponent`. */
function roundNotBelow(
  value: Exact,
  precision: number,
  leastExponent: number,
  mode: number,
): Rounded {
  const length = bitLength(value.significand);
  const target = Math.max(value.exponent + length - precision, leastExponent);
  const rounded = roundMagnitude(value.negative, value.significand, target - value.exponent, mode);
  if (bitLength(rounded.significand) <= precision) return { ...rounded, exponent: target };
  return { ...rounded, significand: rounded.significand >> 1n, exponent: target + 1 };
}

/** Rounds a non-zero value as if exponents had no limits. */
export function roundUnbounded(value: Exact, precision: number, mode: number): Rounded {
  return roundNotBelow(value, precision, Number.NEGATIVE_INFINITY, mode);
}

/** Rounds a non-zero value into the format's normals and denormals; the top stays unbounded. */
export function roundToFormat(value: Exact, format: Format, mode: number): Rounded {
  return roundNotBelow(value, format.precision, format.minExponent - format.precision + 1, mode);
}

/** Exponent of the leading bit. */
export function leadingExponent(value: { significand: bigint; exponent: number }): number {
  return value.exponent + bitLength(value.significand) - 1;
}

/** Whether overflow in this mode gives infinity rather than the greatest finite number. */
export function overflowsToInfinity(negative: boolean, mode: number): boolean {
  if (mode === Rounding.nearestEven) return true;
  if (mode === Rounding.towardZero) return false;
  return (mode === Rounding.down) === negative;
}
