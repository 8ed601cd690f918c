/** Bit fields of structures that are split over several places. */
import { expect, test } from "vitest";
import { NOWHERE } from "../../../debug-adapter/expression/home.ts";
import { objectTerm } from "../../../debug-adapter/expression/object.ts";
import type { Location } from "../../../symbols/location.ts";
import type { Type } from "../../../symbols/types.ts";

const WORD: Type = { kind: "base", name: "unsigned", size: 4, base: "unsigned", isSigned: false };
const member = (name: string, bitOffset: number, bitSize: number) => ({
  name,
  type: WORD,
  bitOffset,
  bitSize,
});
const FLAGS: Type = {
  kind: "struct",
  name: "flags",
  size: 4,
  isIncomplete: false,
  members: [member("low", 0, 3), member("middle", 3, 4), member("high", 7, 9)],
};

test("a bit field needs only its own bits, whatever became of those beside it", () => {
  const bytes = Uint8Array.of(0b1011_0110, 0b0000_0101);
  const known = (bits: number, bitOffset: number) => ({
    location: { kind: "value", bytes } as const,
    bits,
    bitOffset,
  });
  const gone = { kind: "unavailable", reason: "optimised out" } as const;
  const pieces: Location = {
    kind: "pieces",
    pieces: [known(3, 0), { location: gone, bits: 4, bitOffset: 0 }, known(9, 7)],
  };
  const object = objectTerm(NOWHERE, FLAGS, pieces);
  expect(object.member?.("low")?.number).toBe(0b110n);
  expect(object.member?.("high")?.number).toBe(0b1011n);
  expect(object.member?.("middle")?.number).toBeUndefined();
  expect(object.member?.("middle")?.unavailable).toBe("optimised out");
});
