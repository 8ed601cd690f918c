// Evaluates single DWARF expressions whose results the standard's text gives.
import { describe, expect, test } from "vitest";
import { type ExpressionContext, evaluate } from "../../symbols/dwarf/expression.ts";
import { type Location, readLocation } from "../../symbols/location.ts";

const memory = new Map([
  [0x1000n, new Uint8Array([0x78, 0x56, 0x34, 0x12, 0xff, 0xff, 0xff, 0xff])],
]);
const context: ExpressionContext = {
  addressSize: 8,
  offsetSize: 4,
  state: {
    register: (number) =>
      number === 6 ? 0x1000n : number === 0 ? 0xffff_ffff_ffff_fff0n : undefined,
    readMemory: (address, length) => memory.get(address)?.slice(0, length),
  },
  frameBase: () => ({ kind: "memory", address: 0x2000n }),
  cfa: () => ({ kind: "memory", address: 0x3000n }),
  baseType: (offset) =>
    ({
      1: { size: 4, kind: "signed" } as const,
      2: { size: 1, kind: "unsigned" } as const,
      3: { size: 8, kind: "float" } as const,
    })[offset],
};

function run(...bytes: number[]): Location {
  return evaluate(new Uint8Array(bytes), context);
}

const at = (address: bigint): Location => ({ kind: "memory", address });
const value = (...bytes: number[]): Location => ({ kind: "value", bytes: new Uint8Array(bytes) });
const STACK_VALUE = 0x9f;

describe("an expression gives", () => {
  test.each<[string, number[], Location]>([
    ["an address", [0x03, 0, 0x10, 0, 0, 0, 0, 0, 0], at(0x1000n)],
    ["a register", [0x53], { kind: "register", register: 3 }],
    ["a register by number", [0x90, 0x11], { kind: "register", register: 17 }],
    ["an address from a register", [0x76, 0x78], at(0xff8n)],
    ["an address from the frame base", [0x91, 0x68], at(0x1fe8n)],
    ["the frame address", [0x9c], at(0x3000n)],
    ["memory through memory", [0x76, 0, 0x94, 4], at(0x12345678n)],
    ["a literal", [0x35, STACK_VALUE], value(5, 0, 0, 0, 0, 0, 0, 0)],
    ["bytes", [0x9e, 2, 0xab, 0xcd], value(0xab, 0xcd)],
    ["signed division", [0x11, 0x79, 0x32, 0x1b, STACK_VALUE], value(0xfd, ...Array(7).fill(0xff))],
    ["unsigned remainder", [0x11, 0x7f, 0x3a, 0x1d, STACK_VALUE], value(5, 0, 0, 0, 0, 0, 0, 0)],
    ["signed comparison", [0x11, 0x7f, 0x31, 0x2d, STACK_VALUE], value(1, 0, 0, 0, 0, 0, 0, 0)],
    ["a logical shift", [0x11, 0x7f, 0x08, 60, 0x25, STACK_VALUE], value(15, 0, 0, 0, 0, 0, 0, 0)],
    ["an arithmetic shift", [0x70, 0, 0x34, 0x26, STACK_VALUE], value(...Array(8).fill(0xff))],
    [
      "swap and rot",
      [0x31, 0x32, 0x33, 0x17, 0x16, 0x1c, STACK_VALUE],
      value(1, 0, 0, 0, 0, 0, 0, 0),
    ],
    ["a branch taken", [0x31, 0x28, 1, 0, 0x30, 0x37], at(7n)],
    ["a typed conversion", [0x08, 0xfe, 0xa8, 2, 0xa8, 1, STACK_VALUE], value(0xfe, 0, 0, 0)],
  ])("%s", (_, bytes, expected) => {
    expect(run(...bytes)).toEqual(expected);
  });
});

describe("an expression that has no value says why", () => {
  test.each<[string, number[]]>([
    ["optimised out at this pc", []],
    [
      "optimised out: what it was at the function's entry is not known here",
      [0xa3, 1, 0x55, STACK_VALUE],
    ],
    ["a register of its location is not known here", [0x71, 0]],
    ["memory at 0x2000 cannot be read", [0x91, 0, 0x06]],
    ["optimised out: a pointer to a variable that has no address here", [0xa0, 1, 0, 0, 0, 0]],
    ["not available yet: location uses DWARF operation 0xff", [0xff]],
    ["not available yet: location converts a floating-point value", [0x31, 0xa8, 3, STACK_VALUE]],
    ["damaged debug information (location expression takes from an empty stack)", [0x22]],
    ["damaged debug information (location expression divides by zero)", [0x31, 0x30, 0x1b]],
    [
      "damaged debug information (location expression+0x1: expression does not end)",
      [0x2f, 0xfd, 0xff],
    ],
  ])("%s", (reason, bytes) => {
    const location = run(...bytes);
    const shown = location.kind === "unavailable" ? location.reason : location.kind;
    expect(shown.replace(/\+0x\w+/, "+0x1")).toBe(reason);
  });
});

test("pieces join, and one that is missing hides only what overlaps it", () => {
  const location = run(0x76, 0, 0x93, 2, 0x93, 2, 0x50, 0x93, 4);
  const read = (offset: number, length: number) =>
    readLocation(location, offset, length, context.state);
  expect(read(0, 2)).toEqual({ bytes: new Uint8Array([0x78, 0x56]) });
  expect(read(4, 4)).toEqual({ bytes: new Uint8Array([0xf0, 0xff, 0xff, 0xff]) });
  expect(read(0, 8)).toEqual({ unavailable: "this part is optimised out at this pc" });
  expect(read(6, 4)).toEqual({ unavailable: "the debug information gives only a part of it" });
});
