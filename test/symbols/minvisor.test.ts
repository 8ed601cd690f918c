// Reads the hypervisor in the box, where it has been built, as a user's image would be read.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ProgramSymbols } from "../../symbols/program.ts";
import { build, compile, fixtures, MINVISOR_FLAGS, run } from "./toolchain.ts";

const given = process.env.SYMBOLS_IMAGE ?? join(fixtures, "../../../minvisor/build/minvisor.elf");
/** An image built the same way stands in until MinVisor is there. */
const path = existsSync(given)
  ? given
  : compile(build(64, 5, "-Og", ...MINVISOR_FLAGS, `-ffile-prefix-map=${fixtures}=.`)).path;
const symbols = new ProgramSymbols(new Uint8Array(readFileSync(path)), path);

// gdb leaves out rows that repeat a line, and then shows the statement before them: where it
// differs from addr2line, which takes each row as it is, either is right.
test("every instruction is placed where gdb or addr2line places it", () => {
  const text = run("objdump", ["-d", "--no-show-raw-insn", path]);
  const addresses = [...text.matchAll(/^ +([0-9a-f]+):\t/gm)].map((match) => match[1]!);
  const script = `
for pc in [${addresses.map((address) => `0x${address}`).join(",")}]:
  at = gdb.find_pc_line(pc)
  print("none" if at.symtab is None or at.line == 0 else "%s:%d" % (at.symtab.filename, at.line))`;
  const theirs = run("gdb", ["-batch", "-nx", "-ex", `python${script}`, path])
    .trim()
    .split("\n");
  const rows = run("addr2line", ["-e", path, ...addresses])
    .trim()
    .split("\n");
  const differences = addresses.flatMap((address, i) => {
    const at = symbols.sourceAt(BigInt(`0x${address}`));
    const ours = at ? `${at.path}:${at.line}` : "none";
    const their = theirs[i]!.replace(/^\.\//, "");
    const row = rows[i]!.replace(/ \(discriminator.*/, "");
    return ours === their || row.endsWith(`/${ours}`) ? [] : [`${address}: ${ours}, gdb ${their}`];
  });
  expect(differences).toEqual([]);
  expect(addresses.length).toBeGreaterThan(100);
});

test("all functions have frames, variables with types, and call frame information", () => {
  const state = { register: () => 0n, readMemory: () => undefined };
  let variables = 0;
  for (const name of symbols.symbols.names()) {
    for (const { body, isInlined } of symbols.functionsNamed(name)) {
      for (const frame of isInlined ? [] : symbols.framesAt(body)) {
        for (const each of frame.variables) {
          expect(each.type.kind).not.toBe("unknown");
          expect(each.locate(state)).toHaveProperty("kind");
          variables++;
        }
      }
    }
  }
  expect(variables).toBeGreaterThan(20);
  expect(symbols.problems).toEqual([]);
});

test("an editor's absolute path finds the relative one of the debug information", () => {
  const relative = symbols.sourceFiles().find((each) => each.endsWith("main.c"))!;
  expect(relative.startsWith("/")).toBe(false);
  expect(symbols.fileFor(`/somebody/else/${relative}`)).toBe(relative);
  expect(symbols.fileFor(`/somebody/x${relative}`)).toBeUndefined();
  expect(symbols.linesOf(relative).length).toBeGreaterThan(5);
});
