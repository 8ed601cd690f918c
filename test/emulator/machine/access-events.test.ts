// Ports, MSRs, device memory and paging registers as events; the CPU's own stores as writes to pages.
import { describe, expect, test } from "vitest";
import type { EventName, ObserverEvents } from "../../../emulator/observers.ts";
import { VMCB_FIELDS } from "../../../emulator/svm/vmcb.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";
import { GuestRig, VMCB } from "./guest-rig.ts";
import { CODE, Rig, STACK, TSS } from "./rig.ts";

const TIERS = ["compiled", "evaluated"] as const;
const MSR_INTERCEPT = 1n << 28n;
const IO_INTERCEPT = 1n << 27n;
const HSAVE = 0x1_9000;

function collect<E extends EventName>(rig: Rig, name: E): ObserverEvents[E][] {
  const seen: ObserverEvents[E][] = [];
  rig.machine.observe({
    name: "collect",
    on: {
      [name]: (event: ObserverEvents[E]) => {
        seen.push(event);
        return undefined;
      },
    },
  });
  return seen;
}

describe.each(TIERS)("ports, %s", (tier) => {
  test("IN, OUT, and each iteration of INS and OUTS", () => {
    const rig = new Rig("long", tier);
    // in al, 61h; out 80h, al; rep outsb; rep insw; mov dx, 0d00h; in eax, dx
    rig.code("e4 61 e6 80 f3 6e 66 f3 6d 66 ba 00 0d ed");
    rig.write(0x2_0000, 2, 0x4241n);
    Object.assign(rig.state, { rdx: 0x3f8n, rsi: 0x2_0000n, rdi: 0x3_0000n, rcx: 2n });
    const log = collect(rig, "port");
    rig.run(4);
    expect(log.splice(0)).toMatchObject([
      { port: 0x61, size: 1, write: false, guest: false },
      { port: 0x80, size: 1, write: true, value: rig.state.rax & 0xffn },
      { port: 0x3f8, size: 1, write: true, value: 0x41n },
      { port: 0x3f8, size: 1, write: true, value: 0x42n },
    ]);
    Object.assign(rig.state, { rdx: 0xd00n, rcx: 2n });
    rig.run(4);
    const word = { port: 0xd00, size: 2, write: false, value: 0xffffn };
    const wide = { port: 0xd00, size: 4, write: false, value: 0xffff_ffffn };
    expect(log).toMatchObject([word, word, wide]);
    expect(rig.state.rax).toBe(0xffff_ffffn);
  });

  test("not when it faults, nor when the hypervisor intercepts; a guest's own is told as such", () => {
    const rig = new GuestRig(tier);
    const log = collect(rig, "port");
    rig.guestCode("e6 80");
    rig.enter(1);
    expect(log.splice(0)).toEqual([{ port: 0x80, size: 1, write: true, value: 0n, guest: true }]);
    rig.setGuest(0);
    rig.vmcb.write("INTERCEPT_MISC1", Number(IO_INTERCEPT));
    rig.vmcb.write("IOPM_BASE_PA", 0x20_0000n);
    rig.write(0x20_0010, 1, 1n);
    rig.enter(1);
    expect(rig.inGuest).toBe(false);
    expect(log).toEqual([]);
    const faulting = new Rig("long", tier);
    faulting.code("e6 80");
    faulting.write(TSS + 0x66, 2, 0xffffn);
    faulting.toUser();
    const none = collect(faulting, "port");
    faulting.run(1);
    expect(faulting.firstException).toBe("GP(0)");
    expect(none).toEqual([]);
  });

  test("an observer stops behind the instruction", () => {
    const rig = new Rig("long", tier);
    rig.code("e4 61 90 90");
    rig.machine.observe({ name: "port", on: { port: () => "stop" } });
    expect(rig.run(10)).toEqual({ reason: "observer", observer: "port" });
    expect(rig.state.rip).toBe(BigInt(CODE + 2));
  });
});

describe.each(TIERS)("MSRs, %s", (tier) => {
  const STAR = 0xc000_0081;
  test("WRMSR and RDMSR that completed, of host and guest", () => {
    const rig = new GuestRig(tier);
    rig.code("0f 30 0f 32");
    rig.guestCode("0f 32");
    Object.assign(rig.state, { rcx: BigInt(STAR), rax: 5n, rdx: 6n });
    const log = collect(rig, "msr");
    rig.run(2);
    rig.code("0f 01 d8");
    rig.enter(1);
    const value = 0x6_0000_0005n;
    expect(log).toEqual([
      { index: STAR, write: true, value, before: 0n, guest: false },
      { index: STAR, write: false, value, before: value, guest: false },
      { index: STAR, write: false, value, before: value, guest: true },
    ]);
  });

  test("not one that faults or is intercepted", () => {
    const rig = new GuestRig(tier);
    rig.stopsAtException = false;
    rig.code("0f 32");
    rig.state.rcx = 0x1234n;
    const log = collect(rig, "msr");
    rig.run(1);
    expect(rig.firstException).toBe("GP(0)");
    rig.code("0f 01 d8");
    rig.guestCode("0f 32");
    rig.state.rcx = BigInt(STAR);
    rig.vmcb.write("INTERCEPT_MISC1", Number(MSR_INTERCEPT));
    rig.vmcb.write("MSRPM_BASE_PA", 0x20_0000n);
    rig.machine.memory.poke(0x20_0000, new Uint8Array(0x2000).fill(0xff));
    rig.enter(1);
    expect(rig.inGuest).toBe(false);
    expect(log).toEqual([]);
  });
});

describe.each(TIERS)("device memory, %s", (tier) => {
  const APIC = 0xfee0_0000;
  const rigWithApic = (code: string): Rig => {
    const rig = new Rig("protected32", tier);
    rig.code(code);
    rig.state.rdi = BigInt(APIC + 0x80);
    return rig;
  };

  test("reads and writes by instructions, with the device's name", () => {
    const rig = rigWithApic("c7 07 20 00 00 00 83 07 01 8b 07");
    const log = collect(rig, "deviceMemory");
    rig.run(3);
    const name = rig.machine.platform.interrupts.localApic.name;
    const of = (write: boolean, value: bigint): unknown => ({
      ...{ device: name, address: APIC + 0x80, size: 4, guest: false },
      ...{ write, value },
    });
    expect(log).toEqual([of(true, 0x20n), of(false, 0x20n), of(true, 0x21n), of(false, 0x21n)]);
  });

  test("not the debugger's, not a fetch, and nothing where no device is", () => {
    const rig = rigWithApic("8b 07");
    const log = collect(rig, "deviceMemory");
    rig.machine.memory.peek(APIC, 64);
    rig.state.rip = BigInt(APIC);
    rig.run(1);
    rig.state.rip = BigInt(CODE);
    rig.state.rdi = 0xd000_0000n;
    rig.run(1);
    expect(rig.state.rax).toBe(0xffff_ffffn);
    expect(log).toEqual([]);
  });
});

describe.each(TIERS)("paging registers, %s", (tier) => {
  test("MOV, LMSW and WRMSR that change the value, and no others", () => {
    const rig = new Rig("long", tier);
    const log = collect(rig, "paging");
    const { cr0, cr3, cr4, efer } = rig.state;
    const movCr = (number: number): string => `0f 22 ${(0xc0 + number * 8).toString(16)}`;
    const run = (code: string, rax: bigint): unknown[] => {
      rig.code(code);
      Object.assign(rig.state, { rip: BigInt(CODE), rax, rdx: 0n, rcx: 0xc000_0080n });
      rig.run(1);
      return log.splice(0).map(({ register }) => register);
    };
    expect(run(movCr(0), cr0)).toEqual([]);
    expect(run(movCr(0), cr0 ^ CR0.WP)).toEqual(["cr0"]);
    expect(run("0f 01 f0", (cr0 & 0xfn) | CR0.TS)).toEqual(["cr0"]);
    expect(run(movCr(3), cr3)).toEqual([]);
    expect(run(movCr(3), cr3 | 8n)).toEqual(["cr3"]);
    expect(run(movCr(4), cr4)).toEqual([]);
    expect(run(movCr(4), cr4 | CR4.PGE)).toEqual(["cr4"]);
    expect(run("0f 30", efer)).toEqual([]);
    expect(run("0f 30", efer ^ EFER.SCE)).toEqual(["efer"]);
    expect(rig.exceptions).toEqual([]);
    expect(run(movCr(4), 1n << 40n)).toEqual([]);
    expect(rig.lastException).toBe("GP(0)");
  });

  test("a guest's is told as such", () => {
    const rig = new GuestRig(tier);
    rig.guestCode("0f 22 d8");
    rig.vmcb.write("RAX", rig.state.cr3 | 8n);
    const log = collect(rig, "paging");
    rig.enter(1);
    expect(log).toEqual([{ register: "cr3", guest: true }]);
  });
});

describe.each(TIERS)("the CPU's own stores are writes to watched pages, %s", (tier) => {
  /** Offsets in the page, of what VMRUN and #VMEXIT store by themselves or of all else. */
  const writes = (rig: Rig, page: number, bySwitch = false): (() => Set<number>) => {
    rig.machine.memory.watchWrites(page);
    const log = collect(rig, "physicalWrite");
    return () => {
      const wanted = log.splice(0).filter(({ worldSwitch }) => worldSwitch === bySwitch);
      return new Set(wanted.map(({ address }) => address - page));
    };
  };
  const offsetOf = (name: keyof typeof VMCB_FIELDS): number => VMCB_FIELDS[name].offset;

  test("VMRUN saves the host; #VMEXIT writes the VMCB", () => {
    const rig = new GuestRig(tier);
    rig.guestCode("0f 01 d9");
    rig.vmcb.write("INTERCEPT_MISC2", 3);
    const vmcb = writes(rig, VMCB, true);
    const saved = writes(rig, HSAVE, true);
    rig.enter(0);
    expect(rig.inGuest).toBe(true);
    const bySave = saved();
    for (const name of ["RIP", "RSP", "RAX", "CR3", "RFLAGS"] as const) {
      expect(bySave, name).toContain(offsetOf(name));
    }
    vmcb();
    rig.run(1);
    expect(rig.inGuest).toBe(false);
    const byExit = vmcb();
    for (const name of ["EXITCODE", "EXITINFO1", "RIP", "RAX", "CS", "nRIP"] as const) {
      expect(byExit, name).toContain(offsetOf(name));
    }
  });

  test("VMSAVE", () => {
    const rig = new GuestRig(tier);
    rig.code("0f 01 db");
    const vmcb = writes(rig, VMCB);
    rig.run(1);
    const seen = vmcb();
    for (const name of ["FS", "GS", "TR", "LDTR", "STAR", "SYSENTER_CS"] as const) {
      expect(seen, name).toContain(offsetOf(name));
    }
  });

  test("accessed and dirty bits of page tables, the guest's and the nested", () => {
    const rig = new Rig("long", tier);
    rig.code("c6 07 01");
    rig.state.rdi = rig.map(1, 0x3_0000);
    const seen = writes(rig, 0x1_5000);
    rig.run(1);
    expect(seen()).toEqual(new Set([8]));
    expect(rig.read(0x1_5008, 8) & 0x60n).toBe(0x60n);
    const guest = new GuestRig(tier);
    guest.guestCode("90");
    guest.vmcb.write("NP_ENABLE", 1n);
    guest.vmcb.write("nCR3", guest.state.cr3);
    const nested = writes(guest, 0x1_2000);
    guest.enter(1);
    expect(guest.inGuest).toBe(true);
    expect(nested()).toContain(0);
  });

  test("the frame of an exception", () => {
    const rig = new Rig("long", tier);
    rig.code("0f 0b");
    const seen = writes(rig, STACK - 0x1000);
    rig.run(1);
    rig.run(1);
    expect(seen()).toEqual(new Set([8, 16, 24, 32, 40].map((down) => 0x1000 - down)));
  });
});
