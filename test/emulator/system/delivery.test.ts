/** Events and the returns from them, in every mode (APM volume 2, sections 8.6 to 8.9). */
import { describe, expect, it } from "vitest";
import { getFlag, setFlag } from "../../../emulator/state/flags.ts";
import { deliverException, raiseFault } from "../../../emulator/system/delivery.ts";
import { EXCEPTIONS, GuestFault } from "../../../emulator/system/exceptions.ts";
import { interruptReturn } from "../../../emulator/system/iret.ts";
import { type BareMachine, context, instruction } from "./bare-machine.ts";
import { encodeGate, HANDLER, IDT, type Mode, machineIn, STACK, sel } from "./descriptor-tables.ts";

const CASES: readonly (readonly [Mode, 0 | 3, 2 | 4 | 8])[] = [
  ["real", 0, 2],
  ["protected16", 0, 2],
  ["protected32", 0, 4],
  ["protected32", 3, 4],
  ["virtual8086", 3, 4],
  ["compatibility", 0, 8],
  ["compatibility", 3, 8],
  ["long", 0, 8],
  ["long", 3, 8],
];

function returnFrom(machine: BareMachine, size: 2 | 4 | 8): void {
  interruptReturn(instruction(machine, size));
}

describe.each(CASES)("%s mode at CPL %i", (mode, cpl, size) => {
  it("gives back the whole context after an interrupt", () => {
    const machine = machineIn(mode, cpl);
    const { state } = machine;
    setFlag(state, "IF", true);
    setFlag(state, "CF", true);
    const before = context(state);
    expect(deliverException(machine.cpu, 0x21, { type: "INTR" })).toBe(true);
    expect(state.rip).toBe(mode === "real" ? 0x210n : HANDLER + 0x210n);
    expect(state.cpl).toBe(0);
    expect(getFlag(state, "IF")).toBe(false);
    returnFrom(machine, size);
    // Virtual-8086 mode loads the attributes of its data segments anew; they are what they were.
    expect(context(state)).toEqual(before);
    expect(getFlag(state, "CF")).toBe(true);
  });

  it("returns past a software interrupt, and to a fault", () => {
    const machine = machineIn(mode, cpl);
    const { state } = machine;
    const { rip } = state;
    deliverException(machine.cpu, 0x30, { type: "software", insnLength: 2 });
    returnFrom(machine, size);
    expect(state.rip).toBe(rip + 2n);
    state.rip = rip;
    raiseFault(machine.cpu, new GuestFault("UD"));
    returnFrom(machine, size);
    expect(state.rip).toBe(rip);
    // A fault's frame has RF set; real mode pushes only the low 16 bits.
    expect(getFlag(state, "RF")).toBe(size !== 2);
  });

  it("leaves every register alone when the handler is missing", () => {
    const machine = machineIn(mode, cpl);
    const { state } = machine;
    machine.state.idtr.limit = 0;
    const before = context(state);
    expect(deliverException(machine.cpu, 0x21, { type: "INTR" })).toBe(false);
    expect(context(state)).toEqual(before);
    expect(state.shutdown).toBe(1);
  });
});

describe("error codes", () => {
  it.each(["protected32", "long"] as const)("are pushed last, %s", (mode) => {
    const machine = machineIn(mode, 3);
    raiseFault(machine.cpu, new GuestFault("PF", 0x6, 0x1234n));
    const { state } = machine;
    expect(machine.read(Number(state.rsp), mode === "long" ? 8 : 4)).toBe(6n);
    expect(state.cr2).toBe(0x1234n);
    expect(state.rip).toBe(HANDLER + BigInt(EXCEPTIONS.PF.vector * 16));
  });

  it("are not pushed in real mode", () => {
    const machine = machineIn("real");
    raiseFault(machine.cpu, new GuestFault("GP", 0x18));
    expect(machine.state.rsp).toBe(0x3ff0n - 6n);
  });
});

describe("gates", () => {
  it("switch to an IST stack without a change of level", () => {
    const machine = machineIn("long", 0);
    machine.write(IDT + 2 * 16, 8, encodeGate(14, sel("code64"), HANDLER, 0, 1));
    deliverException(machine.cpu, 2, { type: "NMI" });
    expect(machine.state.rsp).toBe(STACK.ist1 - 40n);
    expect(machine.state.ss.selector).toBe(sel("data32"));
    expect(machine.state.nmiBlocked).toBe(1);
  });

  it("align the stack of long mode to 16 bytes", () => {
    const machine = machineIn("long", 0);
    machine.state.rsp = 0x4ff7n;
    deliverException(machine.cpu, 0x21, { type: "INTR" });
    expect(machine.state.rsp).toBe(0x4ff0n - 40n);
    expect(machine.read(Number(machine.state.rsp) + 24, 8)).toBe(0x4ff7n);
  });

  it("keep IF when they are trap gates", () => {
    const machine = machineIn("protected32", 0);
    setFlag(machine.state, "IF", true);
    machine.write(IDT + 3 * 8, 8, encodeGate(15, sel("code32"), HANDLER));
    deliverException(machine.cpu, 3, { checkGate: true, insnLength: 1 });
    expect(getFlag(machine.state, "IF")).toBe(true);
  });

  it("refuse software interrupts from outside their DPL", () => {
    const machine = machineIn("long", 3);
    machine.write(IDT + 0x21 * 16, 8, encodeGate(14, sel("code64"), HANDLER, 0));
    expect(deliverException(machine.cpu, 0x21, { type: "software", insnLength: 2 })).toBe(false);
    expect(machine.state.rip).toBe(HANDLER + BigInt(EXCEPTIONS.GP.vector * 16));
    expect(machine.read(Number(machine.state.rsp), 8)).toBe(BigInt(0x21 * 8 + 2));
    // #GP returns to INT n itself.
    expect(machine.read(Number(machine.state.rsp) + 8, 8)).toBe(0x4000n);
  });

  it("stop the machine when they are task gates", () => {
    const machine = machineIn("protected32", 0);
    machine.write(IDT + 8 * 8, 8, encodeGate(5, 0x38, 0n));
    deliverException(machine.cpu, "DF");
    expect(machine.stops[0]).toMatchObject({ kind: "notImplemented" });
  });
});

describe("IRET", () => {
  it("makes inner data segments null on the way out", () => {
    const machine = machineIn("protected32", 3);
    deliverException(machine.cpu, 0x21, { type: "INTR" });
    machine.state.ds.selector = sel("data32");
    machine.state.ds.attributes = 0xc93;
    returnFrom(machine, 4);
    expect(machine.state.ds.selector).toBe(0);
    expect(machine.state.es.selector).toBe(sel("userData32") | 3);
  });

  it("keeps IF and IOPL from CPL 3", () => {
    const machine = machineIn("long", 3);
    for (const value of [sel("userData32") | 3, machine.state.rsp, 0x3202, sel("userCode64") | 3]) {
      machine.state.rsp -= 8n;
      machine.write(Number(machine.state.rsp), 8, value);
    }
    machine.state.rsp -= 8n;
    machine.write(Number(machine.state.rsp), 8, 0x4444n);
    returnFrom(machine, 8);
    expect(machine.state.rip).toBe(0x4444n);
    expect(machine.state.flagsOther).toBe(2n);
  });

  it("lets NMIs in again, but not when it faults", () => {
    const machine = machineIn("long", 0);
    deliverException(machine.cpu, 2, { type: "NMI" });
    const { rsp } = machine.state;
    machine.state.rsp = 0x8000_0000_0000n;
    expect(() => returnFrom(machine, 8)).toThrow(GuestFault);
    expect(machine.state.nmiBlocked).toBe(1);
    machine.state.rsp = rsp;
    returnFrom(machine, 8);
    expect(machine.state.nmiBlocked).toBe(0);
  });

  it("faults in long mode with NT set", () => {
    const machine = machineIn("long", 0);
    setFlag(machine.state, "NT", true);
    expect(() => returnFrom(machine, 8)).toThrow(GuestFault);
  });
});
