// Damaged files give errors or partial answers: never a hang, a crash or an unbounded answer.
import { describe, expect, test } from "vitest";
import { FormatError } from "../../../debug-adapter/symbols/dwarf/reader.ts";
import { readElf } from "../../../debug-adapter/symbols/elf.ts";
import type { FrameState } from "../../../debug-adapter/symbols/location.ts";
import { ProgramSymbols } from "../../../debug-adapter/symbols/program.ts";
import { readValue } from "../../../debug-adapter/symbols/value.ts";
import { build, compile } from "./toolchain.ts";

const ROUNDS = Number(process.env.SYMBOLS_MUTATIONS ?? 60);
const SEED = Number(process.env.SYMBOLS_SEED ?? 20_240_601);

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

test("compressed debug sections are named as a problem", () => {
  const built = compile(build(64, 5, "-O0", "-gz=zlib"));
  const symbols = new ProgramSymbols(built.bytes, "x.elf");
  expect(symbols.problems.join("\n")).toContain("x.elf: section .debug_info is compressed");
  expect(symbols.functionsNamed("helper")).toHaveLength(1);
});

describe.each([build(64, 5, "-O2"), build(64, 4, "-Og"), build(32, 5, "-O2")])(
  `mutations of $name (seed ${SEED})`,
  (wanted) => {
    const built = compile(wanted);
    const elf = readElf(built.bytes, built.path);
    const debug = elf.sections.filter((each) =>
      /^\.(debug|eh_frame|symtab|strtab)/.test(each.name),
    );

    test("of single bytes in one debug section each", () => {
      const random = generator(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        const bytes = built.bytes.slice();
        const section = debug[random(debug.length)]!;
        for (let i = 1 + random(8); i > 0; i--) {
          bytes[section.offset + random(section.size)] = random(256);
        }
        explore(bytes, `seed ${SEED} round ${round} in ${section.name}`);
      }
    });

    test("of the whole file, and cut short", () => {
      const random = generator(SEED + 1);
      for (let round = 0; round < ROUNDS; round++) {
        const cut = round % 2 ? built.bytes.length : random(built.bytes.length);
        const bytes = built.bytes.slice(0, cut);
        for (let i = random(30); i > 0; i--) bytes[random(bytes.length)] = random(256);
        explore(bytes, `seed ${SEED + 1} round ${round}`);
      }
    });
  },
);

/** Asks everything that the debug adapter asks; only the constructor may throw. */
function explore(bytes: Uint8Array, label: string): void {
  let symbols: ProgramSymbols;
  const start = performance.now();
  try {
    symbols = new ProgramSymbols(bytes, "mutated.elf");
  } catch (error) {
    expect(error, label).toBeInstanceOf(FormatError);
    return;
  }
  try {
    askAll(symbols);
  } catch (error) {
    throw new Error(`${label}: ${error instanceof Error ? error.stack : error}`);
  }
  expect(performance.now() - start, label).toBeLessThan(5000);
}

function askAll(symbols: ProgramSymbols): void {
  const base = symbols.machine === "i386" ? 0x8049000n : 0x401000n;
  const state: FrameState = {
    register: () => 0x402000n,
    readMemory: (_, length) => new Uint8Array(length).fill(0x40),
  };
  for (let pc = base; pc < base + 0x280n; pc += 7n) {
    symbols.functionAt(pc);
    symbols.sourceAt(pc);
    symbols.unwind(pc, state);
    for (const { variables } of symbols.framesAt(pc)) {
      for (const each of variables) {
        const value = readValue(each.name, each.type, each.locate(state), state);
        for (const child of value.children(0, 4)) child.children(0, 4);
      }
    }
  }
  for (const each of symbols.globals()) {
    const value = readValue(each.name, each.type, each.locate(state), state);
    for (const child of value.children(0, 4)) child.children(0, 4);
  }
  for (const path of symbols.sourceFiles().slice(0, 8)) {
    for (const line of symbols.linesOf(path).slice(0, 40)) symbols.addressesOf(path, line);
  }
  symbols.functionsNamed("helper");
  expect(symbols.problems.length).toBeLessThan(1000);
}

/** Small linear congruential generator: the same numbers for a seed on every machine. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return below === 0 ? 0 : Math.floor((state / 2 ** 32) * below);
  };
}
