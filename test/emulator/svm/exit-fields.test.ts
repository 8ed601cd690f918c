// Exits as named values for conditions.
import { expect, test } from "vitest";
import { exitFields } from "../../../emulator/svm/exit-fields.ts";
import { EXITS } from "../../../emulator/svm/exits.ts";

test.each([
  [
    { code: 0x7bn, info1: 0x03f8_0210n, info2: 0x1002n },
    { reason: "IOIO", port: 0x3f8, size: 1, in: false, addressSize: 64, nextRip: 0x1002n },
  ],
  [
    { code: 0x7cn, info1: 1n, info2: 0n, rcx: 0xc000_0080n },
    { reason: "MSR", msr: 0xc000_0080, write: true },
  ],
  [
    { code: 0x400n, info1: 0x1_0000_0006n, info2: 0x3000_0008n },
    { reason: "NPF", gpa: 0x3000_0008n, write: true, present: false, finalTranslation: true },
  ],
  [
    { code: 0x14n, info1: (1n << 63n) | 2n, info2: 0n },
    { reason: "CR4_WRITE", register: 4, write: true, general: 2 },
  ],
  [
    { code: 0x65n, info1: 0n, info2: 0n },
    { reason: "CR0_SEL_WRITE", register: 0, write: true },
  ],
  [
    { code: 0x4en, info1: 6n, info2: 0x1234n },
    { reason: "EXCP_PF", vector: 14, errorCode: 6, address: 0x1234n },
  ],
  [
    { code: 0x75n, info1: 0x80n, info2: 0n },
    { reason: "SWINT", vector: 0x80 },
  ],
] as const)("%o", (words, fields) => {
  expect(exitFields(words)).toMatchObject(fields);
});

test("every exit has a reason, and EXITINTINFO adds its event", () => {
  for (const { code, name } of EXITS) {
    const words = { code: BigInt.asUintN(64, BigInt(code)), info1: 0n, info2: 0n };
    expect(exitFields(words).reason).toBe(name);
    expect(exitFields(words, 0x8000_0030n)).toMatchObject({
      eventType: "interrupt",
      eventVector: 0x30,
    });
  }
});
