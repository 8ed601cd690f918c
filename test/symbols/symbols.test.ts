// Compares ELF symbols, function lookups, globals and types with readelf, nm, objdump and gdb.
import { describe, expect, test } from "vitest";
import { readElf, readSymbols } from "../../symbols/elf.ts";
import type { FrameState } from "../../symbols/location.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { sizeOf, stripped, type Type, typeName } from "../../symbols/types.ts";
import { readValue } from "../../symbols/value.ts";
import { BUILDS, type Built, build, compile, fixtures, gdbSpelling, run } from "./toolchain.ts";

describe.each(BUILDS)("symbols of $name", (wanted) => {
  const built = compile(wanted);
  const symbols = new ProgramSymbols(built.bytes, built.path);

  test("are those of readelf -s", () => {
    const ours = readSymbols(readElf(built.bytes, built.path)).map((each) => {
      const kind = { none: "NOTYPE", function: "FUNC" }[each.kind as string];
      const section = { 0: "UND", 65521: "ABS" }[each.section] ?? `${each.section}`;
      const address = each.address.toString(16).padStart(wanted.bits / 4, "0");
      return [address, each.size, kind ?? each.kind.toUpperCase(), section, each.name].join(" ");
    });
    const text = run("readelf", ["-sW", built.path]);
    const rows = text.matchAll(/^ +\d+: (\w+) +(\S+) (\w+) +\w+ +\w+ +(\w+) ?(.*)$/gm);
    const theirs = [...rows].map(([, address, size, kind, section, name]) => {
      const shown = kind === "SECTION" || (kind === "FILE" && section === "UND") ? "" : name;
      return [address, Number(size), kind, section, shown].join(" ");
    });
    expect(ours.map(withoutSectionName)).toEqual(theirs.slice(1).map(withoutSectionName));
  });

  test("name every instruction as objdump does", () => {
    const text = run("objdump", ["-d", "--no-show-raw-insn", built.path]);
    let name = "";
    let count = 0;
    for (const line of text.split("\n")) {
      name = /^[0-9a-f]+ <(.+)>:$/.exec(line)?.[1] ?? name;
      const address = /^ +([0-9a-f]+):\t/.exec(line)?.[1];
      if (!address || /\t(xchg +%ax|nop|data16|cs nop|lea +0x0\(%esi)/.test(line)) continue;
      expect(symbols.functionAt(BigInt(`0x${address}`))?.name).toBe(name.split(".")[0]);
      count++;
    }
    expect(count).toBeGreaterThan(100);
  });

  test("find functions by name where nm and gdb do", () => {
    const rows = run("nm", [built.path]).matchAll(/^([0-9a-f]+) [tT] (\w+)$/gm);
    for (const [, address, name] of rows) {
      const places = symbols.functionsNamed(name!).filter((each) => !each.isInlined);
      expect(places.map((each) => each.address)).toContain(BigInt(`0x${address}`));
    }
    expect(symbols.functionsNamed("nowhere")).toEqual([]);
    for (const name of ["helper", "move", "factorial", "loop", "choose", "scale", "run"]) {
      const text = run("gdb", ["-batch", "-nx", "-ex", `break ${name}`, built.path]);
      const theirs = /^Breakpoint 1 at (0x[0-9a-f]+)/m.exec(text)?.[1];
      expect(symbols.functionsNamed(name)[0]?.body).toBe(BigInt(theirs!));
    }
  });

  test("have the globals, values and record layouts of gdb", () => {
    const names = ["counter", "origin", "names", "ratio", "wide", "allowed", "nodes", "table"];
    names.push("chain", "hidden", "halves");
    const theirs = JSON.parse(gdbTypes(built, names)) as Record<string, GdbType>;
    const elf = readElf(built.bytes, built.path);
    for (const name of names) {
      const [variable] = symbols.globalsNamed(name);
      const expected = theirs[name]!;
      expect(gdbSpelling(typeName(variable!.type))).toBe(expected.name);
      expect(fieldsOf(variable!.type)).toEqual(expected.fields);
      expect(sizeOf(variable!.type)).toBe(expected.size);
      expect(variable!.locate(stateless(elf))).toEqual({
        kind: "memory",
        address: BigInt(expected.address),
      });
    }
  });
});

test("types are found by their C name", () => {
  const built = compile(build(64, 5, "-O2"));
  const symbols = new ProgramSymbols(built.bytes, built.path);
  expect(symbols.typeNamed("struct packed_bits")).toMatchObject({ kind: "struct", size: 8 });
  expect(symbols.typeNamed("u8")).toMatchObject({ kind: "typedef" });
  expect(symbols.typeNamed("struct opaque")).toMatchObject({ isIncomplete: true });
  expect(symbols.typeNamed("struct nowhere")).toBeUndefined();
});

test("the build id is readelf's", () => {
  const built = compile(build(64, 5, "-O0"));
  const theirs = /Build ID: (\w+)/.exec(run("readelf", ["-n", built.path]))?.[1];
  expect(new ProgramSymbols(built.bytes, built.path).buildId).toBe(theirs);
});

test("an unsized label of assembly is found behind sized functions", () => {
  const built = compile(build(64, 5, "-O0"));
  const symbols = new ProgramSymbols(built.bytes, built.path);
  const [label] = symbols.symbols.named("unsized_label");
  expect(symbols.functionAt(label!.address + 1n)).toMatchObject({
    name: "unsized_label",
    offset: 1n,
    end: undefined,
    source: "symbol",
  });
  expect(symbols.sourceAt(label!.address + 1n)?.path).toBe(`${fixtures}/entry.S`);
  expect(symbols.functionAt(0x10n)).toBeUndefined();
});

test("values read as a person expects them", () => {
  const built = compile(build(64, 5, "-O0"));
  const symbols = new ProgramSymbols(built.bytes, built.path);
  const state = stateless(readElf(built.bytes, built.path));
  const show = (name: string) => {
    const [variable] = symbols.globalsNamed(name);
    return readValue(name, variable!.type, variable!.locate(state), state);
  };
  const lines = (name: string) =>
    show(name)
      .children()
      .map((each) => `${each.name} = ${each.text}`);
  expect(show("counter").text).toBe("0x7");
  expect(show("wide").text).toBe("0x123456789abcdef0");
  expect(show("ratio").text).toBe("1.5");
  expect(show("allowed").text).toBe("READ | EXECUTE");
  expect(lines("halves")).toEqual(["[0] = 0.5", "[1] = -2.25"]);
  expect(lines("origin")).toEqual(["x = 0x3", "y = 0xfffffffc"]);
  expect(show("names").children()[1]?.text).toMatch(/^0x[0-9a-f]+ "one"$/);
  const node = show("nodes").children()[0]!;
  const member = (name: string) => node.children().find((each) => each.name === name)!;
  expect(
    member("bits")
      .children()
      .map((each) => each.text),
  ).toEqual(["0x1", "0x0", "0x6", "0x123456789", "0x55 'U'"]);
  expect(member("bits").children()[1]?.address).toBeUndefined();
  expect(member("color").text).toBe("BLUE");
  expect(member("is_set").text).toBe("true");
  expect(member("tag").text).toBe('"tagged"');
  expect(
    member("grid")
      .children()[1]
      ?.children(1, 1)
      .map((each) => each.text),
  ).toEqual(["0x5"]);
  expect(show("hidden").children()[0]?.unavailable).toBe("the type is only declared");
  const next = show("nodes").children()[1]!.children()[0]!;
  expect(next.children()[0]?.children()[1]?.text).toContain('"first"');
});

interface GdbType {
  readonly name: string;
  readonly size: number;
  readonly address: string;
  readonly fields: readonly (readonly [string, number, number, string])[];
}

/** Name, bit position, bit size (0 if no bit field) and type of each member of a record. */
function fieldsOf(type: Type) {
  let plain = stripped(type);
  while (plain.kind === "array") plain = stripped(plain.element);
  if (plain.kind !== "struct" && plain.kind !== "union") return [];
  return plain.members.map((each) => {
    const name = gdbSpelling(typeName(each.type));
    return [each.name, each.bitOffset, each.bitSize ?? 0, name];
  });
}

function gdbTypes(built: Built, names: readonly string[]): string {
  const script = `
import json
out = {}
for name in ${JSON.stringify(names)}:
  value = gdb.parse_and_eval(name)
  record = value.type.strip_typedefs()
  while record.code == gdb.TYPE_CODE_ARRAY:
    record = record.target().strip_typedefs()
  fields = record.fields() if record.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) else []
  out[name] = {"name": str(value.type), "size": value.type.sizeof,
    "address": str(int(value.address)),
    "fields": [[f.name or "", f.bitpos, f.bitsize, str(f.type)] for f in fields]}
print(json.dumps(out))`;
  return run("gdb", [
    "-batch",
    "-nx",
    "-ex",
    "set language c",
    "-ex",
    `python${script}`,
    built.path,
  ]);
}

/** Memory as the file initialises it; no registers. */
function stateless(elf: ReturnType<typeof readElf>): FrameState {
  return {
    register: () => undefined,
    readMemory(address, length) {
      for (const { virtualAddress, offset, memorySize, fileSize, type } of elf.segments) {
        const at = address - virtualAddress;
        if (type !== 1 || at < 0n || at + BigInt(length) > memorySize) continue;
        const bytes = new Uint8Array(length);
        const start = offset + Number(at);
        bytes.set(elf.bytes.subarray(start, Math.min(start + length, offset + fileSize)));
        return bytes;
      }
      return undefined;
    },
  };
}

/** readelf shows a section's name for its symbol, which has none. */
function withoutSectionName(row: string): string {
  return row.replace(/ SECTION (\w+) .*$/, " SECTION $1 ");
}
