// Reads the standard's own examples of variable-length numbers, and refuses what is cut short.
import { expect, test } from "vitest";
import { FormatError, Reader } from "../../symbols/dwarf/reader.ts";
import { joinPath, mappedPath } from "../../symbols/source-path.ts";

const reader = (...bytes: number[]) => new Reader(new Uint8Array(bytes), ".debug_test");

/** DWARF 5 tables 7.7 and 7.8. */
test.each([
  [2, [0x02]],
  [127, [0x7f]],
  [128, [0x80, 1]],
  [129, [0x81, 1]],
  [12857, [0xb9, 0x64]],
])("unsigned LEB128 of %i", (value, bytes) => {
  expect(reader(...bytes).uleb()).toBe(value);
  expect(reader(...bytes).uleb64()).toBe(BigInt(value));
});

test.each([
  [2, [0x02]],
  [-2, [0x7e]],
  [127, [0xff, 0]],
  [-127, [0x81, 0x7f]],
  [128, [0x80, 1]],
  [-128, [0x80, 0x7f]],
  [-129, [0xff, 0x7e]],
])("signed LEB128 of %i", (value, bytes) => {
  expect(reader(...bytes).sleb()).toBe(value);
  expect(reader(...bytes).sleb64()).toBe(BigInt(value));
});

test("lengths are 32-bit, or 64-bit behind the escape", () => {
  expect(reader(1, 2, 0, 0).initialLength()).toEqual({ length: 0x201, offsetSize: 4 });
  const wide = reader(255, 255, 255, 255, 8, 0, 0, 0, 0, 0, 0, 0);
  expect(wide.initialLength()).toEqual({ length: 8, offsetSize: 8 });
  expect(() => reader(0xf1, 255, 255, 255).initialLength()).toThrow("reserved unit length");
});

test("a read past the end names the section and the offset", () => {
  const cut = reader(1, 2, 3);
  cut.u8();
  expect(() => cut.u32()).toThrow(".debug_test+0x1: truncated: 4 bytes wanted, 2 left");
  expect(() => reader(0x80, 0x80).uleb()).toThrow(FormatError);
  expect(() => reader(...Array(40).fill(0x80)).uleb64()).toThrow("LEB128 number too long");
  expect(() => reader(65, 66).string()).toThrow("string without an end");
});

test.each([
  [["/build/src", "lib", "a.c"], "/build/src/lib/a.c"],
  [["/build/src", "/usr/include", "b.h"], "/usr/include/b.h"],
  [["/build", "../x/./y", "c.c"], "/x/y/c.c"],
  [["", "src", "../d.c"], "d.c"],
  [["C:\\work", "src\\e.c"], "C:/work/src/e.c"],
])("joins %j", (parts, expected) => {
  expect(joinPath(...parts)).toBe(expected);
});

test.each([
  ["src/a.c", "/here/src/a.c"],
  ["src/deep/b.c", "/deep/b.c"],
  ["src/deeper/b.c", "/here/src/deeper/b.c"],
  ["/build/c.c", "/there/c.c"],
  ["/builder/c.c", undefined],
  // A prefix of all relative paths says nothing of an absolute one.
  ["/usr/include/d.h", undefined],
])("%s by a source map is %s", (path, expected) => {
  const map = new Map([
    [".", "/here"],
    ["./src/deep/", "/deep"],
    ["/build", "/there"],
  ]);
  expect(mappedPath(path, map)).toBe(expected);
});
