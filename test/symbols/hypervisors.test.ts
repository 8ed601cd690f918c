// All globals and records of the hypervisors that we build, against gdb's view of the same files.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { MINVISOR_ELF, PAE_HYPERVISOR, PAE_WARD_ELF } from "../../scripts/build-minvisor.mjs";
import { type FrameState, fromBytes } from "../../symbols/location.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { sizeOf, stripped, type Type, typeName } from "../../symbols/types.ts";
import { fixtures, gdbSpelling, run } from "./toolchain.ts";

const repository = join(fixtures, "../../..");
const NOWHERE: FrameState = { register: () => undefined, readMemory: () => undefined };

/** Prints, for each name, all that gdb finds of it: records with [name, bit, bits] of each field. */
const SCRIPT = `
import json
def fields(t):
  t = t.strip_typedefs()
  if t.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION): return []
  return [[f.name or "", f.bitpos, f.bitsize] for f in t.fields()]
def place(v):
  return int(v) if v.address is None else int(v.address) # the compiler may keep a constant's value alone
def variable(name):
  found = [*gdb.lookup_static_symbols(name)]
  one = gdb.lookup_global_symbol(name)
  if one is not None: found.append(one)
  return sorted([str(s.type), s.type.sizeof, place(s.value()), fields(s.type)] for s in found if s.symtab and s.type.code != gdb.TYPE_CODE_ERROR)
def record(name):
  t = gdb.lookup_type(name)
  return [t.sizeof, fields(t)]
`;

describe.each([MINVISOR_ELF, PAE_HYPERVISOR, PAE_WARD_ELF])("%s", (file) => {
  const path = join(repository, file);
  let symbols: ProgramSymbols;
  beforeAll(() => {
    symbols = new ProgramSymbols(new Uint8Array(readFileSync(path)), path);
  });

  test("every global has gdb's type, size, place and fields", () => {
    const names = [...symbols.globalNames()];
    const theirs = ask(path, "variable", names);
    const differences = names.filter((name) => {
      const ours = symbols.globalsNamed(name).map(({ type, locate }) => {
        const place = locate(NOWHERE);
        const at = place.kind === "value" ? fromBytes(place.bytes) : undefined;
        const address = place.kind === "memory" ? place.address : at;
        return [gdbSpelling(typeName(type)), sizeOf(type), Number(address), fieldsOf(type)];
      });
      const sorted = ours.map((each) => JSON.stringify(each)).sort();
      const their = [...new Set((theirs[name] as unknown[]).map((each) => JSON.stringify(each)))];
      return JSON.stringify([...new Set(sorted)]) !== JSON.stringify(their.sort());
    });
    expect(differences).toEqual([]);
    expect(names.length).toBeGreaterThan(1);
  });

  test("every record has gdb's size and fields", () => {
    const names = [...symbols.typeNames()]
      .flatMap((name) => [`struct ${name}`, `union ${name}`])
      .filter((name) => symbols.typeNamed(name) !== undefined);
    const theirs = ask(path, "record", names);
    for (const name of names) {
      const type = symbols.typeNamed(name)!;
      expect([sizeOf(type), fieldsOf(type)], name).toEqual(theirs[name]);
    }
    expect(names.length).toBeGreaterThan(0);
  });
});

function ask(path: string, what: string, names: readonly string[]): Record<string, unknown> {
  const call = `print(json.dumps({n: ${what}(n) for n in ${JSON.stringify(names)}}))`;
  const commands = ["-ex", "set language c", "-ex", `python${SCRIPT}${call}`];
  return JSON.parse(run("gdb", ["-batch", "-nx", ...commands, path])) as Record<string, unknown>;
}

function fieldsOf(type: Type): [string, number, number][] {
  const plain = stripped(type);
  if (plain.kind !== "struct" && plain.kind !== "union") return [];
  return plain.members.map(({ name, bitOffset, bitSize }) => [name, bitOffset, bitSize ?? 0]);
}
