/** How terms are evaluated: what an evaluation looks at, and how often. */
import { expect, test } from "vitest";
import { Guests } from "../../emulator/index.ts";
import { compile, makeFrame } from "../../invariants/evaluate/compile.ts";
import { EventViews } from "../../invariants/event-view.ts";
import { declaredMemory } from "../../invariants/hypervisor-memory.ts";
import { readInvariants } from "../../invariants/index.ts";
import * as small from "./small-hypervisor.ts";

function evaluate(body: string) {
  const text = `define both(n: integer) = n + cpu.rip; invariant a on vmrun : ${body};`;
  const [file] = readInvariants([{ path: "a.inv", text }], undefined);
  expect(file?.diagnostics).toEqual([]);
  const machine = small.smallHypervisor();
  const memory = declaredMemory([small.IMAGE]);
  const view = new EventViews(machine, new Guests(machine), undefined, memory).view("vmrun");
  const frame = makeFrame(view);
  return { value: compile(file!.invariants[0]!.body)(frame), reads: frame.reads.length };
}

test.each([
  ["forall i in integers(0, 100) : cpu.rip + i >= cpu.rip", true],
  ["exists i in integers(0, 100) : cpu.rip + 99 == cpu.rip + i", true],
  ["count(i in integers(0, 100) if i < cpu.rip : cpu.rip > 5) == 99", false],
  ["forall i in integers(0, 100) : let rip = cpu.rip + i : rip <= both(i)", true],
])("what depends on no element is read once: %s", (body, value) => {
  const few = evaluate(body);
  expect(few.value).toBe(value);
  expect(evaluate(body.replaceAll("100", "1000")).reads).toBe(few.reads);
});
