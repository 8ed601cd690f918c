/** Control, debug and model-specific registers, CPUID and I/O permission. */
import { describe, expect, it } from "vitest";
import { CPUID_LEAVES, cpuid } from "../../../emulator/system/cpuid.ts";
import { GuestFault } from "../../../emulator/system/exceptions.ts";
import { FEATURES } from "../../../emulator/system/features.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";
import { MSRS, readMsr, resetMsrs, unknownMsrAccesses } from "../../../emulator/system/msrs.ts";
import type { BareMachine } from "./bare-machine.ts";
import { machineIn, TSS } from "./descriptor-tables.ts";

/** MOV CRn, RAX. */
const moveToControl = (machine: BareMachine, number: number, value: bigint): string => {
  machine.state.rax = value;
  const rex = number === 8 ? [0x44] : [];
  return machine.run(...rex, 0x0f, 0x22, 0xc0 | ((number & 7) << 3));
};

describe("MOV CR", () => {
  it.each([
    ["CR0 above bit 31", 0, 1n << 32n],
    ["paging without protection", 0, CR0.PG],
    ["NW without CD", 0, CR0.PE | CR0.PG | CR0.NW],
    ["paging off in 64-bit mode", 0, CR0.PE],
    ["CR3 above the physical address", 3, 1n << 40n],
    ["CR4 reserved bits", 4, CR4.PAE | (1n << 20n)],
    ["CR4 without PAE", 4, 0n],
    ["CR8 above bit 3", 8, 16n],
  ] as const)("%s is #GP(0)", (_what, number, value) => {
    expect(moveToControl(machineIn("long"), number, value)).toBe("GP(0)");
  });

  it("faults outside CPL 0, and for registers that do not exist", () => {
    expect(moveToControl(machineIn("long", 3), 0, CR0.PE)).toBe("GP(0)");
    expect(moveToControl(machineIn("long"), 1, 0n)).toBe("UD");
    expect(moveToControl(machineIn("long"), 5, 0n)).toBe("UD");
  });

  it("enters and leaves long mode", () => {
    const machine = machineIn("protected32");
    const { state } = machine;
    state.efer = EFER.LME;
    expect(moveToControl(machine, 0, CR0.PE | CR0.PG)).toBe("GP(0)");
    state.cr4 = CR4.PAE;
    expect(moveToControl(machine, 0, CR0.PE | CR0.PG)).toBe("");
    expect(state.efer).toBe(EFER.LME | EFER.LMA);
    expect(state.cr0).toBe(CR0.PE | CR0.PG | CR0.ET);
    expect(moveToControl(machine, 0, CR0.PE)).toBe("");
    expect(state.efer).toBe(EFER.LME);
  });

  it("loads and checks the PDPTEs of legacy PAE", () => {
    const machine = machineIn("protected32");
    machine.state.cr4 = CR4.PAE;
    machine.state.cr3 = 0x9000n;
    machine.write(0x9008, 8, 0x1_2345_6001n);
    expect(moveToControl(machine, 0, CR0.PE | CR0.PG)).toBe("");
    expect(machine.state.pdpte1).toBe(0x1_2345_6001n);
    machine.write(0x9020, 8, 0x3n);
    expect(moveToControl(machine, 3, 0x9020n)).toBe("GP(0)");
    expect(machine.state.cr3).toBe(0x9000n);
  });

  it("CR8 is the task priority", () => {
    const machine = machineIn("long");
    expect(moveToControl(machine, 8, 5n)).toBe("");
    expect(machine.run(0x44, 0x0f, 0x20, 0xc3)).toBe("");
    expect(machine.state.rbx).toBe(5n);
  });

  it("LMSW cannot clear PE, CLTS clears TS, SMSW fills a register", () => {
    const machine = machineIn("protected32");
    machine.state.rax = 0xen;
    expect(machine.run(0x0f, 0x01, 0xf0)).toBe("");
    expect(machine.state.cr0 & 0xfn).toBe(0xfn);
    expect(machine.run(0x0f, 0x06)).toBe("");
    expect(machine.state.cr0 & CR0.TS).toBe(0n);
    expect(machine.run(0x0f, 0x01, 0xe3)).toBe("");
    expect(machine.state.rbx).toBe(machine.state.cr0);
  });
});

describe("MOV DR", () => {
  it("forces reserved bits, and CR4.DE decides about DR4 and DR5", () => {
    const machine = machineIn("long");
    machine.state.rax = 0xffff_ffffn;
    expect(machine.run(0x0f, 0x23, 0xe0)).toBe("");
    expect(machine.state.dr6).toBe(0xffff_efffn);
    expect(machine.run(0x0f, 0x23, 0xf8)).toBe("");
    expect(machine.state.dr7).toBe(0xffff_27ffn);
    machine.state.dr7 = 0x400n;
    machine.state.cr4 |= CR4.DE;
    expect(machine.run(0x0f, 0x23, 0xe0)).toBe("UD");
    machine.state.rax = 1n << 32n;
    expect(machine.run(0x0f, 0x23, 0xf0)).toBe("GP(0)");
  });

  it("raises #DB with general detect", () => {
    const machine = machineIn("long");
    machine.state.dr7 = 0x2400n;
    expect(machine.run(0x0f, 0x21, 0xc0)).toBe("DB");
  });
});

function wrmsr(machine: BareMachine, number: number, value: bigint): string {
  machine.state.rcx = BigInt(number);
  machine.state.rax = value & 0xffff_ffffn;
  machine.state.rdx = value >> 32n;
  return machine.run(0x0f, 0x30);
}

describe("MSRs", () => {
  it("are listed once", () => {
    expect(new Set(MSRS.map((msr) => msr.number)).size).toBe(MSRS.length);
    expect(new Set(MSRS.map((msr) => msr.name)).size).toBe(MSRS.length);
  });

  it.each(MSRS.map((msr) => [msr.name, msr] as const))("%s", (_name, msr) => {
    const machine = machineIn("long");
    resetMsrs(machine.state);
    machine.state.efer = EFER.LME | EFER.LMA;
    if (msr.reset !== undefined && msr.name !== "EFER") {
      expect(readMsr(machine.cpu, msr.number)).toBe(msr.reset);
    }
    const before = readMsr(machine.cpu, msr.number);
    const reserved = ~msr.writable & 0xffff_ffff_ffff_ffffn;
    if (msr.write === undefined) expect(wrmsr(machine, msr.number, before)).toBe("GP(0)");
    else if (reserved !== 0n) {
      expect(wrmsr(machine, msr.number, before | (reserved & -reserved))).toBe("GP(0)");
    } else if (msr.canonical) {
      expect(wrmsr(machine, msr.number, 0x8000_0000_0000n)).toBe("GP(0)");
    }
    if (msr.write === undefined) return;
    expect(wrmsr(machine, msr.number, before)).toBe("");
    expect(readMsr(machine.cpu, msr.number)).toBe(before);
  });

  it("that do not exist are #GP(0) and counted", () => {
    const machine = machineIn("long");
    expect(wrmsr(machine, 0x1234, 1n)).toBe("GP(0)");
    expect(wrmsr(machine, 0x1234, 1n)).toBe("GP(0)");
    expect(() => readMsr(machine.cpu, 0xc001_ffff)).toThrow(GuestFault);
    expect(Object.fromEntries(unknownMsrAccesses(machine.cpu))).toEqual({
      "write 0x1234": 2,
      "read 0xc001ffff": 1,
    });
  });

  it("of the local APIC are its own", () => {
    const machine = machineIn("long");
    expect(readMsr(machine.cpu, 0x802)).toBe(0n);
    expect(wrmsr(machine, 0x80b, 0n)).toBe("");
    expect(wrmsr(machine, 0x80c, 0n)).toBe("GP(0)");
  });

  it("check PAT types and EFER.LME", () => {
    const machine = machineIn("long");
    expect(wrmsr(machine, 0x277, 0x0007_0406_0007_0402n)).toBe("GP(0)");
    expect(wrmsr(machine, 0xc000_0080, 0n)).toBe("GP(0)");
    expect(wrmsr(machine, 0xc000_0080, EFER.LME | EFER.SVME | EFER.NXE)).toBe("");
    expect(machine.state.efer & EFER.LMA).toBe(EFER.LMA);
  });

  it("VM_CR.SVMDIS locks SVM out", () => {
    const machine = machineIn("long");
    expect(wrmsr(machine, 0xc001_0114, 0x18n)).toBe("");
    expect(wrmsr(machine, 0xc000_0080, EFER.LME | EFER.SVME)).toBe("GP(0)");
    expect(wrmsr(machine, 0xc001_0114, 0n)).toBe("");
    expect(machine.state.vmCr).toBe(0x18n);
  });
});

describe("time stamp", () => {
  it("counts ticks, and writing moves it", () => {
    const machine = machineIn("long");
    expect(machine.run(0x0f, 0x31)).toBe("");
    expect(machine.state.rax).toBe(1000n);
    expect(wrmsr(machine, 0x10, 0x1_0000_0000n)).toBe("");
    machine.state.tscAux = 7n;
    expect(machine.run(0x0f, 0x01, 0xf9)).toBe("");
    expect(machine.state).toMatchObject({ rax: 0n, rdx: 1n, rcx: 7n });
  });

  it("is kept from programs by CR4.TSD", () => {
    for (const code of [[0x31], [0x01, 0xf9]]) {
      const machine = machineIn("long", 3);
      expect(machine.run(0x0f, ...code)).toBe("");
      machine.state.cr4 |= CR4.TSD;
      expect(machine.run(0x0f, ...code)).toBe("GP(0)");
    }
  });
});

describe("CPUID", () => {
  const text = (...words: number[]): string =>
    words
      .flatMap((w) => [w, w >>> 8, w >>> 16, w >>> 24].map((b) => String.fromCharCode(b & 0xff)))
      .join("")
      .replace(/\0+$/, "");
  const leaf = (n: number) => cpuid(machineIn("long").cpu, n);

  it("names the vendor and the CPU", () => {
    for (const n of [0, 0x8000_0000]) {
      const { ebx, ecx, edx } = leaf(n);
      expect(text(ebx, edx, ecx)).toBe("AuthenticAMD");
    }
    const brand = [2, 3, 4].map((n) => leaf(0x8000_0000 + n));
    expect(text(...brand.flatMap((b) => [b.eax, b.ebx, b.ecx, b.edx]))).toBe(
      "MinVisor Virtual CPU",
    );
  });

  it("reports no leaf above its limits", () => {
    for (const n of CPUID_LEAVES.keys()) {
      const last = n >= 0x8000_0000 ? leaf(0x8000_0000).eax : leaf(0).eax;
      expect(n).toBeLessThanOrEqual(last);
    }
    expect(leaf(0x4000_0000)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
  });

  it("claims what FEATURES has and nothing else", () => {
    expect((leaf(1).edx >>> 23) & 1).toBe(FEATURES.MMX ? 1 : 0);
    expect((leaf(1).edx >>> 7) & 1).toBe(0);
    expect((leaf(1).ecx >>> 3) & 1).toBe(0);
    expect((leaf(0x8000_0001).edx >>> 26) & 1).toBe(0);
    expect((leaf(0x8000_0001).ecx >>> 2) & 1).toBe(1);
    expect((leaf(0x8000_0001).edx >>> 9) & 1).toBe(1);
    // The repeated word has no SEP, SSE or CLFLUSH.
    expect(leaf(0x8000_0001).edx & ((1 << 25) | (1 << 19))).toBe(0);
  });

  it("hides the APIC while it is disabled", () => {
    const { cpu } = machineIn("long");
    cpu.apic.setApicBase(0xfee0_0000n);
    expect(cpuid(cpu, 1).edx & (1 << 9)).toBe(0);
    expect(cpuid(cpu, 0x8000_0001).edx & (1 << 9)).toBe(0);
  });
});

describe("ports", () => {
  it("are free for CPL 0, and for IOPL at least CPL", () => {
    const machine = machineIn("long", 3);
    machine.state.flagsOther |= 0x3000n;
    machine.state.rax = 0x1234_5678_9abc_def0n;
    expect(machine.run(0xe6, 0x80)).toBe("");
    expect(machine.run(0x66, 0xe5, 0x60)).toBe("");
    expect(machine.state.rax).toBe(0x1234_5678_9abc_a5a5n);
    expect(machine.run(0xe5, 0x60)).toBe("");
    expect(machine.state.rax).toBe(0xa5a5_a5a5n);
    expect(machine.portLog).toEqual(["out 80/1 f0", "in 60/2", "in 60/4"]);
  });

  it.each([
    ["every bit clear", 0, 0xff, ""],
    ["the second port's bit set", 2, 0xff, "GP(0)"],
    ["the next byte outside the limit", 0, 0x68 + 0x0c, "GP(0)"],
  ] as const)("ask the bitmap: %s", (_what, bits, limit, wanted) => {
    const machine = machineIn("long", 3);
    machine.write(TSS + 0x66, 2, 0x68);
    machine.write(TSS + 0x68 + 0x0c, 1, bits);
    machine.state.tr.limit = limit;
    expect(machine.run(0x66, 0xe5, 0x60)).toBe(wanted);
    expect(machine.portLog.length).toBe(wanted === "" ? 1 : 0);
  });

  it("REP INS does one element a time and checks memory first", () => {
    const machine = machineIn("long");
    const { state } = machine;
    Object.assign(state, { rcx: 2n, rdi: 0x6000n, rdx: 0x1f0n });
    expect(machine.run(0xf3, 0x66, 0x6d)).toBe("");
    expect(state).toMatchObject({ rcx: 1n, rdi: 0x6002n, rip: 0x4000n });
    machine.absent.add(6);
    expect(machine.run(0xf3, 0x66, 0x6d)).toBe("PF(2)");
    expect(machine.portLog).toHaveLength(1);
    machine.absent.clear();
    expect(machine.run(0xf3, 0x66, 0x6d)).toBe("");
    expect(state).toMatchObject({ rcx: 0n, rdi: 0x6004n, rip: 0x4003n });
    expect(machine.read(0x6000, 4)).toBe(0xa5a5_a5a5n);
  });

  it("OUTS reads memory and goes backwards with DF", () => {
    const machine = machineIn("long");
    machine.write(0x6000, 4, 0xdead_beef);
    machine.state.flagsOther |= 0x400n;
    Object.assign(machine.state, { rsi: 0x6000n, rdx: 0x80n });
    expect(machine.run(0x6f)).toBe("");
    expect(machine.portLog).toEqual(["out 80/4 deadbeef"]);
    expect(machine.state.rsi).toBe(0x5ffcn);
  });
});

describe("system instructions", () => {
  it("LGDT and SGDT keep limit and base", () => {
    const machine = machineIn("long");
    machine.write(0x6000, 2, 0x1234);
    machine.write(0x6002, 8, 0xffff_8000_1234_5678n);
    expect(machine.run(0x0f, 0x01, 0x14, 0x25, 0, 0x60, 0, 0)).toBe("");
    expect(machine.state.gdtr).toMatchObject({ limit: 0x1234, base: 0xffff_8000_1234_5678n });
    expect(machine.run(0x0f, 0x01, 0x04, 0x25, 0, 0x61, 0, 0)).toBe("");
    expect(machine.read(0x6102, 8)).toBe(0xffff_8000_1234_5678n);
    machine.write(0x6002, 8, 0x8000_0000_0000n);
    expect(machine.run(0x0f, 0x01, 0x14, 0x25, 0, 0x60, 0, 0)).toBe("GP(0)");
  });

  it.each([
    ["LAR", 0x02, 0x10, 0xcf_9300n],
    ["LSL", 0x03, 0x10, 0xffff_ffffn],
    ["LSL", 0x03, 0x38, 0xffn],
    ["LAR", 0x02, 0x00, undefined],
    ["LSL", 0x03, 0x68, undefined],
  ] as const)("%s (0F %i) of selector %i", (_name, opcode, selector, wanted) => {
    const machine = machineIn("protected32");
    machine.state.rax = BigInt(selector);
    machine.state.rbx = 0x77n;
    expect(machine.run(0x0f, opcode, 0xd8)).toBe("");
    expect(machine.state.rbx).toBe(wanted ?? 0x77n);
  });

  it("SWAPGS exchanges, at CPL 0", () => {
    const machine = machineIn("long");
    machine.state.gs.base = 1n;
    machine.state.kernelGsBase = 2n;
    expect(machine.run(0x0f, 0x01, 0xf8)).toBe("");
    expect(machine.state.gs.base).toBe(2n);
    expect(machine.state.kernelGsBase).toBe(1n);
    expect(machineIn("long", 3).run(0x0f, 0x01, 0xf8)).toBe("GP(0)");
    expect(machineIn("protected32").run(0x0f, 0x01, 0xf8)).toBe("UD");
  });
});
