// Values that only the caller still knows: the register at a function's entry, by its call site.
import { expect, test, vi } from "vitest";
import { CallSites } from "../../symbols/call-sites.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { readValue } from "../../symbols/value.ts";
import { gdbStops, stateOf } from "./gdb-stops.ts";
import { type Build, build, buildOf, compile } from "./toolchain.ts";

const WANTED: readonly Build[] = [build(64, 5, "-O2"), build(64, 4, "-O2"), build(64, 5, "-Og")];

test.each(WANTED.map((each) => buildOf("optimised.c", each)))(
  "$name: as gdb has them",
  (wanted) => {
    const built = compile(wanted);
    const symbols = new ProgramSymbols(built.bytes, built.path);
    const asked = vi.spyOn(CallSites.prototype, "valueAtEntry");
    let right = 0;
    for (const stop of gdbStops(built, 1000, 1)) {
      const state = stateOf(stop, symbols.registers);
      const frame = symbols.framesAt(BigInt(stop.pc))[0];
      for (const variable of frame?.variables ?? []) {
        asked.mockClear();
        const location = variable.locate(state);
        const known = asked.mock.results.some(({ value }) => value !== undefined);
        if (!known) continue;
        const theirs = stop.frames[0]?.variables.find(({ name }) => name === variable.name);
        const { number } = readValue(variable.name, variable.type, location, state);
        expect(number?.toString(), `${frame?.name}.${variable.name} at ${stop.pc}`).toBe(
          theirs?.values[""],
        );
        right++;
      }
    }
    asked.mockRestore();
    expect(right).toBeGreaterThan(20);
  },
);
