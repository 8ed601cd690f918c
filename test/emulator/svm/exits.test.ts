// The exit table, and exits told in words.
import { describe, expect, test } from "vitest";
import { describeExit } from "../../../emulator/svm/exit-info.ts";
import {
  EXITS,
  exitByName,
  exitHasNextRip,
  exitName,
  exitOf,
} from "../../../emulator/svm/exits.ts";
import { INTERCEPTS } from "../../../emulator/svm/intercepts.ts";

describe("the table", () => {
  test("codes and names are unique and find each other", () => {
    expect(new Set(EXITS.map((e) => e.code)).size).toBe(EXITS.length);
    expect(new Set(EXITS.map((e) => e.name)).size).toBe(EXITS.length);
    for (const exit of EXITS) {
      expect(exitOf(exit.code)).toBe(exit);
      expect(exitOf(BigInt.asUintN(64, BigInt(exit.code)))).toBe(exit);
      expect(exitByName(exit.name)).toBe(exit);
      expect(exit.doc).not.toBe("");
    }
  });

  test("every intercept has its exit", () => {
    for (const { exitCode } of Object.values(INTERCEPTS)) expect(exitOf(exitCode)).toBeDefined();
  });

  test.each([
    [0x00, "CR0_READ"],
    [0x13, "CR3_WRITE"],
    [0x18, "CR8_WRITE"],
    [0x27, "DR7_READ"],
    [0x37, "DR7_WRITE"],
    [0x41, "EXCP_DB"],
    [0x4e, "EXCP_PF"],
    [0x4f, "EXCP_15"],
    [0x60, "INTR"],
    [0x65, "CR0_SEL_WRITE"],
    [0x72, "CPUID"],
    [0x75, "SWINT"],
    [0x7b, "IOIO"],
    [0x7f, "SHUTDOWN"],
    [0x81, "VMMCALL"],
    [0x400, "NPF"],
    [-1, "INVALID"],
    [0x123, "0x123"],
  ] as const)("%d is %s", (code, name) => {
    expect(exitName(code)).toBe(name);
  });

  test("nRIP comes with intercepted instructions only", () => {
    const without = EXITS.filter((e) => !exitHasNextRip(e.code)).map((e) => e.name);
    expect(without.filter((n) => !n.startsWith("EXCP_"))).toEqual([
      ...["INTR", "NMI", "SMI", "INIT", "VINTR", "TASK_SWITCH", "FERR_FREEZE", "SHUTDOWN"],
      ...["NPF", "INVALID"],
    ]);
    const exceptions = EXITS.filter((e) => e.kind === "exception" && exitHasNextRip(e.code));
    expect(exceptions.map((e) => e.name)).toEqual(["EXCP_BP", "EXCP_OF", "EXCP_BR"]);
  });
});

describe("in words", () => {
  // EXITINFO1 of the nested faults as kvm-unit-tests finds them on hardware.
  test.each([
    [
      [0x400n, 0x1_0000_0006n, 0x3000_0008n],
      "NPF: write to gpa 0x30000008 not present, final translation",
    ],
    [[0x400n, 0x1_0000_0004n, 0x1000n], "NPF: read of gpa 0x1000 not present, final translation"],
    [[0x400n, 0x1_0000_0005n, 0x1000n], "NPF: read of gpa 0x1000 not permitted, final translation"],
    [
      [0x400n, 0x1_0000_0007n, 0x1000n],
      "NPF: write to gpa 0x1000 not permitted, final translation",
    ],
    [
      [0x400n, 0x2_0000_0007n, 0x5000n],
      "NPF: write to gpa 0x5000 not permitted, guest page-table walk",
    ],
    [
      [0x400n, 0x1_0000_0015n, 0x1000n],
      "NPF: fetch from gpa 0x1000 not permitted, final translation",
    ],
    [
      [0x400n, 0x1_0000_000dn, 0x1000n],
      "NPF: read of gpa 0x1000 reserved bit set in a nested table, final translation",
    ],
    [[0x7bn, 0x03f8_0110n, 0x1002n], "IOIO: out 0x3f8, 1 byte, next rip 0x1002"],
    [[0x7bn, 0x03fd_0111n, 0x1002n], "IOIO: in 0x3fd, 1 byte, next rip 0x1002"],
    [
      [0x7bn, 0x01f0_022dn, 0x20n],
      "IOIO: rep ins 0x1f0, 2 bytes, segment ES, 64-bit address, next rip 0x20",
    ],
    [
      [0x7bn, 0x01f0_10c4n, 0x20n],
      "IOIO: outs 0x1f0, 4 bytes, segment FS, 16-bit address, next rip 0x20",
    ],
    [[0x7cn, 0n, 0n, 0xc000_0080n], "MSR: read of MSR 0xc0000080"],
    [[0x7cn, 1n, 0n, 0xffff_ffff_0000_001bn], "MSR: write of MSR 0x1b"],
    [[0x7cn, 1n, 0n], "MSR: write"],
    [[0x13n, (1n << 63n) | 7n, 0n], "CR3_WRITE: write of CR3, general register 7"],
    [[0x10n, 0n, 0n], "CR0_WRITE: write of CR0"],
    [[0x27n, 3n, 0n], "DR7_READ: read of DR7, general register 3"],
    [[0x4en, 6n, 0x1234n], "EXCP_PF: user write to gva 0x1234 not present"],
    [[0x4dn, 0x18n, 0n], "EXCP_GP: error 0x18"],
    [[0x46n, 0n, 0n], "EXCP_UD"],
    [[0x75n, 0x80n, 0n], "SWINT: vector 0x80"],
    [[0x79n, 0xffff_8000_0000_0000n, 0n], "INVLPG: address 0xffff800000000000"],
    [[0x7dn, 0x28n, (1n << 38n) | (1n << 48n)], "TASK_SWITCH: to TSS selector 0x28 by JMP"],
    [[0x72n, 0n, 0n], "CPUID"],
    [[0xffff_ffff_ffff_ffffn, 0n, 0n], "INVALID"],
    [[0x999n, 0n, 0n], "0x999"],
  ] as const)("%o", ([code, info1, info2, rcx], text) => {
    expect(describeExit({ code, info1, info2, ...(rcx === undefined ? {} : { rcx }) })).toBe(text);
  });
});
