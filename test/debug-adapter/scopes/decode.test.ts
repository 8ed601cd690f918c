// Decoders of the scopes against raw values worked out from the manual.
import { describe, expect, test } from "vitest";
import { entryAddress, entryText } from "../../../debug-adapter/addresses/page-entry.ts";
import { interceptOf } from "../../../debug-adapter/exits/exit-cause.ts";
import type { ExitRecord } from "../../../debug-adapter/exits/exit-log.ts";
import { operandAddresses } from "../../../debug-adapter/exits/guest-operands.ts";
import { IcedDisassembler } from "../../../debug-adapter/node/iced-disassembler.ts";
import { eventText } from "../../../debug-adapter/scopes/exit.ts";
import { extendedText } from "../../../debug-adapter/scopes/vector-registers.ts";
import {
  EXITS,
  exitByName,
  Machine,
  type TranslationLevel,
  VMCB_FIELDS,
  type VmcbField,
  VmcbView,
} from "../../../emulator/index.ts";

describe("intercept bits", () => {
  // APM volume 2, table B-1.
  test.each([
    ["CR3_WRITE", "INTERCEPT_CR_WRITE", 3],
    ["DR7_READ", "INTERCEPT_DR_READ", 7],
    ["EXCP_PF", "INTERCEPT_EXCEPTIONS", 14],
    ["INTR", "INTERCEPT_MISC1", 0],
    ["SWINT", "INTERCEPT_MISC1", 21],
    ["SHUTDOWN", "INTERCEPT_MISC1", 31],
    ["VMRUN", "INTERCEPT_MISC2", 0],
    ["XSETBV", "INTERCEPT_MISC2", 13],
  ])("%s: %s bit %i", (name, field, bit) => {
    const exit = exitByName(name);
    expect(exit && interceptOf(exit)).toMatchObject({ field, bit });
  });

  test("every exit has one but NPF and INVALID, and the VMCB's table names the same bit", () => {
    const without = EXITS.filter((exit) => interceptOf(exit) === undefined);
    expect(without.map((exit) => exit.name)).toEqual(["NPF", "INVALID"]);
    for (const exit of EXITS) {
      const found = interceptOf(exit);
      if (found === undefined) continue;
      const field: VmcbField = VMCB_FIELDS[found.field];
      const named = field.bits?.[found.name];
      // Reserved exception vectors have no name in the table.
      if (named !== undefined || exit.kind !== "exception")
        expect(named, exit.name).toBe(found.bit);
    }
  });
});

const rights = { write: true, user: true, execute: true };
const entry = (part: Partial<TranslationLevel>): TranslationLevel => ({
  ...{ stage: "nested", entry: "PDE", level: 2, index: 0, address: 0x1000, value: 0n },
  ...{ bytes: 8, guestAddress: undefined, leaf: false, rights },
  ...part,
});

describe("page-table entries", () => {
  test.each([
    [entry({ value: 0n }), "not present", 0n],
    [entry({ value: 0x1234_5067n }), "P R/W U/S A, table 0x12345000", 0x1234_5000n],
    [
      entry({ value: 0x8000_0000_4020_00e5n, leaf: true }),
      "P U/S A D PS NX, page 0x40200000",
      0x4020_0000n,
    ],
    [
      entry({ value: 0x0000_00ff_c000_0081n, level: 3, entry: "PDPE", leaf: true }),
      "P PS, page 0xffc0000000",
      0xff_c000_0000n,
    ],
    [
      entry({ value: 0x0000_0000_0000_7163n, level: 1, entry: "PTE", leaf: true }),
      "P R/W A D G, page 0x7000",
      0x7000n,
    ],
    [entry({ value: 0x0040_0083n, bytes: 4, leaf: true }), "P R/W PS, page 0x400000", 0x40_0000n],
  ])("%#", (level, text, address) => {
    expect(entryText(level)).toBe(text);
    expect(entryAddress(level)).toBe(address);
  });
});

test("events in words, with the address of a page fault", () => {
  const vmcb = new VmcbView(new Machine({ ramBytes: 0x10_0000 }).memory, 0x1000);
  vmcb.write("CR2", 0x7fff_1000n);
  expect(eventText(0n, vmcb)).toBe("none");
  expect(eventText(0x8000_0030n, vmcb)).toBe("interrupt 0x30");
  expect(eventText(0x0000_0006_8000_0b0en, vmcb)).toBe("exception #PF error 0x6 at 0x7fff1000");
  expect(eventText(0x0000_0006_0000_0b0en, vmcb)).toBe("none");
  expect(eventText(0x8000_040en, vmcb)).toBe("software interrupt 0xe");
});

test("80-bit numbers", () => {
  const make = (sign: bigint, exponent: bigint, significand: bigint) =>
    (sign << 79n) | (exponent << 64n) | significand;
  const one = 1n << 63n;
  expect(extendedText(make(0n, 16383n, one))).toBe("1");
  expect(extendedText(make(1n, 16384n, one | (1n << 62n)))).toBe("-3");
  expect(extendedText(make(0n, 0n, 0n))).toBe("0");
  expect(extendedText(make(1n, 0n, 0n))).toBe("-0");
  expect(extendedText(make(0n, 0x7fffn, one))).toBe("inf");
  expect(extendedText(make(1n, 0x7fffn, one | 1n))).toBe("NaN");
  // Beyond doubles.
  expect(extendedText(make(0n, 0x7ffen, one))).toBe("1 * 2^16383");
});

test("operands of the disassembler's text as linear addresses", () => {
  const { memory } = new Machine({ ramBytes: 0x10_0000 });
  const vmcb = new VmcbView(memory, 0x1000);
  vmcb.write("EFER", 0x500n);
  vmcb.write("RSP", 0x8000n);
  vmcb.write("CS", { selector: 8, attributes: 0x29b, limit: 0xffff_ffff, base: 0n });
  vmcb.write("DS", { selector: 16, attributes: 0xc93, limit: 0xffff_ffff, base: 0x5000n });
  vmcb.write("FS", { selector: 0, attributes: 0x93, limit: 0, base: 0x7_0000_0000n });
  const registers = new Map([
    ["rbx", 0x1000n],
    ["rcx", 3n],
    ["rsp", 0x8000n],
  ] as const);
  const exit = { registers } as Pick<ExitRecord, "registers">;
  const disassembler = new IcedDisassembler();
  const first = (bits: 16 | 64, ...bytes: number[]) => {
    const [instruction] = disassembler.decode(Uint8Array.from(bytes), 0n, bits, 1);
    return operandAddresses(instruction?.text ?? "", exit, vmcb)[0];
  };
  // mov %fs:0x10(%rbx,%rcx,4),%eax; mov -8(%rbx),%eax; mov (%rsp),%eax: segments but FS are flat.
  expect(first(64, 0x64, 0x8b, 0x44, 0x8b, 0x10)).toBe(0x7_0000_101cn);
  expect(first(64, 0x8b, 0x43, 0xf8)).toBe(0xff8n);
  expect(first(64, 0x8b, 0x04, 0x24)).toBe(0x8000n);
  // Real mode: mov 0x20(%bx),%al, and the absolute mov 0x1234,%al, through DS.
  vmcb.write("EFER", 0n);
  vmcb.write("CS", { selector: 0, attributes: 0x9b, limit: 0xffff, base: 0n });
  expect(first(16, 0x8a, 0x47, 0x20)).toBe(0x6020n);
  expect(first(16, 0xa0, 0x34, 0x12)).toBe(0x6234n);
});
