/** RCPPS and RSQRTPS stay within the relative error that the manual allows. */

import { expect, test } from "vitest";
import { reciprocalEstimate, reciprocalRootEstimate } from "../../../emulator/fpu/estimate.ts";

const view = new DataView(new ArrayBuffer(4));
function single(raw: bigint): number {
  view.setUint32(0, Number(raw));
  return view.getFloat32(0);
}
const ALLOWED = 1.5 * 2 ** -12;

test("relative error over all exponents and steps of the significand", () => {
  for (let exponent = 3n; exponent < 250n; exponent += 7n) {
    for (let fraction = 0n; fraction < 1n << 23n; fraction += 0x3039n) {
      const raw = (exponent << 23n) | fraction;
      const value = single(raw);
      expect(Math.abs(single(reciprocalEstimate(raw)) * value - 1)).toBeLessThan(ALLOWED);
      const root = single(reciprocalRootEstimate(raw)) * Math.sqrt(value);
      expect(Math.abs(root - 1)).toBeLessThan(ALLOWED);
    }
  }
});

test("zeros, infinities, denormals and NaNs", () => {
  expect(reciprocalEstimate(0x80000000n)).toBe(0xff800000n);
  expect(reciprocalEstimate(0x00000001n)).toBe(0x7f800000n);
  expect(reciprocalEstimate(0xff800000n)).toBe(0x80000000n);
  expect(reciprocalEstimate(0x7f800001n)).toBe(0x7fc00001n);
  expect(reciprocalRootEstimate(0x80000000n)).toBe(0xff800000n);
  expect(reciprocalRootEstimate(0xbf800000n)).toBe(0xffc00000n);
  expect(reciprocalRootEstimate(0x7f800000n)).toBe(0n);
});
