// BTF that gcc makes of a program says the same as the DWARF that it makes of it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Btf, readBtf } from "../../../symbols/linux/btf.ts";
import { ProgramSymbols } from "../../../symbols/program.ts";
import { stripped, type Type, typeName } from "../../../symbols/types.ts";

const SOURCE = `
#include <stddef.h>
typedef unsigned long long u64;
typedef _Bool flag;
enum color { RED, GREEN = 7, LAST = 0x7fffffff };
enum sign { MINUS = -3, PLUS = 3 };
union number { int i; float f; double d; char text[16]; };
struct list { struct list *next, **back; };
struct later;
struct all {
  char c; signed char sc; unsigned char uc; short s; unsigned u; long l; u64 big; flag on;
  unsigned low : 3, mid : 7; int : 0; int negative : 5; u64 wide : 40;
  struct { int inner; union { long a; char b; }; };
  enum color color; enum sign sign;
  union number numbers[3];
  struct list list; struct later *later; const volatile char *const name;
  int (*call)(struct all *, const char *, ...); void (*none)(void); void *any;
  char open[];
};
struct all *all; union number number; enum sign sign; u64 big; flag on;
int reads(struct all *from, const char *name, unsigned long count) { return from != 0 && name && count; }
`;
const NAMED = [
  ...["struct all", "struct list", "union number", "enum color", "enum sign", "u64", "flag"],
  ...["unsigned int", "long int", "char"],
];

const folder = mkdtempSync(join(tmpdir(), "minvisor-btf-"));
afterAll(() => rmSync(folder, { recursive: true }));

function compiled(option: string): string {
  const [source, object] = [join(folder, "types.c"), join(folder, `types${option}.o`)];
  writeFileSync(source, SOURCE);
  execFileSync("gcc", ["-c", option, "-o", object, source]);
  return object;
}

let btf: Btf;
let bytes: Uint8Array;
let dwarf: ProgramSymbols;
beforeAll(() => {
  const object = compiled("-gbtf");
  execFileSync("objcopy", [
    "-O",
    "binary",
    "--only-section=.BTF",
    "--set-section-flags",
    ".BTF=alloc",
    object,
    join(folder, "btf"),
  ]);
  bytes = new Uint8Array(readFileSync(join(folder, "btf")));
  btf = readBtf(bytes)!;
  // Linked, so that the types of other sections need no relocation.
  const program = join(folder, "types");
  execFileSync("gcc", [
    "-nostdlib",
    "-static",
    "-Wl,-e,reads",
    "-g",
    "-o",
    program,
    join(folder, "types.c"),
  ]);
  dwarf = new ProgramSymbols(new Uint8Array(readFileSync(program)), program);
});

/** All that the debugger shows of a type, to a depth. */
function shape(type: Type, depth = 5): unknown {
  const name = typeName(type);
  const of = stripped(type);
  if (depth === 0) return name;
  switch (of.kind) {
    case "struct":
    case "union":
      return {
        name,
        size: of.size,
        isIncomplete: of.isIncomplete,
        members: of.members.map((member) => [
          member.name,
          member.bitOffset,
          member.bitSize,
          shape(member.type, depth - 1),
        ]),
      };
    case "enum":
      return { name, size: of.size, enumerators: of.enumerators };
    case "array":
      return { name, element: shape(of.element, depth - 1) };
    case "pointer":
      return { name, target: shape(of.target, depth - 1) };
    case "base":
      return { name, size: of.size, isSigned: of.isSigned, base: of.base };
    default:
      return name;
  }
}

test.each(NAMED)("%s", (name) => {
  const [ours, theirs] = [btf.named(name), dwarf.typeNamed(name)];
  expect(ours && shape(ours)).toEqual(theirs && shape(theirs));
  expect(ours).toBeDefined();
});

test("a function's parameters by name and type", () => {
  const shown = btf.parametersOf("reads")?.map(({ name, type }) => `${typeName(type)} ${name}`);
  expect(shown).toEqual(["struct all * from", "const char * name", "long unsigned int count"]);
  expect(btf.parametersOf("all")).toBeUndefined();
});

test("bytes cut short are no BTF, and damaged ones do not throw", () => {
  for (let i = 0; i < bytes.length; i += 7) expect(readBtf(bytes.slice(0, i))).toBeUndefined();
  for (let i = 24; i < bytes.length; i += 5) {
    const damaged = bytes.slice();
    damaged[i] = damaged[i]! ^ 0xff;
    const read = readBtf(damaged);
    for (const name of NAMED) {
      const type = read?.named(name);
      if (type) shape(type, 2);
    }
  }
});
