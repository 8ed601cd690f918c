/** The transcendental functions against values computed with 113 bits: well within one ulp. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { addExact } from "../../../emulator/fpu/exact.ts";
import { type Extended, unpack, X87Environment } from "../../../emulator/fpu/extended.ts";
import { bitLength, type Exact, leadingExponent } from "../../../emulator/fpu/rounding.ts";
import {
  arctangentOf,
  exponentialMinusOne,
  ofAngle,
  yLog2X,
  yLog2XPlus1,
} from "../../../emulator/fpu/transcendental.ts";

function parseExtended(text: string): Extended {
  const [top, significand] = text.split(":");
  return { significand: BigInt(`0x${significand}`), signExponent: Number(`0x${top}`) };
}

function parseBinary128(text: string): Exact {
  const raw = BigInt(`0x${text}`);
  const field = Number((raw >> 112n) & 0x7fffn);
  return {
    negative: raw >> 127n === 1n,
    significand: (raw & ((1n << 112n) - 1n)) | (1n << 112n),
    exponent: field - 16383 - 112,
  };
}

function compute(name: string, env: X87Environment, x: Extended, y: Extended): Extended {
  const [a, b] = [unpack(x), unpack(y)];
  switch (name) {
    case "FSIN":
      return ofAngle(env, a, "sine")!;
    case "FCOS":
      return ofAngle(env, a, "cosine")!;
    case "FPTAN":
      return ofAngle(env, a, "tangent")!;
    case "F2XM1":
      return exponentialMinusOne(env, a);
    case "FYL2X":
      return yLog2X(env, b, a);
    case "FYL2XP1":
      return yLog2XPlus1(env, b, a);
    default:
      return arctangentOf(env, b, a);
  }
}

/** Distance in units of the result's last place. */
function ulps(value: Exact, reference: Exact): number {
  const difference = addExact(value, { ...reference, negative: !reference.negative });
  if (difference.significand === 0n) return 0;
  const keep = Math.max(bitLength(difference.significand) - 50, 0);
  const magnitude = Number(difference.significand >> BigInt(keep));
  const lastPlace = leadingExponent(value) - 63;
  return magnitude * 2 ** (difference.exponent + keep - lastPlace);
}

/** The logarithm of a power of two is an integer. */
function isExact(name: string, x: string): boolean {
  return name === "FYL2X" && x.endsWith(":8000000000000000");
}

const lines = readFileSync(new URL("../../vectors/x87-transcendental.txt", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => line.split(" ") as [string, string, string, string]);

describe("correct to the last place", () => {
  test.each(["FSIN", "FCOS", "FPTAN", "F2XM1", "FYL2X", "FYL2XP1", "FPATAN"])("%s", (name) => {
    const vectors = lines.filter((line) => line[0] === name);
    const worst = vectors.map(([, x, y, result]) => {
      const env = new X87Environment(0x37f);
      const value = compute(name, env, parseExtended(x), parseExtended(y));
      expect(env.flags & 0x20, `${name} ${x} ${y} reports precision`).toBe(0x20);
      return { ulps: ulps(unpack(value), parseBinary128(result)), x, y };
    });
    worst.sort((a, b) => b.ulps - a.ulps);
    expect(worst[0]?.ulps, JSON.stringify(worst[0])).toBeLessThan(0.501);
    expect(vectors.length).toBeGreaterThan(100);
  });

  test("directed rounding brackets the value by one unit", () => {
    for (const [name, x, y, result] of lines.filter((_, i) => i % 7 === 0)) {
      if (isExact(name, x)) continue;
      const reference = parseBinary128(result);
      const at = (control: number): Exact =>
        unpack(compute(name, new X87Environment(control), parseExtended(x), parseExtended(y)));
      const [down, up] = [at(0x77f), at(0xb7f)];
      // Half or two units where the value's neighbours are in different binades.
      expect([0.5, 1, 2], `${name} ${x} ${y}`).toContain(ulps(down, up));
      expect(ulps(down, reference)).toBeLessThan(1.001);
    }
  });
});
