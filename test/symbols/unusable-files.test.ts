// Files that cannot be used, or only in part, say why in one sentence.
import { describe, expect, test } from "vitest";
import { FormatError } from "../../symbols/dwarf/reader.ts";
import { readElf } from "../../symbols/elf.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { build, compile } from "./toolchain.ts";

describe("a file that is no ELF of ours is one sentence", () => {
  const good = compile(build(64, 5, "-O0")).bytes;
  const changed = (at: number, value: number) => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  test.each([
    [
      "an empty file",
      new Uint8Array(0),
      "x.elf: not an ELF file (it does not begin with 7f 45 4c 46)",
    ],
    ["a script", new TextEncoder().encode("#!/bin/sh\necho hello"), "x.elf: not an ELF file"],
    ["a cut header", good.slice(0, 40), "x.elf: truncated: 40 bytes hold no ELF header"],
    ["a cut file", good.slice(0, 2000), "x.elf: truncated: its section headers end after the file"],
    ["another class", changed(4, 3), "x.elf: unknown ELF class 3"],
    ["big-endian", changed(5, 2), "x.elf: a big-endian ELF file"],
    ["another machine", changed(18, 183), "x.elf: machine 183 is neither x86-64 (62) nor i386"],
  ])("%s", (_, bytes, message) => {
    expect(() => new ProgramSymbols(bytes, "x.elf")).toThrow(FormatError);
    expect(() => new ProgramSymbols(bytes, "x.elf")).toThrow(message);
  });
});

test("without debug information symbols still answer", () => {
  const built = compile(build(64, 5, "-O0", "-g0"));
  const symbols = new ProgramSymbols(built.bytes, built.path);
  const [helper] = symbols.symbols.named("helper");
  expect(symbols.hasDebugInfo).toBe(false);
  expect(symbols.functionAt(helper!.address + 2n)?.name).toBe("helper");
  expect(symbols.sourceAt(helper!.address)).toBeUndefined();
  expect(symbols.framesAt(helper!.address)).toEqual([]);
  expect(symbols.problems).toEqual([]);
});

describe("compressed debug sections", () => {
  const built = compile(build(64, 5, "-O0", "-gz=zlib"));
  const { offset } = readElf(built.bytes, "x.elf").sections.find(
    ({ name }) => name === ".debug_info",
  )!;

  test("of an unknown method, or damaged, are named as a problem", () => {
    for (const [at, value, problem] of [
      [offset, 2, "is compressed with method 2, and only zlib (1) is supported; use objcopy"],
      [offset + 24, 0, ": not a zlib stream"],
      [offset + 8, 0x55, ": damaged zlib stream: "],
    ] as const) {
      const bytes = built.bytes.slice();
      bytes[at] = value;
      const symbols = new ProgramSymbols(bytes, "x.elf");
      expect(symbols.problems.join("\n")).toContain(
        `x.elf: section .debug_info${problem.startsWith(":") ? "" : " "}${problem}`,
      );
      expect(symbols.functionsNamed("helper")).toHaveLength(1);
    }
  });
});
