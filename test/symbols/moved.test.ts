/** Symbols of a moved program equal those of the same program linked where it runs. */
import { expect, test } from "vitest";
import type { ImageSymbols } from "../../symbols/image-symbols.ts";
import { movedBy } from "../../symbols/moved-symbols.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { build, compile } from "./toolchain.ts";

const SLIDE = 0x1230_0000n;
const BASE = 0x40_0000n;
const linkedAt = (base: bigint, dwarf: number): ProgramSymbols => {
  const { bytes, path } = compile(
    build(64, dwarf, "-O2", `-Wl,-Ttext-segment=0x${base.toString(16)}`, "-Wl,--build-id=none"),
  );
  return new ProgramSymbols(bytes, path);
};

const STATE = {
  register: (number: number) => BigInt(number) * 0x100n,
  readMemory: (address: bigint, length: number) =>
    Uint8Array.from({ length }, (_, i) => Number((address + BigInt(i)) & 0xffn)),
};

function answers(symbols: ImageSymbols, from: bigint): unknown {
  const functions = ["_start", ...symbols.symbols.names()].map((name) => [
    name,
    symbols.functionsNamed(name),
    symbols.symbols.named(name).map(({ address }) => address),
    symbols.globalsNamed(name).map((each) => each.locate(STATE)),
  ]);
  const lines = symbols
    .sourceFiles()
    .filter((path) => path.endsWith("main.c"))
    .flatMap((path) => symbols.linesOf(path).map((line) => symbols.addressesOf(path, line)));
  const places = Array.from({ length: 0x600 }, (_, i) => {
    const pc = from + BigInt(i);
    const unwound = symbols.unwind(pc, STATE);
    return [
      symbols.functionAt(pc),
      symbols.symbolAt(pc)?.offset,
      symbols.sourceAt(pc),
      symbols.framesAt(pc).map((frame) => frame.variables.map((each) => each.locate(STATE))),
      unwound.kind === "caller" ? [unwound.pc, unwound.cfa] : unwound,
    ];
  });
  return { functions, lines, places };
}

test.each([4, 5])("DWARF %i: a program linked elsewhere says the same", (dwarf) => {
  const [low, high] = [linkedAt(BASE, dwarf), linkedAt(BASE + SLIDE, dwarf)];
  const start = low.functionsNamed("_start")[0]?.address ?? 0n;
  expect(start).toBeGreaterThan(0n);
  expect(answers(movedBy(low, SLIDE), start + SLIDE)).toEqual(answers(high, start + SLIDE));
  expect(answers(movedBy(high, -SLIDE), start)).toEqual(answers(low, start));
  expect(movedBy(low, 0n)).toBe(low);
});
