// A program of many units, as kernels are: answers must not read units that have nothing to say.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Unit } from "../../symbols/dwarf/unit.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { sizeOf } from "../../symbols/types.ts";
import { run } from "./toolchain.ts";

const UNITS = 300;
const SHARED = `
struct shared { int a; long b : 5; struct shared *next; };
enum level { LOW, MIDDLE = 5, HIGH };
static inline int twice(struct shared *s) { int r = s->a * 2; return r > 9 ? r : s->b; }
`;

const folder = mkdtempSync(join(tmpdir(), "many-units-"));
afterAll(() => rmSync(folder, { recursive: true }));

let bytes: Uint8Array;
beforeAll(() => {
  const object = (name: string, source: string) => {
    const path = join(folder, name);
    writeFileSync(`${path}.c`, SHARED + source);
    run("gcc", ["-g", "-O2", "-fno-pie", "-c", `${path}.c`, "-o", `${path}.o`]);
    return `${path}.o`;
  };
  const common = object(
    "common",
    "int work(struct shared *s, enum level l) { return twice(s) + l; }",
  );
  const single = object(
    "single",
    "struct rare { char c[77]; } rare; int lone(int x) { return x + rare.c[x]; }",
  );
  const copies = Array.from({ length: UNITS }, (_, i) => {
    run("objcopy", [`--prefix-symbols=p${i}_`, common, `${folder}/copy${i}.o`]);
    return `${folder}/copy${i}.o`;
  });
  run("ld", ["-e", "0", "-o", join(folder, "all"), ...copies, single]);
  bytes = new Uint8Array(readFileSync(join(folder, "all")));
}, 60_000);

/** Units whose entries are read while `ask` runs. */
function unitsRead(ask: () => void): number {
  const read = vi.spyOn(Unit.prototype, "entries", "get");
  ask();
  const units = new Set(read.mock.contexts);
  read.mockRestore();
  return units.size;
}

test("a name that one unit has costs that unit", () => {
  const symbols = new ProgramSymbols(bytes, "all");
  expect(unitsRead(() => expect(symbols.functionsNamed("lone")).toHaveLength(1))).toBe(1);
  expect(unitsRead(() => expect(symbols.globalsNamed("rare")).toHaveLength(1))).toBe(1);
  expect(unitsRead(() => expect(sizeOf(symbols.typeNamed("struct rare")!)).toBe(77))).toBe(1);
  expect(unitsRead(() => expect(symbols.functionsNamed("nobody")).toEqual([]))).toBe(0);
});

test("an address costs the unit that it lies in", () => {
  const symbols = new ProgramSymbols(bytes, "all");
  const [work] = symbols.symbols.named("p123_work");
  const ask = () => expect(symbols.framesAt(work!.address)[0]?.name).toMatch(/^(work|twice)$/);
  expect(unitsRead(ask)).toBe(1);
  expect(unitsRead(() => symbols.sourceFiles())).toBe(0);
});

test("a name that very many units have is looked for in some, and says so", () => {
  const symbols = new ProgramSymbols(bytes, "all");
  const read = unitsRead(() => expect(symbols.functionsNamed("twice").length).toBeGreaterThan(100));
  expect(read).toBeLessThan(UNITS);
  expect(symbols.problems).toEqual(["twice is in 300 units; only 200 are searched for it"]);
  expect(unitsRead(() => symbols.typeNamed("struct shared"))).toBeLessThan(10);
  expect(symbols.enumeratorNamed("MIDDLE")?.value).toBe(5n);
});
