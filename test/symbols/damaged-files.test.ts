// Damaged ELF and DWARF: errors and partial answers, never a hang, a crash or an unbounded answer.

import { describe, expect, test } from "vitest";
import { FormatError, Reader } from "../../symbols/dwarf/reader.ts";
import { readElf } from "../../symbols/elf.ts";
import type { FrameState } from "../../symbols/location.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { typeName } from "../../symbols/types.ts";
import { readValue } from "../../symbols/value.ts";
import type { Variable } from "../../symbols/variable.ts";
import { type RandomBelow, randomBelow } from "../harness/random.ts";
import { MUTATIONS, type Region } from "./mutations.ts";
import { type Built, build, buildOf, compile } from "./toolchain.ts";

/** Files a program; there are five programs. */
const ROUNDS = Number(process.env.SYMBOLS_MUTATIONS ?? 2000);
const SEED = Number(process.env.SYMBOLS_SEED ?? 20_240_601);
/** What a damaged file and all that is asked of it may cost in reads, by what the whole one costs. */
const MOST_READS = 4;

const PROGRAMS = [
  build(64, 5, "-O2"),
  build(64, 4, "-Og", "-fdebug-types-section"),
  build(32, 5, "-O2"),
  build(32, 4, "-O0", "-fno-asynchronous-unwind-tables"),
  buildOf("optimised.c", build(64, 4, "-O2")),
];

/** Offsets into a program's code. */
const ALL_OVER = Array.from({ length: 8 }, (_, i) => BigInt(i * 0x60));

/** Through this every read of a section goes. */
const reader = Reader.prototype as unknown as { take(length: number): number };
const { take } = reader;
let reads = 0;
reader.take = function (length) {
  reads++;
  return take.call(this, length);
};

describe.each(PROGRAMS)(`${ROUNDS} mutations of $name (seed ${SEED})`, (wanted) => {
  const built = compile(wanted);
  const regions = regionsOf(built);

  test("give one sentence or partial answers, soon", { timeout: 600_000 }, () => {
    const random = randomBelow(SEED ^ wanted.bits ^ (wanted.dwarf << 8));
    const names = Object.keys(MUTATIONS);
    const { cost: whole } = explore(built.bytes, ALL_OVER, "undamaged");
    let readable = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const name = names[round % names.length]!;
      const region = regions[random(regions.length)]!;
      const bytes = mutated(built, MUTATIONS[name]!, region, random);
      const pcs = Array.from({ length: 8 }, () => BigInt(random(0x300)));
      const label = `seed ${SEED} round ${round}: ${name} in ${region.name}`;
      const { isReadable, cost } = explore(bytes, pcs, label);
      expect(cost / whole, label).toBeLessThan(MOST_READS);
      if (isReadable) readable++;
    }
    expect(readable).toBeGreaterThan(ROUNDS / 2);
  });
});

type Mutate = (typeof MUTATIONS)[string];

function mutated(built: Built, mutate: Mutate, region: Region, random: RandomBelow): Uint8Array {
  const bytes = built.bytes.slice();
  return mutate(bytes, region, random) ?? bytes;
}

/** Debug sections, and the tables of the ELF file itself. */
function regionsOf({ bytes, path }: Built): Region[] {
  const elf = readElf(bytes, path);
  const sections = elf.sections.filter(({ name }) =>
    /^\.(debug|eh_frame|symtab|strtab)/.test(name),
  );
  const tables = bytes.length - elf.sections.length * (elf.is64 ? 64 : 40);
  return [
    ...sections.filter(({ size }) => size > 0),
    { name: "ELF header", offset: 0, size: elf.is64 ? 64 : 52 },
    { name: "section headers", offset: tables, size: bytes.length - tables },
  ];
}

/** Asks all that the adapter asks of a file, unless it is refused. */
function explore(bytes: Uint8Array, pcs: readonly bigint[], label: string) {
  const before = reads;
  let symbols: ProgramSymbols;
  try {
    symbols = new ProgramSymbols(bytes, "mutated.elf");
  } catch (error) {
    if (!(error instanceof FormatError)) throw new Error(`${label}: ${stackOf(error)}`);
    expect(error.message, label).toMatch(/^mutated\.elf[:+].+/);
    return { isReadable: false, cost: reads - before };
  }
  try {
    askAll(symbols, pcs);
  } catch (error) {
    throw new Error(`${label}: ${stackOf(error)}`);
  }
  expect(symbols.problems.length, label).toBeLessThan(1000);
  return { isReadable: true, cost: reads - before };
}

const stackOf = (error: unknown) => (error instanceof Error ? error.stack : String(error));

const STATE: FrameState = {
  register: () => 0x402000n,
  readMemory: (_, length) => new Uint8Array(length).fill(0x40),
};

function askAll(symbols: ProgramSymbols, offsets: readonly bigint[]): void {
  const base = symbols.machine === "i386" ? 0x8049000n : 0x401000n;
  for (const offset of offsets) {
    const pc = base + offset;
    symbols.functionAt(pc);
    symbols.symbolAt(pc);
    symbols.sourceAt(pc);
    unwindAll(symbols, pc);
    for (const { variables } of symbols.framesAt(pc)) variables.forEach(show);
  }
  for (const name of ["nodes", "ratio", "names", "counter"]) {
    symbols.globalsNamed(name).forEach(show);
  }
  for (const path of symbols.sourceFiles().slice(0, 4)) {
    symbols.fileFor(path);
    for (const line of symbols.linesOf(path).slice(0, 8)) symbols.addressesOf(path, line);
  }
  symbols.functionsNamed("helper");
  symbols.functionsNamed("clamp");
  symbols.functionDeclaration("helper");
  symbols.enumeratorNamed("BLUE");
  const type = symbols.typeNamed("struct node");
  if (type) {
    typeName(type);
    symbols.declarationOf(type);
    symbols.declarationOf(type, "no such member");
  }
}

function unwindAll(symbols: ProgramSymbols, from: bigint): void {
  let [pc, state] = [from, STATE];
  for (let depth = 0; depth < 4; depth++) {
    const up = symbols.unwind(pc, state);
    if (up.kind !== "caller") return;
    ({ pc, state } = up);
  }
}

function show(variable: Variable): void {
  typeName(variable.type);
  const value = readValue(variable.name, variable.type, variable.locate(STATE), STATE);
  for (const child of value.children(0, 4)) child.children(0, 4);
}
