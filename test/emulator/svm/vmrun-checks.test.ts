// Each consistency check of VMRUN: a VMCB that passes all, and one change that fails exactly that one.
import { describe, expect, test } from "vitest";
import { vmrun } from "../../../emulator/svm/vmrun.ts";
import { type CheckView, checkView, VMRUN_CHECKS } from "../../../emulator/svm/vmrun-checks.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";
import { execution, makeRig, type Rig } from "./fixture.ts";

const LONG = EFER.SVME | EFER.LME | EFER.LMA;
const PAGED = CR0.PE | CR0.PG | CR0.ET;

/** A legal long-mode guest, for the checks that need one. */
function longMode(rig: Rig): void {
  rig.vmcb.write("EFER", LONG);
  rig.vmcb.write("CR0", PAGED);
  rig.vmcb.write("CR4", CR4.PAE);
  rig.vmcb.write("CS", { ...rig.vmcb.read("CS"), attributes: 0x29b });
}

function nested(rig: Rig): void {
  rig.vmcb.write("NP_ENABLE", 1n);
  rig.vmcb.write("nCR3", 0x1000n);
}

/** One illegal change each. What is returned replaces parts of the view. */
const MUTATIONS: Record<string, (rig: Rig) => Partial<CheckView> | undefined> = {
  VMRUN_NOT_INTERCEPTED: write((r) => r.vmcb.write("INTERCEPT_MISC2", 0xffff_fffe)),
  GUEST_ASID_ZERO: write((r) => r.vmcb.write("GUEST_ASID", 0)),
  IOPM_BASE_ADDRESS: write((r) => r.vmcb.write("IOPM_BASE_PA", (1n << 40n) - 0x2000n)),
  MSRPM_BASE_ADDRESS: write((r) => r.vmcb.write("MSRPM_BASE_PA", (1n << 40n) - 0x2000n)),
  NP_HOST_PAGING_OFF: (r) => {
    nested(r);
    return { host: { cr0: CR0.PE | CR0.ET, efer: EFER.SVME } };
  },
  G_PAT_TYPE: write((r) => {
    nested(r);
    r.vmcb.write("G_PAT", 0x0007_0406_0007_0402n);
  }),
  NCR3_RESERVED: write((r) => {
    nested(r);
    r.vmcb.write("nCR3", 1n << 40n);
  }),
  EFER_SVME_ZERO: write((r) => r.vmcb.write("EFER", 0n)),
  EFER_RESERVED: write((r) => r.vmcb.write("EFER", EFER.SVME | (1n << 9n))),
  EFER_NO_LONG_MODE: (r) => {
    r.vmcb.write("EFER", EFER.SVME | EFER.LME);
    return { longMode: false };
  },
  CR0_CD_NW: write((r) => r.vmcb.write("CR0", CR0.ET | CR0.NW)),
  CR0_UPPER: write((r) => r.vmcb.write("CR0", CR0.ET | (1n << 32n))),
  CR3_RESERVED: write((r) => {
    longMode(r);
    r.vmcb.write("CR3", 1n << 40n);
  }),
  CR4_RESERVED: write((r) => r.vmcb.write("CR4", 1n << 15n)),
  DR6_UPPER: write((r) => r.vmcb.write("DR6", 1n << 32n)),
  DR7_UPPER: write((r) => r.vmcb.write("DR7", 1n << 63n)),
  LONG_MODE_WITHOUT_PAE: write((r) => {
    longMode(r);
    r.vmcb.write("CR4", 0n);
  }),
  LONG_MODE_WITHOUT_PE: write((r) => {
    longMode(r);
    r.vmcb.write("CR0", CR0.PG | CR0.ET);
  }),
  CS_LONG_AND_32: write((r) => {
    longMode(r);
    r.vmcb.write("CS", { ...r.vmcb.read("CS"), attributes: 0x69b });
  }),
  PDPTE_RESERVED: write((r) => {
    r.vmcb.write("CR0", PAGED);
    r.vmcb.write("CR4", CR4.PAE);
    r.vmcb.write("CR3", 0x1_0020n);
    r.cpu.physical.write(0x1_0038, 8, (1n << 52n) | 1n);
  }),
  EVENTINJ_TYPE: write((r) => r.vmcb.write("EVENTINJ", 0x8000_0100n)),
  EVENTINJ_VECTOR: write((r) => r.vmcb.write("EVENTINJ", 0x8000_0302n)),
  EVENTINJ_MODE: write((r) => {
    longMode(r);
    r.vmcb.write("EVENTINJ", 0x8000_0304n);
  }),
};

function write(change: (rig: Rig) => void): (rig: Rig) => undefined {
  return (rig) => {
    change(rig);
    return undefined;
  };
}

const failures = (view: CheckView): string[] =>
  VMRUN_CHECKS.filter((c) => c.failed(view)).map((c) => c.name);

describe("the base VMCB", () => {
  test.each([
    ["real mode", () => {}],
    ["long mode", longMode],
    ["nested paging", nested],
    ["long mode over nested paging", (r: Rig) => [longMode(r), nested(r)]],
  ] as const)("passes in %s", (_name, prepare) => {
    const rig = makeRig();
    prepare(rig);
    expect(failures(checkView(rig.cpu, rig.vmcb))).toEqual([]);
  });
});

describe("each check", () => {
  test.each(VMRUN_CHECKS.map((c) => c.name))("%s fails alone", (name) => {
    const mutate = MUTATIONS[name];
    if (mutate === undefined) throw new Error(`no mutation for ${name}`);
    const rig = makeRig();
    const view = { ...checkView(rig.cpu, rig.vmcb), ...mutate(rig) };
    expect(failures(view)).toEqual([name]);
  });

  test("every mutation is of a check", () => {
    expect(Object.keys(MUTATIONS).sort()).toEqual(VMRUN_CHECKS.map((c) => c.name).sort());
  });
});

describe("limits", () => {
  test.each([
    // Both as kvm-unit-tests finds them on hardware.
    ["IOPM_BASE_PA", (1n << 40n) - 0x3000n, []],
    ["IOPM_BASE_PA", (1n << 40n) - 0x2001n, []],
    ["IOPM_BASE_PA", (1n << 40n) - 0x1000n, ["IOPM_BASE_ADDRESS"]],
    ["MSRPM_BASE_PA", (1n << 40n) - 0x3000n, []],
    ["MSRPM_BASE_PA", 1n << 40n, ["MSRPM_BASE_ADDRESS"]],
  ] as const)("%s %s", (field, value, expected) => {
    const rig = makeRig();
    rig.vmcb.write(field, value);
    expect(failures(checkView(rig.cpu, rig.vmcb))).toEqual(expected);
  });

  test("nested paging leaves the guest's PDPTEs unchecked", () => {
    const rig = makeRig();
    MUTATIONS.PDPTE_RESERVED!(rig);
    nested(rig);
    expect(failures(checkView(rig.cpu, rig.vmcb))).toEqual([]);
  });
});

describe("event injection", () => {
  const legal = (word: bigint, long: boolean): string[] => {
    const rig = makeRig();
    if (long) longMode(rig);
    rig.vmcb.write("EVENTINJ", word);
    return failures(checkView(rig.cpu, rig.vmcb));
  };

  test.each([0, 1, 2, 3, 4, 5, 6, 7])("type %d", (type) => {
    const expected = [0, 2, 3, 4].includes(type) ? [] : ["EVENTINJ_TYPE"];
    expect(legal(0x8000_0000n | (BigInt(type) << 8n) | 13n, true)).toEqual(expected);
    expect(legal(0x0000_0000n | (BigInt(type) << 8n) | 13n, true)).toEqual([]);
  });

  test.each([
    [31, []],
    [32, ["EVENTINJ_VECTOR"]],
    [2, ["EVENTINJ_VECTOR"]],
    [255, ["EVENTINJ_VECTOR"]],
  ] as const)("exception vector %d", (vector, expected) => {
    expect(legal(0x8000_0300n | BigInt(vector), false)).toEqual(expected);
  });

  test.each([4, 5])("#OF and #BR (%d) exist outside 64-bit mode only", (vector) => {
    expect(legal(0x8000_0300n | BigInt(vector), false)).toEqual([]);
    expect(legal(0x8000_0300n | BigInt(vector), true)).toEqual(["EVENTINJ_MODE"]);
    expect(legal(0x8000_0400n | BigInt(vector), true)).toEqual([]);
  });
});

test("the first failed check is reported by name, and the save area stays", () => {
  const rig = makeRig();
  rig.vmcb.write("GUEST_ASID", 0);
  rig.vmcb.write("EFER", 0n);
  const before = rig.cpu.physical.peek(0x9400, 0xc00);
  const reported: (string | undefined)[] = [];
  rig.cpu.observers.attach({
    name: "test",
    on: {
      exit: (e) => {
        reported.push(e.failedCheck);
        return undefined;
      },
    },
  });
  vmrun(execution(rig.cpu));
  expect(reported).toEqual(["GUEST_ASID_ZERO"]);
  expect(rig.vmcb.read("EXITCODE")).toBe(0xffff_ffff_ffff_ffffn);
  expect(rig.cpu.physical.peek(0x9400, 0xc00)).toEqual(before);
  expect(rig.cpu.state.guestMode).toBe(0);
  expect(rig.cpu.state.gif).toBe(0);
  expect(rig.cpu.state.rip).toBe(0x4003n);
});
