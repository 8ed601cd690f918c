// Compares line tables with readelf's and addr2line's, row by row and address by address.
import { describe, expect, test } from "vitest";
import { DebugInfo } from "../../symbols/dwarf/info.ts";
import { LineTable } from "../../symbols/dwarf/line-table.ts";
import { DwarfSections } from "../../symbols/dwarf/sections.ts";
import { readElf } from "../../symbols/elf.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { BUILDS, type Built, build, compile, fixtures, run } from "./toolchain.ts";

const LINE_BUILDS = [
  ...BUILDS,
  build(64, 3, "-O1"),
  build(64, 2, "-O2"),
  build(64, 5, "-O1", "-gdwarf64"),
];

describe.each(LINE_BUILDS)("line table of $name", (wanted) => {
  const built = compile(wanted);

  test("has the rows of readelf in the same order", () => {
    expect(ourRows(built)).toEqual(readelfRows(built));
  });

  test("places every instruction where gdb does", () => {
    const symbols = new ProgramSymbols(built.bytes, built.path);
    const addresses = instructionAddresses(built);
    const theirs = gdbPlaces(built, addresses);
    const differences = addresses.flatMap((address, i) => {
      const at = symbols.sourceAt(BigInt(`0x${address}`));
      const ours = at ? `${at.path}:${at.line}` : "none";
      return ours === theirs[i] ? [] : [`${address}: ${ours}, gdb ${theirs[i]}`];
    });
    expect(differences).toEqual([]);
    expect(addresses.length).toBeGreaterThan(100);
  });
});

// Where the code is optimised, addr2line does not prefer rows that begin a statement.
// Of DWARF 5, binutils 2.40 takes the file from the function's declaration, off by one.
test.each(LINE_BUILDS.filter(({ dwarf, optimise }) => dwarf < 5 && optimise === "-O0"))(
  "every instruction of $name is where addr2line places it",
  (wanted) => {
    const built = compile(wanted);
    const symbols = new ProgramSymbols(built.bytes, built.path);
    const addresses = instructionAddresses(built);
    const theirs = run("addr2line", ["-e", built.path, ...addresses])
      .trim()
      .split("\n");
    const differences = addresses.flatMap((address, i) => {
      const at = symbols.sourceAt(BigInt(`0x${address}`));
      const ours = at ? `${at.path}:${at.line}` : "none";
      const their = theirs[i]!.replace(/ \(discriminator.*/, "").replace(/^.*:[?0]$/, "none");
      return ours === their ? [] : [`${address}: ${ours}, addr2line ${their}`];
    });
    expect(differences).toEqual([]);
  },
);

test("a breakpoint slides to the next line with code and stops once in each function", () => {
  const built = compile(build(64, 5, "-O0"));
  const symbols = new ProgramSymbols(built.bytes, built.path);
  const main = `${fixtures}/main.c`;
  expect(symbols.addressesOf(main, 1)?.line).toBe(symbols.linesOf(main)[0]);
  expect(symbols.addressesOf(main, 100_000)).toBeUndefined();
  expect(symbols.addressesOf("/nowhere.c", 1)).toBeUndefined();
  const loopLine = lineOf(symbols, main, "loop") + 2;
  expect(symbols.addressesOf(main, loopLine)?.addresses).toHaveLength(1);
});

test("breakpoints on lines are where gdb puts them", () => {
  for (const wanted of [build(64, 5, "-O0"), build(64, 4, "-O0"), build(32, 5, "-O0")]) {
    const built = compile(wanted);
    const symbols = new ProgramSymbols(built.bytes, built.path);
    const path = `${fixtures}/main.c`;
    const lines = symbols.linesOf(path);
    const commands = lines.flatMap((line) => ["-ex", `break main.c:${line}`]);
    const text = run("gdb", ["-batch", "-nx", ...commands, built.path]);
    const theirs = [...text.matchAll(/^Breakpoint \d+ at (0x[0-9a-f]+): file .*, line \d+\.$/gm)];
    const ours = lines.map((line) => symbols.addressesOf(path, line)?.addresses.map(hex).join(" "));
    expect(ours).toEqual(theirs.map((match) => match[1]));
  }
});

function lineOf(symbols: ProgramSymbols, path: string, name: string): number {
  const place = symbols.functionsNamed(name)[0]!;
  const at = symbols.sourceAt(place.address)!;
  expect(at.path).toBe(path);
  return at.line;
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}

/** "line address is_stmt" of each row, as readelf orders them; the end of a sequence has no line. */
function ourRows(built: Built): string[] {
  const sections = new DwarfSections(readElf(built.bytes, built.path));
  const rows: string[] = [];
  const seen = new Set<number | undefined>(); // type units share the table of their unit
  for (const unit of new DebugInfo(sections).units) {
    if (seen.has(unit.lineOffset)) continue;
    seen.add(unit.lineOffset);
    const table = new LineTable(sections, unit.lineOffset!, unit.compDir);
    for (const row of table.rows) {
      const name = table.pathOf(row.file).split("/").at(-1);
      const shown = row.endSequence
        ? `end ${hex(row.address)}`
        : `${name} ${row.line} ${hex(row.address)}`;
      rows.push(`${shown}${row.isStatement && !row.endSequence ? " x" : ""}`);
    }
    expect(table.problem).toBeUndefined();
  }
  return rows;
}

function readelfRows(built: Built): string[] {
  const rows: string[] = [];
  for (const line of run("readelf", ["-W", "--debug-dump=decodedline", built.path]).split("\n")) {
    const match = /^(\S+)\s+(\d+|-)\s+(0x[0-9a-f]+|0)(?:\s+\d+)?(\s+x)?(?:\s+END)?$/.exec(
      line.trimEnd(),
    );
    if (!match) continue;
    const [, name, number, address, statement] = match;
    const place = number === "-" ? "end" : `${name} ${number}`;
    rows.push(`${place} ${address}${statement && number !== "-" ? " x" : ""}`);
  }
  return rows;
}

function instructionAddresses(built: Built): string[] {
  const text = run("objdump", ["-d", "--no-show-raw-insn", built.path]);
  return [...text.matchAll(/^ +([0-9a-f]+):\t/gm)].map((match) => match[1]!);
}

function gdbPlaces(built: Built, addresses: readonly string[]): string[] {
  const script = `python
for pc in [${addresses.map((address) => `0x${address}`).join(",")}]:
  at = gdb.find_pc_line(pc)
  print("none" if at.symtab is None or at.line == 0 else "%s:%d" % (at.symtab.fullname(), at.line))`;
  return run("gdb", ["-batch", "-nx", "-ex", script, built.path]).trim().split("\n");
}
