// Steps programs under gdb and compares frames, variables, types and values at every stop.
import { describe, expect, test } from "vitest";
import type { SourceFrame } from "../../symbols/image-symbols.ts";
import type { FrameState } from "../../symbols/location.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { stripped, typeName } from "../../symbols/types.ts";
import { readValue, type Value } from "../../symbols/value.ts";
import type { Variable } from "../../symbols/variable.ts";
import { type GdbFrame, type GdbStop, type GdbVariable, gdbStops, stateOf } from "./gdb-stops.ts";
import { BUILDS, type Build, build, buildOf, compile, gdbSpelling } from "./toolchain.ts";

/** Reasons for which we may have no value where gdb has one; each is honest and none is a value. */
const NOT_YET = /^not available yet|^not stored yet|pointer to a variable|not known (here|in this)/;

/** Of an array whose length the program computes we show no elements. */
const UNKNOWN_LENGTH = "[]";

/** What the sources pass for some parameters at each call. */
const GIVEN: Readonly<Record<string, Record<string, Record<string, bigint>>>> = {
  "main.c": { loop: { length: 5n, seed: 4n }, move: { odd: 3n }, scale: { start: 2n } },
  "optimised.c": {
    last: { other: 99n },
    halves: { by: 3n },
    sum_matrix: { scale: 3n },
    variable_length: { count: 5n },
  },
};

interface Tally {
  readonly wrong: string[];
  equal: number;
  optimisedOut: number;
  notYet: number;
}

const OPTIMISED: readonly Build[] = [64 as const, 32 as const].flatMap((bits) =>
  [4, 5].flatMap((dwarf) =>
    ["-O0", "-Og", "-O2"].map((level) => buildOf("optimised.c", build(bits, dwarf, level))),
  ),
);

describe.each([...BUILDS, ...OPTIMISED])("under gdb, $name", (wanted) => {
  const built = compile(wanted);
  const symbols = new ProgramSymbols(built.bytes, built.path);
  const stops = gdbStops(built, 1000, 1);

  test("has gdb's stack and the same variables with the same values", () => {
    const tally: Tally = { wrong: [], equal: 0, optimisedOut: 0, notYet: 0 };
    for (const stop of stops) compareStop(symbols, stop, tally);
    expect(tally.wrong.slice(0, 20)).toEqual([]);
    expect(stops.length).toBeGreaterThan(100);
    expect(tally.equal).toBeGreaterThan(1000);
    expect(tally.notYet).toBeLessThan(tally.equal / 3);
    expect(symbols.problems).toEqual([]);
  });

  // Ground truth of the source, where gdb itself shows what the stack held before.
  test("never shows a parameter's value before the prologue has stored it", () => {
    const expected = GIVEN[wanted.source ?? "main.c"]!;
    let seen = 0;
    for (const stop of stops) {
      const frame = symbols.framesAt(BigInt(stop.pc)).at(-1);
      for (const [name, value] of Object.entries(expected[frame?.name ?? ""] ?? {})) {
        const variable = frame!.variables.find((each) => each.name === name)!;
        const state = stateOf(stop, symbols.registers);
        const read = readValue(name, variable.type, variable.locate(state), state);
        if (read.unavailable !== undefined) continue;
        expect(read.number ?? BigInt(read.text), `${name} at ${stop.pc}`).toBe(value);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(20);
  });
});

function compareStop(symbols: ProgramSymbols, stop: GdbStop, tally: Tally): void {
  let pc = BigInt(stop.pc);
  let state = stateOf(stop, symbols.registers);
  let theirs = [...stop.frames];
  for (let depth = 0; theirs.length > 0 && depth < 64; depth++) {
    const at = depth === 0 ? pc : pc - 1n;
    const frames = symbols.framesAt(at);
    const count = theirs.findIndex((frame) => !frame.inlined) + 1;
    const machine = theirs.slice(0, count);
    theirs = theirs.slice(count);
    const where = `${stop.pc} depth ${depth}`;
    if (pc !== BigInt(machine.at(-1)!.pc)) tally.wrong.push(`${where}: pc ${pc} ${machine[0]!.pc}`);
    if (frames.length > 0) compareFrames(frames, machine, depth, state, tally, where);
    if (theirs.length === 0) return;
    const caller = symbols.unwind(at, state);
    if (caller.kind !== "caller") {
      tally.wrong.push(`${where}: unwinding ends with ${JSON.stringify(caller)}`);
      return;
    }
    ({ pc, state } = caller);
  }
}

function compareFrames(
  frames: readonly SourceFrame[],
  theirs: readonly GdbFrame[],
  depth: number,
  state: FrameState,
  tally: Tally,
  where: string,
): void {
  // At the first instruction of an inlined call gdb, when stepping, still shows the caller alone.
  const skipped = depth === 0 ? frames.length - theirs.length : 0;
  for (const [i, frame] of frames.slice(Math.max(0, skipped)).entries()) {
    const their = theirs[i];
    if (frame.name !== their?.name) tally.wrong.push(`${where}: ${frame.name} ${their?.name}`);
    if (!their) return;
    if (frame.location?.line !== their.line && skipped === 0) {
      tally.wrong.push(`${where}: ${frame.name} line ${frame.location?.line} ${their.line}`);
    }
    compareVariables(frame, their, state, tally, where);
  }
}

function compareVariables(
  frame: SourceFrame,
  theirs: GdbFrame,
  state: FrameState,
  tally: Tally,
  where: string,
): void {
  // Where two have one name, gdb lists that of the inner block first.
  const left = [...frame.variables].sort((a, b) => Number(a.isShadowed) - Number(b.isShadowed));
  for (const their of theirs.variables) {
    const index = left.findIndex((each) => each.name === their.name);
    const label = `${where}: ${frame.name}.${their.name}`;
    if (index < 0) {
      // gdb also lists variables of blocks of which no code is left, always optimised out.
      const isEmpty = Object.values(their.values).every((value) => value === null);
      if (!isEmpty) tally.wrong.push(`${label} is missing`);
    } else compareVariable(left.splice(index, 1)[0]!, their, state, tally, label);
  }
  // gdb leaves out a variable that has no location anywhere; we say that it is optimised out.
  const extras = left.filter(({ locate }) => locate(state).kind !== "unavailable");
  for (const extra of extras) tally.wrong.push(`${where}: ${frame.name}.${extra.name} is extra`);
}

function compareVariable(
  variable: Variable,
  their: GdbVariable,
  state: FrameState,
  tally: Tally,
  label: string,
): void {
  const type = gdbSpelling(typeName(variable.type));
  if (type !== their.type.replace("[variable length]", UNKNOWN_LENGTH))
    tally.wrong.push(`${label}: type ${type}, gdb ${their.type}`);
  const location = variable.locate(state);
  const ours = new Map<string, Value>();
  flatten(readValue("", variable.type, location, state, { hex: false }), variable, ours);
  for (const [path, text] of Object.entries(their.values)) {
    const value = ours.get(path) ?? ours.get("");
    if (text?.startsWith("error") || (value === undefined && type.endsWith(UNKNOWN_LENGTH))) {
      tally.notYet++;
      continue;
    }
    const shown = value && (value.unavailable ?? value.number?.toString() ?? `float ${value.text}`);
    if (value?.unavailable !== undefined) {
      if (text === null) tally.optimisedOut++;
      else if (NOT_YET.test(value.unavailable)) tally.notYet++;
      else tally.wrong.push(`${label}${path}: ${shown}, gdb ${text}`);
    } else if (isSame(shown, text)) tally.equal++;
    else tally.wrong.push(`${label}${path}: ${shown}, gdb ${text}`);
  }
}

function isSame(ours: string | undefined, theirs: string | null): boolean {
  if (ours === undefined || theirs === null) return false;
  if (!theirs.startsWith("float ")) return ours === theirs;
  return Number(ours.slice(6)) === Number(theirs.slice(6)) || theirs === "float nan";
}

/** Scalars by path, as observe.py names them. */
function flatten(value: Value, variable: Variable, into: Map<string, Value>): void {
  const walk = (at: Value, path: string, type: Variable["type"], depth: number): void => {
    const plain = stripped(type);
    if (at.unavailable === undefined && plain.kind === "array") {
      for (const [i, child] of at.children(0, 8).entries()) {
        walk(child, `${path}[${i}]`, plain.element, depth + 1);
      }
    } else if (at.unavailable === undefined && "members" in plain) {
      for (const [i, child] of at.children().entries()) {
        walk(child, `${path}.${child.name}`, plain.members[i]!.type, depth + 1);
      }
    } else into.set(path, at);
  };
  walk(value, "", variable.type, 0);
}
