/** Far jumps, calls and returns, run as instructions (APM volume 3, their pages). */
import { describe, expect, it } from "vitest";
import { context } from "./bare-machine.ts";
import {
  CALL_GATE,
  encodeGate,
  GDT,
  machineIn,
  place,
  STACK,
  sel,
  TSS_SELECTOR,
} from "./descriptor-tables.ts";

const low = (value: number): number => value & 0xff;
/** Immediate far pointer with a 32-bit offset. */
const pointer32 = (selector: number, offset: number): number[] => [
  ...[0, 8, 16, 24].map((shift) => low(offset >> shift)),
  low(selector),
  low(selector >> 8),
];

describe("direct far transfers", () => {
  it.each([
    ["code32", 0, ""],
    ["code32", 3, "GP(8)"],
    ["conforming", 0, ""],
    ["userCode32", 3, "GP(18)"],
    ["data32", 0, "GP(10)"],
    ["absentCode", 0, "NP(98)"],
  ] as const)("JMP to %s with RPL %i at CPL 0: %s", (name, rpl, wanted) => {
    const machine = machineIn("protected32");
    expect(machine.run(0xea, ...pointer32(sel(name) | rpl, 0x1234))).toBe(wanted);
    expect(machine.state.rip).toBe(wanted === "" ? 0x1234n : 0x4000n);
    expect(machine.state.cpl).toBe(0);
  });

  it("refuse null, a far offset, and L with D in long mode", () => {
    const machine = machineIn("compatibility");
    expect(machine.run(0xea, ...pointer32(0, 0))).toBe("GP(0)");
    expect(machine.run(0xea, ...pointer32(sel("code16"), 0x10000))).toBe("GP(0)");
    expect(machine.run(0xea, ...pointer32(sel("longAndBig"), 0))).toBe("GP(b0)");
  });

  it("change from compatibility to 64-bit mode and back", () => {
    const machine = machineIn("compatibility");
    expect(machine.run(0xea, ...pointer32(sel("code64"), 0x4100))).toBe("");
    expect(machine.state.cs.attributes & 0x200).toBe(0x200);
    // Push CS:RIP by hand and return to compatibility mode: RETFQ.
    machine.state.rsp -= 16n;
    machine.write(Number(machine.state.rsp), 8, 0x4200);
    machine.write(Number(machine.state.rsp) + 8, 8, sel("code32"));
    expect(machine.run(0x48, 0xcb)).toBe("");
    expect(machine.state.rip).toBe(0x4200n);
    expect(machine.state.cs.attributes & 0x200).toBe(0);
  });

  it.each(["real", "virtual8086"] as const)("CALL and RET in %s mode", (mode) => {
    const machine = machineIn(mode);
    const before = context(machine.state);
    expect(machine.run(0x9a, 0x34, 0x12, 0x00, 0x20)).toBe("");
    expect(machine.state.cs).toMatchObject({ selector: 0x2000, base: 0x20000n });
    expect(machine.state.rip).toBe(0x1234n);
    expect(machine.run(0xcb)).toBe("");
    // The selector that was pushed gives its own base; the fixture's was another.
    machine.state.cs.base = 0x100n;
    expect(context(machine.state)).toEqual({ ...before, rip: 0x405n });
  });

  it("stop the machine at a TSS", () => {
    const machine = machineIn("protected32");
    expect(machine.run(0xea, ...pointer32(TSS_SELECTOR, 0))).toBe("");
    expect(machine.stops[0]).toMatchObject({ kind: "notImplemented" });
    expect(machine.state.rip).toBe(0x4000n);
  });
});

describe("call gates", () => {
  it("copy parameters to the inner stack, and RET n gives them back", () => {
    const machine = machineIn("protected32", 3);
    const { state } = machine;
    machine.write(GDT + CALL_GATE, 8, encodeGate(12, sel("code32"), 0x4800n, 3, 2));
    machine.write(Number(state.rsp), 8, 0x2222_2222_1111_1111n);
    const before = context(state);
    expect(machine.run(0x9a, ...pointer32(CALL_GATE | 3, 0))).toBe("");
    expect(state.cpl).toBe(0);
    expect(state.rsp).toBe(STACK[0] - 24n);
    const frame = [0, 4, 8, 12, 16, 20].map((at) => machine.read(Number(state.rsp) + at, 4));
    const outer = [BigInt(before.rsp as bigint), BigInt(sel("userData32") | 3)];
    const code = BigInt(sel("userCode32") | 3);
    expect(frame).toEqual([0x4007n, code, 0x1111_1111n, 0x2222_2222n, ...outer]);
    expect(machine.run(0xca, 8, 0)).toBe("");
    const wanted = { ...before, rip: 0x4007n, rsp: (before.rsp as bigint) + 8n };
    expect(context(state)).toEqual(wanted);
  });

  it("of long mode push quadwords and leave SS null", () => {
    const machine = machineIn("long", 3);
    const { state } = machine;
    machine.write(GDT + CALL_GATE, 8, encodeGate(12, sel("code64"), 0x4800n, 3));
    machine.write(GDT + CALL_GATE + 8, 8, 0);
    machine.write(0x6100, 8, BigInt(CALL_GATE | 3) << 32n);
    const before = context(state);
    expect(machine.run(0xff, 0x1c, 0x25, 0x00, 0x61, 0, 0)).toBe("");
    expect(state).toMatchObject({ cpl: 0, rip: 0x4800n, rsp: STACK[0] - 32n });
    expect(state.ss.selector).toBe(0);
    expect(machine.run(0x48, 0xcb)).toBe("");
    expect(context(state)).toEqual({ ...before, rip: 0x4007n });
  });

  it.each([
    [0, 3, "GP(68)"],
    [3, 3, ""],
  ] as const)("with DPL %i from CPL %i: %s", (level, cpl, wanted) => {
    const machine = machineIn("protected32", cpl);
    machine.write(GDT + CALL_GATE, 8, encodeGate(12, sel("code32"), 0x4800n, level));
    expect(machine.run(0x9a, ...pointer32(CALL_GATE | 3, 0))).toBe(wanted);
  });
});

describe("SYSCALL and its like", () => {
  it("SYSCALL and SYSRET go round", () => {
    const machine = machineIn("long", 3);
    const { state } = machine;
    state.efer |= 1n;
    state.star = (BigInt(sel("code32")) << 48n) | (BigInt(sel("code64")) << 32n);
    state.lstar = 0xffff_8000_0000_1000n;
    state.sfmask = 0x200n;
    state.flagsOther |= 0x200n;
    expect(machine.run(0x0f, 0x05)).toBe("");
    expect(state).toMatchObject({ rip: state.lstar, cpl: 0, rcx: 0x4002n });
    expect(state.flagsOther & 0x200n).toBe(0n);
    expect(state.ss.attributes).toBe(0xc93);
    expect(machine.run(0x48, 0x0f, 0x07)).toBe("");
    expect(state).toMatchObject({ rip: 0x4002n, cpl: 3 });
    expect(state.flagsOther & 0x200n).toBe(0x200n);
    // This family changes only the selector of SS.
    expect(state.ss).toMatchObject({ selector: sel("code32") + 8 + 3, attributes: 0xc93 });
  });

  it("are #UD without EFER.SCE; SYSENTER is #UD in long mode", () => {
    const machine = machineIn("long", 0);
    expect(machine.run(0x0f, 0x05)).toBe("UD");
    expect(machine.run(0x0f, 0x34)).toBe("UD");
  });

  it("SYSENTER and SYSEXIT go round in protected mode", () => {
    const machine = machineIn("protected32", 3);
    const { state } = machine;
    expect(machine.run(0x0f, 0x34)).toBe("GP(0)");
    state.sysenterCs = BigInt(sel("code32"));
    state.sysenterEsp = 0x5000n;
    state.sysenterEip = 0x4444n;
    expect(machine.run(0x0f, 0x34)).toBe("");
    expect(state).toMatchObject({ rip: 0x4444n, rsp: 0x5000n, cpl: 0 });
    state.rdx = 0x4002n;
    state.rcx = 0x5f00n;
    expect(machine.run(0x0f, 0x35)).toBe("");
    expect(state).toMatchObject({ rip: 0x4002n, rsp: 0x5f00n, cpl: 3 });
    expect(state.cs.selector).toBe(sel("userCode32") | 3);
  });
});

describe("interrupt instructions", () => {
  it("INT3 returns behind itself; INTO needs OF", () => {
    const machine = machineIn("protected32");
    expect(machine.run(0xce)).toBe("");
    expect(machine.state.rip).toBe(0x4001n);
    expect(machine.run(0xcc)).toBe("");
    expect(machine.state.rip).toBe(0x8030n);
    expect(machine.run(0xcf)).toBe("");
    expect(machine.state.rip).toBe(0x4002n);
  });

  it("INT n needs IOPL 3 in virtual-8086 mode, INT3 does not", () => {
    const machine = machineIn("virtual8086");
    expect(machine.run(0xcd, 0x21)).toBe("GP(0)");
    expect(machine.run(0xcc)).toBe("");
    expect(machine.state.cpl).toBe(0);
  });

  it("HLT is for CPL 0", () => {
    expect(machineIn("long", 3).run(0xf4)).toBe("GP(0)");
    const machine = machineIn("long", 0);
    expect(machine.run(0xf4)).toBe("");
    expect(machine.state).toMatchObject({ halted: 1, rip: 0x4001n });
  });

  it("MOV SS holds interrupts off, MOV CS is #UD", () => {
    const machine = machineIn("protected32");
    machine.state.rax = BigInt(sel("data32"));
    expect(machine.run(0x8e, 0xd0)).toBe("");
    expect(machine.state.interruptShadow).toBe(1);
    expect(machine.run(0x8e, 0xc8)).toBe("UD");
    place(machine, "ds", "data16", 0);
    expect(machine.run(0x8c, 0xd8)).toBe("");
    expect(machine.state.rax).toBe(BigInt(sel("data16")));
  });
});
