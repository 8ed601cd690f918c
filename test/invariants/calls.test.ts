// Calls and returns of functions, where the machine stops at them.
import { expect, test } from "vitest";
import { Guests } from "../../emulator/index.ts";
import { attachInvariants, readInvariants, type Violation } from "../../invariants/index.ts";
import type { MonitorState } from "../../invariants/monitor.ts";
import { PAE_HYPERVISOR } from "../../scripts/build-minvisor.mjs";
import { ProgramSymbols } from "../../symbols/program.ts";
import { elfOf, imageOf, machineWith, paeHypervisor, programOf, read } from "./boot.ts";
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

test("a struct that a 32-bit function returns where its caller says is its result", () => {
  const program = programOf(PAE_HYPERVISOR);
  const text = `
invariant handled on return handle_fault: result.resume == 1;
invariant skipped on return handle_fault: result.skip in {0, 2};
invariant never_skipped on return handle_fault: result.skip == 0;
invariant low on call handle_fault: ward->exits < 1K - 1K;
invariant built on return nested_init: aligned(result, 32) && result != 0;
`;
  const [file] = readInvariants([{ path: "ward.inv", text }], program);
  expect(file?.diagnostics).toEqual([]);
  const machine = machineWith(paeHypervisor());
  const violations: Violation[] = [];
  const attached = attachInvariants(machine, {
    ...{ invariants: file?.invariants ?? [], program, guests: new Guests(machine) },
    onViolation: (violation) => violations.push(violation),
  });
  machine.run({ instructions: 1_000_000 });
  const told = attached.status().map(({ name, state, checked }) => [name, state, checked]);
  expect(told).toEqual([
    ["handled", "holds", 3],
    ["skipped", "holds", 3],
    ["never_skipped", "violated", 3],
    ["low", "violated", 3],
    ["built", "holds", 1],
  ]);
  // In the words of the text.
  expect(violations).toMatchObject([
    { expected: "ward->exits < (1K - 1K)", actual: expect.stringMatching(/^ward->exits = \S+, /) },
    { invariant: "never_skipped", actual: "result.skip = 2" },
  ]);
});

test("a pointer that a function was given is followed when it has returned", () => {
  const program = programOf(PAE_HYPERVISOR);
  const text = `
invariant counts on return supervise:
  old(ward->exits) < old(ward)->exits && old(ward)->state == WARD_ENDED && old(ward) == &$the_ward;
invariant counts_not on return supervise: old(ward)->exits == old(ward->exits);
`;
  const [file] = readInvariants([{ path: "ward.inv", text }], program);
  expect(file?.diagnostics).toEqual([]);
  const machine = machineWith(paeHypervisor());
  const attached = attachInvariants(machine, {
    ...{ invariants: file?.invariants ?? [], program, guests: new Guests(machine) },
    onViolation: () => {},
  });
  machine.run({ instructions: 1_000_000 });
  const told = attached.status().map(({ name, state, reason }) => [name, state, reason]);
  expect(told).toEqual([
    ["counts", "holds", undefined],
    ["counts_not", "violated", "old(ward)->exits = 0xf, old(ward->exits) = 0"],
  ]);
});
