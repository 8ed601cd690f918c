/** Floating-point values as their bits. */
import { fromBytes, toBytes } from "../../symbols/location.ts";

const EXTENDED_BIAS = 16383;

/** Sizes of 4, 8 and, for the x87's 80 bits, more bytes; these are rounded to a double. */
export function floatOf(bits: bigint, size: number): number {
  const view = new DataView(toBytes(bits, 16).buffer);
  if (size === 4) return view.getFloat32(0, true);
  if (size === 8) return view.getFloat64(0, true);
  const exponent = Number((bits >> 64n) & 0x7fffn);
  const mantissa = Number(BigInt.asUintN(64, bits));
  const sign = (bits >> 79n) & 1n ? -1 : 1;
  if (exponent === 0x7fff) {
    return BigInt.asUintN(63, bits) === 0n ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  return sign * mantissa * 2 ** -63 * 2 ** (exponent - EXTENDED_BIAS);
}

/** Undefined for sizes other than 4 and 8. */
export function floatBits(value: number, size: number): bigint | undefined {
  const view = new DataView(new ArrayBuffer(8));
  if (size === 4) view.setFloat32(0, value, true);
  else if (size === 8) view.setFloat64(0, value, true);
  else return undefined;
  return BigInt.asUintN(size * 8, fromBytes(new Uint8Array(view.buffer)));
}
