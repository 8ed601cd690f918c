// Calls and returns of functions, where the machine stops at them.
import { expect, test } from "vitest";
import type { MonitorState } from "../../invariants/monitor.ts";
import { ProgramSymbols } from "../../symbols/program.ts";
import { elfOf, imageOf, machineWith, read } from "./boot.ts";
import { attachAll } from "./minvisor-inv.ts";

test("a call at which the machine stops is one call when it goes on", () => {
  const elf = elfOf();
  const machine = machineWith(imageOf(elf));
  const attached = attachAll(machine, elf);
  const [place] = new ProgramSymbols(read(elf), elf).functionsNamed("nested_pages_build");
  const { engine } = machine.cpu;
  engine.addBreakpoint(place!.body);
  const on = { execute: ({ linear }: { linear: bigint }) => stopAt(linear) };
  const stopAt = (linear: bigint) => (linear === place!.body ? ("stop" as const) : undefined);
  const detach = machine.observe({ name: "breakpoint", on });
  const calls = () => (attached.save() as MonitorState).calls.map((each) => each.function);
  for (let i = 0; i < 3; i++) {
    expect(machine.run({ instructions: 1_000_000 })).toMatchObject({ observer: "breakpoint" });
    expect(calls()).toEqual(["nested_pages_build"]);
  }
  detach();
  for (let i = 0; i < 20 && calls().length > 0; i++) machine.run({ instructions: 10_000 });
  expect(calls()).toEqual([]);
  expect(attached.violations).toEqual([]);
});
