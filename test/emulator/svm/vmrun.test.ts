// VMRUN and #VMEXIT against each other: what is switched, what is left alone, and injected events.
import { describe, expect, test } from "vitest";
import { SVM_ROWS } from "../../../emulator/instructions/svm.ts";
import { getRflags, setFlag } from "../../../emulator/state/flags.ts";
import { performExit } from "../../../emulator/svm/vmexit.ts";
import { vmload, vmsave } from "../../../emulator/svm/vmload.ts";
import { vmrun } from "../../../emulator/svm/vmrun.ts";
import { GuestFault, InterceptExit } from "../../../emulator/system/exceptions.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";
import { execution, GUEST_CODE, HSAVE, makeRig, type Rig, registersOf, VMCB } from "./fixture.ts";

const CPUID = 0x72;

function enter(rig: Rig): void {
  vmrun(execution(rig.cpu));
}

describe("VMRUN", () => {
  test("loads the guest", () => {
    const rig = makeRig();
    rig.vmcb.write("TSC_OFFSET", 0xffff_ffff_ffff_fff0n);
    rig.vmcb.write("INTERCEPT_CR_WRITE", 0x8009);
    rig.vmcb.write("INTERRUPT_SHADOW", 1n);
    rig.cpu.state.tscOffset = 0x100n;
    enter(rig);
    const { state } = rig.cpu;
    expect(state.guestMode).toBe(1);
    expect(state.rip).toBe(0x10n);
    expect(state.nextRip).toBe(0x10n);
    expect(state.rsp).toBe(0x1000n);
    expect(state.rax).toBe(0x1234n);
    expect(state.cs.base).toBe(BigInt(GUEST_CODE));
    expect(state.cr0).toBe(CR0.ET);
    expect(state.efer).toBe(EFER.SVME);
    expect(state.tscOffset).toBe(0xf0n);
    expect(state.interceptCr).toBe(0x8009_0000);
    expect(state.interruptShadow).toBe(1);
    expect(state.hostCr0 & CR0.PG).toBe(CR0.PG);
    expect(state.hostInterruptFlag).toBe(1);
  });

  test("saves the host's next rip", () => {
    const rig = makeRig();
    enter(rig);
    expect(rig.cpu.physical.read(HSAVE + 0x578, 8)).toBe(0x4003n);
  });

  test.each([
    ["not aligned", BigInt(VMCB) + 8n],
    ["beyond physical memory", 1n << 40n],
  ])("#GP for an operand that is %s", (_why, rax) => {
    const rig = makeRig();
    rig.cpu.state.rax = rax;
    expect(() => enter(rig)).toThrow(expect.objectContaining({ exception: "GP" }));
    expect(rig.cpu.state.guestMode).toBe(0);
  });

  test.each([
    [0, []],
    [1, ["all"]],
    [3, ["asid 1"]],
    [7, ["asid 1 keep global"]],
    [5, []],
  ])("TLB_CONTROL %d", (value, expected) => {
    const rig = makeRig();
    rig.vmcb.write("TLB_CONTROL", value);
    enter(rig);
    expect(rig.flushes).toEqual(expected);
  });

  test("bases are made canonical, SS's DPL follows CPL, CS is code", () => {
    const rig = makeRig();
    rig.vmcb.write("CR0", CR0.PE | CR0.ET);
    rig.vmcb.write("CPL", 3);
    rig.vmcb.write("CS", { selector: 0x1b, attributes: 0xc42, limit: 0xffff_ffff, base: 0n });
    rig.vmcb.write("SS", { selector: 0x23, attributes: 0xfc93, limit: 0xffff_ffff, base: 0n });
    rig.vmcb.write("DS", {
      selector: 0x23,
      attributes: 0xcf3,
      limit: 0xffff_ffff,
      base: 0x1234_8000_0000_0000n,
    });
    enter(rig);
    const { state } = rig.cpu;
    expect(state.cpl).toBe(3);
    expect(state.cs.attributes).toBe(0xcda);
    expect(state.ss.attributes).toBe(0xcf3);
    expect(state.ds.base).toBe(0xffff_8000_0000_0000n);
  });

  test("EFER.LMA follows LME and PG, whatever the VMCB has", () => {
    const rig = makeRig();
    rig.vmcb.write("EFER", EFER.SVME | EFER.LMA | EFER.LME);
    enter(rig);
    expect(rig.cpu.state.efer).toBe(EFER.SVME | EFER.LME);
  });

  test("G_PAT counts with nested paging only", () => {
    for (const nested of [0n, 1n]) {
      const rig = makeRig();
      rig.vmcb.write("NP_ENABLE", nested);
      rig.vmcb.write("G_PAT", 0x0606_0606_0606_0606n);
      const hostPat = rig.cpu.state.pat;
      enter(rig);
      expect(rig.cpu.state.pat).toBe(nested === 0n ? hostPat : 0x0606_0606_0606_0606n);
      performExit(rig.cpu, new InterceptExit(CPUID));
      expect(rig.cpu.state.pat).toBe(hostPat);
    }
  });

  test("PDPTEs of a legacy-PAE guest are loaded", () => {
    const rig = makeRig();
    rig.vmcb.write("CR0", CR0.PE | CR0.PG | CR0.ET);
    rig.vmcb.write("CR4", CR4.PAE);
    rig.vmcb.write("CR3", 0x1_0020n);
    rig.cpu.physical.write(0x1_0030, 8, 0x7001n);
    enter(rig);
    expect(rig.cpu.state.pdpte2).toBe(0x7001n);
  });
});

describe("#VMEXIT", () => {
  test("restores the host exactly", () => {
    const rig = makeRig();
    const before = registersOf(rig.cpu);
    const flags = getRflags(rig.cpu.state);
    enter(rig);
    rig.cpu.state.rbx = 77n;
    performExit(rig.cpu, new InterceptExit(CPUID), { nextRip: 0x12n });
    const after = registersOf(rig.cpu);
    expect(after).toEqual({ ...before, rip: 0x4003n, rbx: 77n });
    expect(getRflags(rig.cpu.state)).toBe(flags);
    const { state } = rig.cpu;
    expect([state.guestMode, state.gif, state.asid, state.dr7]).toEqual([0, 0, 0, 0x400n]);
    expect(state.nextRip).toBe(0x4003n);
  });

  test("saves the guest where a second VMRUN finds it", () => {
    const rig = makeRig();
    enter(rig);
    const { state } = rig.cpu;
    state.rip = 0x55n;
    state.rsp = 0x800n;
    state.cr2 = 0xdeadn;
    setFlag(state, "ZF", true);
    state.ds.base = 0x4_0000n;
    const guest = { ...registersOf(rig.cpu), flags: getRflags(state) };
    performExit(rig.cpu, new InterceptExit(CPUID), { nextRip: 0x57n });
    expect(rig.vmcb.read("EXITCODE")).toBe(BigInt(CPUID));
    expect(rig.vmcb.read("RIP")).toBe(0x55n);
    expect(rig.vmcb.read("nRIP")).toBe(0x57n);
    expect(rig.vmcb.read("CR2")).toBe(0xdeadn);
    state.rax = BigInt(VMCB);
    enter(rig);
    expect({ ...registersOf(rig.cpu), flags: getRflags(state) }).toEqual(guest);
  });

  test("counts exits from 1 and tells observers after the host is loaded", () => {
    const rig = makeRig();
    const seen: string[] = [];
    rig.cpu.observers.attach({
      name: "test",
      on: {
        vmrun: (e) => {
          seen.push(`vmrun ${e.vmcb.toString(16)} ${e.rip}`);
          return undefined;
        },
        exit: (e) => {
          seen.push(`exit ${e.number} ${e.code} guest ${e.guestRip} host ${rig.cpu.state.rip}`);
          return undefined;
        },
      },
    });
    for (let i = 0; i < 2; i++) {
      rig.cpu.state.rip = 0x4000n;
      rig.cpu.state.rax = BigInt(VMCB);
      enter(rig);
      performExit(rig.cpu, new InterceptExit(CPUID));
    }
    expect(seen).toEqual([
      "vmrun 9000 16",
      "exit 1 114 guest 16 host 16387",
      "vmrun 9000 16",
      "exit 2 114 guest 16 host 16387",
    ]);
  });

  test.each([
    [0x60, 0n],
    [0x400, 0n],
    [0x7d, 0n],
    [0x4e, 0n],
    [0x43, 0x12n],
    [0x7c, 0x12n],
    [0x13, 0x12n],
  ])("nRIP of exit %d", (code, expected) => {
    const rig = makeRig();
    rig.vmcb.write("nRIP", 0xffn);
    enter(rig);
    performExit(rig.cpu, new InterceptExit(code), { nextRip: 0x12n });
    expect(rig.vmcb.read("nRIP")).toBe(expected);
  });

  test("leaves the instruction's bytes for a data fault, none otherwise", () => {
    const code = Uint8Array.from({ length: 15 }, (_, i) => 0xa0 + i);
    for (const [info1, count] of [
      [0x1_0000_0006n, 15],
      [0x1_0000_0014n, 0],
    ] as const) {
      const rig = makeRig();
      rig.cpu.physical.poke(GUEST_CODE + 0x10, code);
      enter(rig);
      performExit(rig.cpu, new InterceptExit(0x400, info1, 0x5000n));
      expect(rig.vmcb.read("NUMBER_OF_BYTES_FETCHED")).toBe(count);
      if (count > 0) expect(rig.vmcb.read("GUEST_INSTRUCTION_BYTES")).toEqual(code);
      expect(rig.vmcb.read("EXITINFO1")).toBe(info1);
      expect(rig.vmcb.read("EXITINFO2")).toBe(0x5000n);
    }
  });

  test("forces PE, CPL 0 and VM 0 on the host, and shuts down on an illegal one", () => {
    const rig = makeRig();
    enter(rig);
    rig.cpu.physical.write(HSAVE + 0x558, 8, CR0.PG | CR0.ET | CR0.NW);
    performExit(rig.cpu, new InterceptExit(CPUID));
    expect(rig.cpu.state.cr0 & CR0.PE).toBe(CR0.PE);
    expect(rig.cpu.state.shutdown).toBe(1);
    expect(rig.stops).toEqual([
      {
        kind: "shutdown",
        faults: ["#VMEXIT to an illegal host state: CR0.CD is 0 and CR0.NW is 1"],
      },
    ]);
  });

  test("switches the last-branch record where it is virtualised", () => {
    const rig = makeRig();
    rig.vmcb.write("VIRT_EXT", 1n);
    rig.vmcb.write("BR_FROM", 0x111n);
    rig.cpu.state.lastBranchFrom = 0x222n;
    enter(rig);
    expect(rig.cpu.state.lastBranchFrom).toBe(0x111n);
    rig.cpu.state.lastBranchFrom = 0x333n;
    performExit(rig.cpu, new InterceptExit(CPUID));
    expect(rig.vmcb.read("BR_FROM")).toBe(0x333n);
    expect(rig.cpu.state.lastBranchFrom).toBe(0x222n);
  });
});

/** Real-mode vector table entries: vector n's handler is at 5000:n. */
function vectorTable(rig: Rig): void {
  for (let n = 0; n < 256; n++) rig.cpu.physical.write(4 * n, 4, 0x5000_0000n | BigInt(n));
}

describe("EVENTINJ", () => {
  test.each([
    [0x8000_0030n, 0x30, 0x10n],
    [0x8000_030dn, 13, 0x10n],
    [0x8000_0421n, 0x21, 0x1234n],
    [0x8000_0303n, 3, 0x1234n],
  ])("%s goes to its handler and returns to RIP or nRIP", (word, vector, returnTo) => {
    const rig = makeRig();
    vectorTable(rig);
    rig.vmcb.write("EVENTINJ", word);
    rig.vmcb.write("nRIP", 0x1234n);
    rig.vmcb.write("INTERCEPT_EXCEPTIONS", 0xffff_ffff);
    enter(rig);
    const { state } = rig.cpu;
    expect(state.guestMode).toBe(1);
    expect(state.rip).toBe(BigInt(vector));
    expect(state.cs.selector).toBe(0x5000);
    expect(rig.cpu.physical.read(0x3_0000 + Number(state.rsp), 2)).toBe(returnTo);
    performExit(rig.cpu, new InterceptExit(CPUID));
    expect(rig.vmcb.read("EVENTINJ")).toBe(word & ~(1n << 31n));
    expect(rig.vmcb.read("EXITINTINFO")).toBe(0n);
  });

  test("an exit during the delivery leaves the event in EXITINTINFO", () => {
    const rig = makeRig();
    vectorTable(rig);
    rig.vmcb.write("EVENTINJ", 0x8000_0030n);
    rig.fault = { access: "write", error: new InterceptExit(0x400, 0x1_0000_0006n, 0x3_0ffen) };
    enter(rig);
    expect(rig.cpu.state.guestMode).toBe(0);
    expect(rig.cpu.state.nextRip).toBe(0x4003n);
    expect(rig.vmcb.read("EXITCODE")).toBe(0x400n);
    expect(rig.vmcb.read("EXITINTINFO")).toBe(0x8000_0030n);
    expect(rig.vmcb.read("RIP")).toBe(0x10n);
    expect(rig.vmcb.read("NUMBER_OF_BYTES_FETCHED")).toBe(0);
  });

  test("a fault during the delivery meets the exception intercepts", () => {
    const rig = makeRig();
    vectorTable(rig);
    rig.vmcb.write("EVENTINJ", 0x8000_0030n);
    rig.vmcb.write("INTERCEPT_EXCEPTIONS", 1 << 14);
    rig.fault = { access: "write", error: new GuestFault("PF", 2, 0x3_0ffen) };
    enter(rig);
    expect(rig.vmcb.read("EXITCODE")).toBe(0x4en);
    expect(rig.vmcb.read("EXITINFO1")).toBe(2n);
    expect(rig.vmcb.read("EXITINFO2")).toBe(0x3_0ffen);
    expect(rig.vmcb.read("EXITINTINFO")).toBe(0x8000_0030n);
  });

  test("a triple fault meets SHUTDOWN", () => {
    const rig = makeRig();
    vectorTable(rig);
    rig.vmcb.write("EVENTINJ", 0x8000_0030n);
    rig.vmcb.write("INTERCEPT_MISC1", 0x8000_0000);
    rig.fault = { access: "write", error: new GuestFault("PF", 2, 0x3_0ffen) };
    enter(rig);
    expect(rig.vmcb.read("EXITCODE")).toBe(0x7fn);
    expect(rig.cpu.state.shutdown).toBe(0);
  });
});

describe("VMLOAD and VMSAVE", () => {
  test("carry the same state back and forth", () => {
    const rig = makeRig();
    const { state } = rig.cpu;
    const msrs = ["kernelGsBase", "star", "lstar", "cstar", "sfmask"] as const;
    const sysenter = ["sysenterCs", "sysenterEsp", "sysenterEip"] as const;
    const names = [...msrs, ...sysenter];
    names.forEach((name, i) => {
      state[name] = BigInt(0x1000 + i);
    });
    Object.assign(state.fs, { selector: 0x28, attributes: 0xcf3, limit: 0xfffff, base: 0x123n });
    Object.assign(state.tr, { selector: 0x30, attributes: 0x8b, limit: 0x67, base: 0x456n });
    vmsave(execution(rig.cpu));
    for (const name of names) state[name] = 0n;
    Object.assign(state.fs, { selector: 0, attributes: 0, limit: 0, base: 0n });
    Object.assign(state.tr, { selector: 0, attributes: 0, limit: 0, base: 0n });
    vmload(execution(rig.cpu));
    expect(names.map((name) => state[name])).toEqual(names.map((_, i) => BigInt(0x1000 + i)));
    expect(state.fs.base).toBe(0x123n);
    expect(state.tr.attributes).toBe(0x8b);
  });
});

describe("rows", () => {
  const run = (rig: Rig, mnemonic: string): void =>
    SVM_ROWS.find((r) => r.mnemonic === mnemonic)?.complex?.(execution(rig.cpu));

  test("the encodings are 0F 01 D8 to DF", () => {
    const last = SVM_ROWS.map((r) => Number.parseInt(r.encoding.slice(-2), 16));
    expect(last).toEqual([0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf]);
  });

  test("all but VMMCALL and SKINIT need EFER.SVME and CPL 0", () => {
    const rig = makeRig();
    rig.cpu.state.efer = 0n;
    for (const row of SVM_ROWS) {
      if (row.mnemonic === "VMMCALL" || row.mnemonic === "SKINIT") continue;
      expect(row.cpl0, row.mnemonic).toBe(true);
      expect(() => row.exceptions?.(rig.cpu.state)).toThrow(
        expect.objectContaining({ exception: "UD" }),
      );
    }
  });

  test("STGI and CLGI set GIF", () => {
    const rig = makeRig();
    run(rig, "CLGI");
    expect(rig.cpu.state.gif).toBe(0);
    run(rig, "STGI");
    expect(rig.cpu.state.gif).toBe(1);
  });

  test("VMMCALL without its intercept is undefined", () => {
    expect(() => run(makeRig(), "VMMCALL")).toThrow(expect.objectContaining({ exception: "UD" }));
  });

  test("INVLPGA takes its address from rAX and its ASID from ECX", () => {
    const rig = makeRig();
    rig.cpu.state.rax = 0x1234_5000n;
    rig.cpu.state.rcx = 0xffff_ffff_0000_0005n;
    run(rig, "INVLPGA");
    expect(rig.flushes).toEqual(["page 0x12345000 asid 5"]);
  });
});
