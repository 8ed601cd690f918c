// Inflates what Node's zlib has deflated, at every level and of every kind of data.

import { constants, deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../symbols/dwarf/reader.ts";
import { inflate } from "../../symbols/inflate.ts";
import { randomBelow } from "../harness/random.ts";

const SEED = 31;

function samples(): Uint8Array[] {
  const random = randomBelow(SEED);
  const of = (length: number, byte: (i: number) => number) =>
    Uint8Array.from({ length }, (_, i) => byte(i));
  return [
    new Uint8Array(0),
    of(1, () => 7),
    of(70_000, () => 0),
    of(70_000, () => random(256)),
    of(70_000, (i) => (i % 97) ^ (random(20) === 0 ? random(256) : 0)),
    of(40_000, () => 97 + Math.floor(random(26 * 26) ** 0.5)),
  ];
}

describe(`seed ${SEED}`, () => {
  test.each([0, 1, 6, 9])("level %i", (level) => {
    for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_RLE]) {
      for (const sample of samples()) {
        const bytes = new Uint8Array(deflateSync(sample, { level, strategy }));
        expect(inflate(bytes, sample.length, "x")).toEqual(sample);
      }
    }
  });

  test("damage is one sentence", () => {
    const random = randomBelow(SEED);
    const sample = samples()[4]!;
    const good = new Uint8Array(deflateSync(sample));
    for (let round = 0; round < 300; round++) {
      const bytes = good.slice(0, round % 3 === 0 ? random(good.length) : good.length);
      for (let i = random(3); i >= 0; i--) bytes[random(bytes.length)] = random(256);
      try {
        expect(inflate(bytes, sample.length, "x")).toHaveLength(sample.length);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        expect((error as Error).message).toMatch(/^x: /);
      }
    }
    expect(() => inflate(good, 2 ** 40, "x")).toThrow("x: too large when inflated");
    expect(() => inflate(good, 2 ** 31 - 1, "x")).toThrow("shorter than its header says");
    expect(() => inflate(good, sample.length - 1, "x")).toThrow("longer than its header says");
    expect(() => inflate(good, sample.length + 1, "x")).toThrow("shorter than its header says");
  });
});
