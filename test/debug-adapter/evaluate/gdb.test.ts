// Random C expressions have the value and the type that gdb gives them at the same stop.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { evaluate, type Names, type Term } from "../../../debug-adapter/expression/evaluate.ts";
import type { Home } from "../../../debug-adapter/expression/home.ts";
import { objectTerm, valueTerm } from "../../../debug-adapter/expression/object.ts";
import { parse } from "../../../debug-adapter/expression/parser.ts";
import { withBits } from "../../../debug-adapter/place-access.ts";
import { UserError } from "../../../debug-adapter/text.ts";
import type { ValuePlace } from "../../../debug-adapter/value-place.ts";
import { fromBytes, toBytes } from "../../../symbols/location.ts";
import { ProgramSymbols } from "../../../symbols/program.ts";
import { stripped } from "../../../symbols/types.ts";
import { testSeed } from "../../harness/random.ts";
import { type GdbStop, gdbLines, stateOf } from "../../symbols/gdb-stops.ts";
import { type Built, build, compile, fixtures } from "../../symbols/toolchain.ts";
import { RandomExpressions } from "./random-expression.ts";

interface GdbValue {
  readonly kind: "integer" | "pointer" | "float" | "error";
  readonly value: string;
  readonly size: number;
  readonly signed: boolean;
}

/** In `run`, where its locals have their values. */
const LINE =
  readFileSync(join(fixtures, "main.c"), "utf8")
    .split("\n")
    .findIndex((line) => line.includes("total += loop(")) + 1;
const COUNT = 3000;
const ASSIGNMENTS = 1000;

function gdbValues(built: Built, texts: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), "expressions-"));
  try {
    const expressions = join(folder, "expressions.json");
    writeFileSync(expressions, JSON.stringify(texts));
    const script = join(dirname(fileURLToPath(import.meta.url)), "evaluate.py");
    const settings = { place: `"main.c:${LINE}"`, expressions: `"${expressions}"` };
    const [line = ""] = gdbLines(built, script, settings);
    return JSON.parse(line) as { stop: GdbStop; values: GdbValue[] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names of the fixture in the frame of the stop. */
function namesAt(built: Built, stop: GdbStop): Names {
  const symbols = new ProgramSymbols(built.bytes, built.path);
  const home: Home = { state: stateOf(stop, symbols.registers), space: { kind: "hva" } };
  const variables = symbols.framesAt(BigInt(stop.pc))[0]?.variables ?? [];
  const wordSize = built.bits === 64 ? 8 : 4;
  return {
    home,
    types: { wordSize, typeNamed: (name) => symbols.typeNamed(name) },
    register: () => undefined,
    memory: () => ({}),
    store: (place, value) => storeIn(home, place, value),
    name(name) {
      const variable =
        variables.find((each) => each.name === name && !each.isShadowed) ??
        symbols.globalsNamed(name)[0];
      if (variable) return objectTerm(home, variable.type, variable.locate(home.state));
      const found = symbols.enumeratorNamed(name);
      return found && valueTerm(home, found.type, found.value);
    },
  };
}

/** The memory of a stop is a copy that nothing else looks at. */
function storeIn(home: Home, place: ValuePlace, value: bigint | Uint8Array): void {
  if (place.kind !== "memory" || value instanceof Uint8Array) throw new Error("not expected");
  const bytes = home.state.readMemory(place.address, place.size);
  if (bytes === undefined) throw new UserError("not in the copy of memory");
  const whole = place.bits ? withBits(fromBytes(bytes), place.bits, value) : value;
  bytes.set(toBytes(whole, place.size));
}

function ours(text: string, names: Names): GdbValue {
  try {
    return described(evaluate(parse(text, { assignment: true }), names));
  } catch (caught) {
    return { kind: "error", value: (caught as Error).message, size: 0, signed: false };
  }
}

function described({ number, real, size = 0, ctype, unavailable }: Term): GdbValue {
  const type = ctype && stripped(ctype);
  if (real !== undefined) return { kind: "float", value: String(real), size, signed: false };
  if (number === undefined || type === undefined) {
    return { kind: "error", value: unavailable ?? "no number", size: 0, signed: false };
  }
  const kind = type.kind === "pointer" ? "pointer" : "integer";
  const signed = type.kind !== "pointer" && "isSigned" in type && type.isSigned;
  return { kind, value: String(number), size, signed };
}

function isSame(mine: GdbValue, theirs: GdbValue): boolean {
  if (mine.kind !== theirs.kind || mine.size !== theirs.size) return false;
  // Both refuse: through a null pointer, for example.
  if (mine.kind === "error") return true;
  if (mine.kind !== "float") return mine.value === theirs.value && mine.signed === theirs.signed;
  return Number(mine.value) === Number(theirs.value.replace("inf", "Infinity"));
}

test.each([build(64, 5, "-O0"), build(32, 4, "-O0")])(
  "%j: random expressions",
  (wanted) => {
    const built = compile(wanted);
    const seed = testSeed();
    const random = new RandomExpressions(seed);
    const texts = Array.from({ length: COUNT }, () => random.next());
    for (let i = 0; i < ASSIGNMENTS; i++) texts.push(random.assignment());
    const { stop, values } = gdbValues(built, texts);
    const names = namesAt(built, stop);
    let equal = 0;
    const wrong: string[] = [];
    for (const [i, text] of texts.entries()) {
      const theirs = values[i] as GdbValue;
      const mine = ours(text, names);
      if (isSame(mine, theirs)) equal++;
      else wrong.push(`${text}: ${JSON.stringify(mine)}, gdb ${JSON.stringify(theirs)}`);
    }
    const refused = values.filter(({ kind }) => kind === "error").length;
    expect(refused, `seed ${seed}`).toBeLessThan(texts.length / 20);
    console.log(`${built.name}: ${equal} of ${texts.length} equal, seed ${seed}`);
    expect(wrong.slice(0, 20), `seed ${seed}`).toEqual([]);
  },
  60_000,
);
