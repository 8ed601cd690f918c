/** How terms are evaluated: what an evaluation looks at, how often, and what stays of it. */
import { expect, test } from "vitest";
import { Guests, type Machine, msrValue, writeMsr } from "../../emulator/index.ts";
import { compile, makeFrame } from "../../invariants/evaluate/compile.ts";
import { Reads } from "../../invariants/evaluate/reads.ts";
import { EventViews } from "../../invariants/event-view.ts";
import { declaredMemory } from "../../invariants/hypervisor-memory.ts";
import { readInvariants } from "../../invariants/index.ts";
import * as small from "./small-hypervisor.ts";
import { attachSvm } from "./svm.ts";

function evaluate(body: string) {
  const text = `define both(n: integer) = n + cpu.rip; invariant a on vmrun : ${body};`;
  const [file] = readInvariants([{ path: "a.inv", text }], undefined);
  expect(file?.diagnostics).toEqual([]);
  const machine = small.smallHypervisor();
  const memory = declaredMemory([small.IMAGE]);
  const view = new EventViews(machine, new Guests(machine), undefined, memory).view("vmrun");
  const reads = new Reads();
  const frame = makeFrame(view, undefined, reads);
  return { value: compile(file!.invariants[0]!.body)(frame), reads: reads.size };
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

/** Of the small hypervisor after some turns of VMRUN and exit, each after a change. */
function judged(invariant: string, change: (machine: Machine, turn: number) => void, turns = 4) {
  const [file] = readInvariants(
    [{ path: "a.inv", text: `invariant a on ${invariant};` }],
    undefined,
  );
  expect(file?.diagnostics).toEqual([]);
  const machine = small.smallHypervisor();
  const attached = attachSvm(machine, { invariants: file!.invariants });
  for (let turn = 0; turn < turns; turn++) {
    change(machine, turn);
    machine.run({ instructions: small.TURN });
  }
  const [status] = attached.status();
  return { ...status, ...attached.counters(), violations: attached.violations.length };
}

const TSC_AUX = 0xc000_0103;

function msr(machine: Machine, index: number, value: bigint): void {
  const before = msrValue(machine.cpu, index);
  writeMsr(machine.cpu, index, value);
  machine.observers.emit("msr", { index, write: true, value, before, guest: false });
}

test("an earlier value at a write event is that of the last one of its kind", () => {
  const grows = "msr_write(TSC_AUX) from reset : old(written.after) < written.after";
  const found = judged(grows, (machine, turn) => {
    msr(machine, TSC_AUX, BigInt(turn));
    msr(machine, 0x277, 0n);
  });
  expect(found).toMatchObject({ state: "holds", checked: 3, violations: 0 });
  const last = judged(grows, (machine, turn) => msr(machine, TSC_AUX, BigInt(turn % 3)));
  expect(last).toMatchObject({ state: "violated", checked: 3, violations: 1 });
});

test.each([
  // What else the host's registers do is nothing to them.
  ["vmrun, exit : host.cr3 != 0 && host.save_area != vmcb.range", 1],
  ["vmrun : exit.code == NPF => cpu.rsi == old(cpu.rsi)", 2],
  ["vmrun, exit : cpu.rsi >= old(cpu.rsi)", 8],
  ["vmrun : forall p in integers(0, 0x100) : !port_intercepted(p)", 1],
])("evaluated again only where something that was read changed: %s", (invariant, evaluations) => {
  const found = judged(invariant, (machine, turn) => {
    machine.state.rsi = BigInt(turn);
  });
  expect(found).toMatchObject({ evaluations, violations: 0 });
});
