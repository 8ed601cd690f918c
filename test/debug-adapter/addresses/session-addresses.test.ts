// References and row numbers: what is written is read back, and spaces never share a number.

import { expect, test } from "vitest";
import {
  formatReference,
  type MemoryReference,
  parseReference,
  type SpaceName,
} from "../../../debug-adapter/addresses/memory-reference.ts";
import { SessionAddresses } from "../../../debug-adapter/addresses/session-addresses.ts";
import { randomFraction, testSeed } from "../../harness/random.ts";

const seed = testSeed(50_000);

function randomReference(next: () => number): MemoryReference {
  const word = () => BigInt(Math.floor(next() * 2 ** 32));
  const root = (word() << 12n) & 0xff_ffff_f000n;
  const guest = 1 + Math.floor(next() * 3);
  const spaces: SpaceName[] = [
    { kind: "hpa" },
    { kind: "hva", root },
    { kind: "gpa", guest },
    { kind: "gva", guest, root },
  ];
  const space = spaces[Math.floor(next() * spaces.length)] as SpaceName;
  return { space, address: (word() << 32n) | word() };
}

test(`references are read back as written (seed ${seed})`, () => {
  const next = randomFraction(seed);
  for (let i = 0; i < 2000; i++) {
    const reference = randomReference(next);
    expect(parseReference(formatReference(reference), "hpa")).toEqual(reference);
  }
});

test(`row numbers are read back, and rows of two spaces never meet (seed ${seed})`, () => {
  const next = randomFraction(seed);
  const addresses = new SessionAddresses();
  const ranges = new Map<bigint, string>();
  for (let i = 0; i < 500; i++) {
    const reference = randomReference(next);
    const number = addresses.rowAddress(reference.space, reference.address);
    expect(addresses.parse(number, "hva")).toEqual(reference);
    // Rows beyond both ends of a space stay nearer to it than to any other.
    const name = JSON.stringify(reference.space, (_, v) => (typeof v === "bigint" ? `${v}` : v));
    for (const address of [-1_000_000n, 0n, (1n << 64n) - 1n, (1n << 64n) + 1_000_000n]) {
      const range = (BigInt(addresses.rowAddress(reference.space, address)) + 1_000_000n) >> 65n;
      const owner = ranges.get(range) ?? name;
      expect(owner).toBe(name);
      ranges.set(range, name);
    }
  }
});

test("what is neither a reference nor a row's number is refused", () => {
  const addresses = new SessionAddresses();
  const row = addresses.rowAddress({ kind: "hpa" }, 0x1000n);
  expect(addresses.parse("0x1000", "hva")).toEqual({ space: { kind: "hva" }, address: 0x1000n });
  for (const text of [
    "",
    "0x",
    "hpa",
    "hpa:",
    "hpa:-1",
    `hpa:${row}`,
    "0x30000000000000000000",
    `${row}0`,
    "gva@g0:0",
    "gva@g1/:0",
    "gpa@g1/0x1000:0",
    "hva@:0",
    "hpa@g1:0",
    "hpa:1e3",
  ]) {
    expect(() => addresses.parse(text, "hva"), text).toThrow(/is no memory reference; write /);
  }
});

test("the same space keeps its number", () => {
  const addresses = new SessionAddresses();
  const first = addresses.rowAddress({ kind: "hva", root: 0x1000n }, 0x7c00n);
  addresses.rowAddress({ kind: "hva", root: 0x2000n }, 0x7c00n);
  expect(addresses.rowAddress({ kind: "hva", root: 0x1000n }, 0x7c00n)).toBe(first);
  expect(first).toBe("0x100000000000007c00");
});
