// The VMCB's field table: no overlaps, round trips, and its offsets against those of the manual.
import { expect, test } from "vitest";
import { decodeEvent, describeEvent, encodeEvent } from "../../../emulator/svm/event-format.ts";
import { INTERCEPTS, type InterceptName } from "../../../emulator/svm/intercepts.ts";
import {
  describeBits,
  VMCB_FIELDS,
  type VmcbFieldName,
  vmcbFieldBytes,
} from "../../../emulator/svm/vmcb.ts";
import { encodeVmcbField, VmcbView } from "../../../emulator/svm/vmcb-view.ts";
import { makeRig, VMCB } from "./fixture.ts";

const NAMES = Object.keys(VMCB_FIELDS) as VmcbFieldName[];

/** A value for the field in which every byte differs. */
function sample(name: VmcbFieldName): number | bigint | object {
  const bytes = Array.from({ length: vmcbFieldBytes(name) }, (_, i) => 0x81 + i);
  const word = (from: number, count: number): bigint =>
    bytes.slice(from, from + count).reduceRight((all, b) => (all << 8n) | BigInt(b), 0n);
  switch (VMCB_FIELDS[name].type) {
    case "segment":
      return {
        selector: Number(word(0, 2)),
        attributes: Number(word(2, 2)),
        limit: Number(word(4, 4)),
        base: word(8, 8),
      };
    case "bytes15":
      return new Uint8Array(bytes);
    case "u64":
      return word(0, 8);
    default:
      return Number(word(0, bytes.length));
  }
}

test.each(NAMES)("%s keeps what is written, and touches no other byte", (name) => {
  const { cpu } = makeRig();
  cpu.physical.poke(VMCB, new Uint8Array(4096));
  const view = new VmcbView(cpu.physical, VMCB);
  const value = sample(name);
  view.write(name, value as never);
  expect(view.read(name)).toEqual(value);
  const page = cpu.physical.peek(VMCB, 4096);
  const { offset } = VMCB_FIELDS[name];
  const bytes = vmcbFieldBytes(name);
  expect(page.slice(offset, offset + bytes)).toEqual(encodeVmcbField(name, value as never));
  page.fill(0, offset, offset + bytes);
  expect(page.every((b) => b === 0)).toBe(true);
});

test("fields do not overlap and stay in their area", () => {
  const sorted = NAMES.map((n) => ({ n, ...VMCB_FIELDS[n], bytes: vmcbFieldBytes(n) })).sort(
    (a, b) => a.offset - b.offset,
  );
  let end = 0;
  for (const field of sorted) {
    expect(field.offset, field.n).toBeGreaterThanOrEqual(end);
    end = field.offset + field.bytes;
    expect(field.area, field.n).toBe(field.offset < 0x400 ? "control" : "save");
  }
});

test("offsets are those of appendix B", () => {
  const offsets = Object.fromEntries(NAMES.map((n) => [n, VMCB_FIELDS[n].offset.toString(16)]));
  expect(offsets).toMatchObject({
    ...{ IOPM_BASE_PA: "40", MSRPM_BASE_PA: "48", TSC_OFFSET: "50", GUEST_ASID: "58" },
    ...{ TLB_CONTROL: "5c", VINTR: "60", INTERRUPT_SHADOW: "68", EXITCODE: "70" },
    ...{ EXITINFO1: "78", EXITINFO2: "80", EXITINTINFO: "88", NP_ENABLE: "90", EVENTINJ: "a8" },
    ...{ nCR3: "b0", VIRT_EXT: "b8", VMCB_CLEAN: "c0", nRIP: "c8", NUMBER_OF_BYTES_FETCHED: "d0" },
    ...{ ES: "400", GDTR: "460", TR: "490", CPL: "4cb", EFER: "4d0", CR4: "548", CR3: "550" },
    ...{ CR0: "558", DR7: "560", DR6: "568", RFLAGS: "570", RIP: "578", RSP: "5d8", RAX: "5f8" },
    ...{ STAR: "600", SFMASK: "618", KernelGsBase: "620", SYSENTER_EIP: "638", CR2: "640" },
    ...{ G_PAT: "668", DBGCTL: "670", LASTEXCPTO: "690" },
  });
});

test("intercept words decode to the names of the intercepts", () => {
  for (const name of Object.keys(INTERCEPTS) as InterceptName[]) {
    const { word, bit } = INTERCEPTS[name];
    const field = word === "interceptMisc1" ? "INTERCEPT_MISC1" : "INTERCEPT_MISC2";
    expect(describeBits(field, 1n << BigInt(bit))).toBe(name);
  }
});

test("words are told by their parts", () => {
  expect(describeBits("VINTR", 0x30_0118_0105n)).toBe(
    "V_TPR=0x5 V_IRQ V_INTR_PRIO=0x8 V_IGN_TPR V_INTR_MASKING V_INTR_VECTOR=0x30",
  );
  expect(describeBits("EVENTINJ", 0x5_8000_0b0dn)).toBe("VECTOR=0xd TYPE=0x3 EV V ERRORCODE=0x5");
  expect(describeBits("CR0", 0x8000_0011n)).toBe("PE ET PG");
  expect(describeBits("RIP", 0x1000n)).toBe("");
});

test.each([
  [{ type: "interrupt", vector: 0x30, errorCode: undefined }, 0x8000_0030n, "interrupt 0x30"],
  [{ type: "nmi", vector: 2, errorCode: undefined }, 0x8000_0202n, "NMI"],
  [{ type: "exception", vector: 14, errorCode: 6 }, 0x6_8000_0b0en, "exception #PF error 0x6"],
  [
    { type: "softwareInterrupt", vector: 0x80, errorCode: undefined },
    0x8000_0480n,
    "software interrupt 0x80",
  ],
] as const)("event %o", (event, word, text) => {
  expect(encodeEvent(event)).toBe(word);
  expect(decodeEvent(word)).toEqual(event);
  expect(describeEvent(word)).toBe(text);
});

test("an event without V is none", () => {
  expect(decodeEvent(0x41cn)).toBeUndefined();
  expect(describeEvent(0x308n)).toBe("none");
});

test("a VMCB outside RAM reads all ones", () => {
  const { cpu } = makeRig();
  const view = new VmcbView(cpu.physical, 0xfee0_0000);
  expect(view.read("EXITCODE")).toBe(0xffff_ffff_ffff_ffffn);
});
