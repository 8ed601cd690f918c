/** Loads of segment registers and accesses through them (APM volume 2, sections 4.5 to 4.12). */
import { describe, expect, it } from "vitest";
import { GuestFault } from "../../../emulator/system/exceptions.ts";
import { checkAccess, deriveSegmentLimits } from "../../../emulator/system/segment-access.ts";
import { loadLdtr, loadSegment, loadTaskRegister } from "../../../emulator/system/segments.ts";
import type { BareMachine } from "./bare-machine.ts";
import {
  encodeDescriptor,
  GDT,
  LDT,
  LDT_SELECTOR,
  machineIn,
  place,
  sel,
  TSS_SELECTOR,
} from "./descriptor-tables.ts";

/** "GP(18)", or "" where nothing faults. */
function outcome(body: () => void): string {
  try {
    body();
    return "";
  } catch (fault) {
    if (!(fault instanceof GuestFault)) throw fault;
    return `${fault.exception}(${fault.errorCode.toString(16)})`;
  }
}

const load = (machine: BareMachine, register: "ss" | "ds", selector: number): string =>
  outcome(() => loadSegment(machine.cpu, register, selector));

describe("loading DS in protected mode", () => {
  it.each([
    ["data32", 0, 0, ""],
    ["userData32", 3, 0, ""],
    ["data32", 0, 3, "GP(10)"],
    ["data32", 3, 0, "GP(10)"],
    ["code32", 0, 0, ""],
    ["conforming", 3, 3, ""],
    ["executeOnly", 0, 0, "GP(80)"],
    ["readOnly", 0, 0, ""],
    ["absentData", 0, 0, "NP(78)"],
  ] as const)("%s with RPL %i at CPL %i: %s", (name, rpl, cpl, wanted) => {
    const machine = machineIn("protected32", cpl);
    expect(load(machine, "ds", sel(name) | rpl)).toBe(wanted);
  });

  it("faults outside the table, on a system descriptor, and on an absent LDT", () => {
    const machine = machineIn("protected32");
    machine.state.gdtr.limit = sel("freshData") + 6;
    expect(load(machine, "ds", sel("freshData"))).toBe("GP(90)");
    expect(load(machine, "ds", TSS_SELECTOR)).toBe("GP(38)");
    expect(load(machine, "ds", 0xc)).toBe("GP(c)");
  });

  it("sets the accessed bit in memory", () => {
    const machine = machineIn("protected32");
    load(machine, "ds", sel("freshData"));
    expect(machine.read(GDT + sel("freshData") + 5, 1)).toBe(0x93n);
    expect(machine.state.ds.attributes).toBe(0xc93);
  });

  it("takes the LDT where the selector says so", () => {
    const machine = machineIn("protected32");
    loadLdtr(machine.cpu, LDT_SELECTOR);
    machine.write(LDT + 8, 8, encodeDescriptor(0x1_2345_6000n & 0xffff_ffffn, 0x10, 0x493));
    load(machine, "ds", 0xc);
    expect(machine.state.ds).toMatchObject({ selector: 0xc, base: 0x2345_6000n, limit: 0x10 });
  });
});

describe("loading SS", () => {
  it.each([
    ["data32", 0, ""],
    ["data32", 3, "GP(10)"],
    ["userData32", 3, "GP(20)"],
    ["readOnly", 0, "GP(88)"],
    ["code32", 0, "GP(8)"],
    ["absentData", 0, "SS(78)"],
  ] as const)("%s with RPL %i at CPL 0: %s", (name, rpl, wanted) => {
    expect(load(machineIn("protected32"), "ss", sel(name) | rpl)).toBe(wanted);
  });

  it("may be null in 64-bit mode only, at the RPL of CPL", () => {
    expect(load(machineIn("protected32"), "ss", 0)).toBe("GP(0)");
    expect(load(machineIn("compatibility"), "ss", 0)).toBe("GP(0)");
    expect(load(machineIn("long"), "ss", 0)).toBe("");
    expect(load(machineIn("long"), "ss", 3)).toBe("GP(0)");
    expect(load(machineIn("long", 3), "ss", 3)).toBe("GP(0)");
  });
});

describe("null selectors", () => {
  it("keep base and limit and make every access fault", () => {
    const machine = machineIn("protected32");
    machine.state.ds.base = 0x1234n;
    load(machine, "ds", 1);
    expect(machine.state.ds).toMatchObject({ selector: 1, attributes: 0, base: 0x1234n });
    expect(outcome(() => checkAccess(machine.state, "ds", 0n, 1, false))).toBe("GP(0)");
  });
});

describe("real and virtual-8086 mode", () => {
  it("real mode keeps limit and attributes", () => {
    const machine = machineIn("real");
    machine.state.ds.limit = 0xffff_ffff;
    load(machine, "ds", 0x1234);
    expect(machine.state.ds).toMatchObject({
      selector: 0x1234,
      base: 0x12340n,
      limit: 0xffff_ffff,
    });
  });

  it("virtual-8086 mode sets them", () => {
    const machine = machineIn("virtual8086");
    machine.state.ds.limit = 0xffff_ffff;
    load(machine, "ds", 0x1234);
    expect(machine.state.ds).toMatchObject({ base: 0x12340n, limit: 0xffff, attributes: 0xf3 });
  });
});

describe("LTR and LLDT", () => {
  it("mark the TSS busy and refuse it the second time", () => {
    const machine = machineIn("long");
    loadTaskRegister(machine.cpu, TSS_SELECTOR);
    expect(machine.state.tr.attributes & 0xf).toBe(11);
    expect(outcome(() => loadTaskRegister(machine.cpu, TSS_SELECTOR))).toBe("GP(38)");
  });

  it("read sixteen bytes in long mode", () => {
    const machine = machineIn("long");
    machine.write(GDT + LDT_SELECTOR + 8, 8, 0xffff_8000n);
    loadLdtr(machine.cpu, LDT_SELECTOR);
    expect(machine.state.ldtr.base).toBe(0xffff_8000_0000_3800n);
    machine.write(GDT + LDT_SELECTOR + 8, 8, 0x1234_5678n);
    expect(outcome(() => loadLdtr(machine.cpu, LDT_SELECTOR))).toBe("GP(a0)");
  });

  it("refuse null, the LDT, and the wrong type", () => {
    const machine = machineIn("protected32");
    expect(outcome(() => loadTaskRegister(machine.cpu, 0))).toBe("GP(0)");
    expect(outcome(() => loadTaskRegister(machine.cpu, 0xc))).toBe("GP(c)");
    expect(outcome(() => loadTaskRegister(machine.cpu, LDT_SELECTOR))).toBe("GP(a0)");
    expect(outcome(() => loadLdtr(machine.cpu, TSS_SELECTOR))).toBe("GP(38)");
  });
});

describe("accesses", () => {
  it.each([
    ["data32", 0xffff_fffen, 2, true, ""],
    ["data32", 0xffff_ffffn, 2, true, "GP(0)"],
    ["data16", 0xfffen, 2, true, ""],
    ["data16", 0xffffn, 2, false, "GP(0)"],
    ["readOnly", 0n, 1, true, "GP(0)"],
    ["executeOnly", 0n, 1, false, "GP(0)"],
    ["code32", 0n, 1, true, "GP(0)"],
    ["expandDown", 0x3fffn, 1, true, "GP(0)"],
    ["expandDown", 0x4000n, 4, true, ""],
    ["expandDown", 0xffff_fffdn, 4, true, "GP(0)"],
  ] as const)("%s at %s, %i bytes, write %s: %s", (name, offset, size, write, wanted) => {
    const machine = machineIn("protected32");
    place(machine, "ds", name, 0);
    const { state } = machine;
    expect(outcome(() => checkAccess(state, "ds", offset, size, write))).toBe(wanted);
    // The derived limit never passes what the full check refuses.
    deriveSegmentLimits(state);
    const limit = BigInt.asIntN(64, write ? state.dsWriteLimit : state.dsReadLimit);
    const fast = offset + BigInt(size) - 1n <= limit;
    expect(fast && wanted !== "").toBe(false);
  });

  it("fault as #SS through SS, and at addresses that are not canonical", () => {
    const machine = machineIn("long");
    const { state } = machine;
    const high = 0x8000_0000_0000n;
    expect(outcome(() => checkAccess(state, "ss", high, 1, false))).toBe("SS(0)");
    expect(outcome(() => checkAccess(state, "ds", high, 1, false))).toBe("GP(0)");
    expect(outcome(() => checkAccess(state, "ds", high - 4n, 8, false))).toBe("GP(0)");
    state.fs.base = 0xffff_8000_0000_0000n;
    state.ds.base = 0x10n;
    expect(checkAccess(state, "fs", 8n, 8, false)).toBe(0xffff_8000_0000_0008n);
    expect(checkAccess(state, "ds", 8n, 8, false)).toBe(8n);
  });

  it.each([
    ["data32", 0xffff_ffffn],
    ["data16", 0xffffn],
  ] as const)("move the stack pointer of %s within its width", (name, mask) => {
    const machine = machineIn("protected32");
    place(machine, "ss", name, 0);
    deriveSegmentLimits(machine.state);
    expect(machine.state.stackMask).toBe(mask);
  });
});
