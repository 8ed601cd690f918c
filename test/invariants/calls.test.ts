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
  const calls = () => (attached.save() as MonitorState).calls.open.map((each) => each.function);
  const checked = () =>
    attached.status().find(({ name }) => name === "builder_is_called_rightly")?.checked;
  const before = attached.save();
  for (let i = 0; i < 3; i++) {
    expect(machine.run({ instructions: 1_000_000 })).toMatchObject({ observer: "breakpoint" });
    attached.judgeNext();
    expect(calls()).toEqual(["nested_pages_build"]);
    expect(checked()).toBe(1);
  }
  // Whoever goes back before it, comes by it anew.
  attached.restore(before);
  expect(checked()).toBe(0);
  machine.run({ instructions: 1_000_000 });
  expect([calls(), checked()]).toEqual([["nested_pages_build"], 1]);
  detach();
  for (let i = 0; i < 20 && calls().length > 0; i++) machine.run({ instructions: 10_000 });
  expect(calls()).toEqual([]);
  expect(attached.violations).toEqual([]);
});
