/** The VMCB as a record: every field by the manual's name, segments and intercepts by name. */
import {
  INTERCEPTS,
  VMCB_FIELDS,
  type VmcbFieldName,
  type VmcbSegment,
  type VmcbView,
  vmcbFieldBytes,
} from "../../emulator/index.ts";
import type { Bytes, Result } from "../evaluate/value.ts";
import { span } from "../evaluate/value.ts";
import { BOOLEAN, INTEGER, rangeOf, recordOf, type Type } from "../language/types.ts";
import { defineRecord, type FieldRow } from "./record.ts";

/** Host-physical address of the VMCB. */
type Address = number;
interface SegmentHandle {
  readonly segment: VmcbSegment;
  readonly first: number;
}

const at = (vmcb: Address, name: VmcbFieldName): Bytes => {
  const bytes = vmcbFieldBytes(name);
  return { first: vmcb + VMCB_FIELDS[name].offset, bytes, statusBits: 0n };
};

const part = (offset: number, bytes: number) => (of: SegmentHandle) => {
  return { first: of.first + offset, bytes, statusBits: 0n };
};

export const SEGMENT = defineRecord<SegmentHandle>("Segment", {
  doc: "A segment register as the VMCB holds it.",
  isLive: false,
  same: (a, b) =>
    a.first === b.first &&
    a.segment.selector === b.segment.selector &&
    a.segment.attributes === b.segment.attributes &&
    a.segment.limit === b.segment.limit &&
    a.segment.base === b.segment.base,
  fields: {
    selector: {
      type: INTEGER,
      doc: "The selector.",
      read: ({ segment }) => BigInt(segment.selector),
      bytes: part(0, 2),
    },
    attributes: {
      type: INTEGER,
      doc: "Type, S, DPL, P, AVL, L, D/B and G in bits 11:0.",
      section: "15.5.1",
      read: ({ segment }) => BigInt(segment.attributes),
      bytes: part(2, 2),
    },
    limit: {
      type: INTEGER,
      doc: "The limit in bytes.",
      read: ({ segment }) => BigInt(segment.limit >>> 0),
      bytes: part(4, 4),
    },
    base: {
      type: INTEGER,
      doc: "The base.",
      read: ({ segment }) => segment.base,
      bytes: part(8, 8),
    },
    value: {
      type: INTEGER,
      doc: "All 16 bytes, to compare it as a whole.",
      read: ({ segment: { selector, attributes, limit, base } }) =>
        (base << 64n) |
        (BigInt(limit >>> 0) << 32n) |
        BigInt(((attributes << 16) | selector) >>> 0),
      bytes: part(0, 16),
    },
  },
});

const WORD_FIELDS = {
  interceptMisc1: "INTERCEPT_MISC1",
  interceptMisc2: "INTERCEPT_MISC2",
} as const;

function interceptRows(): { [name: string]: FieldRow<Address> } {
  const rows = Object.entries(INTERCEPTS).map(
    ([name, { word, bit }]): [string, FieldRow<Address>] => [
      name,
      {
        type: BOOLEAN,
        doc: `Whether ${name} is intercepted.`,
        section: "15.9",
        read: (vmcb, view) => {
          const value = view.vmcbAt(vmcb).read(WORD_FIELDS[word]);
          return ((value >>> bit) & 1) !== 0;
        },
        bytes: (vmcb) => {
          const { first } = at(vmcb, WORD_FIELDS[word]);
          return { first: first + (bit >> 3), bytes: 1, statusBits: 0n };
        },
      },
    ],
  );
  return Object.fromEntries(rows);
}

export const INTERCEPT_BITS = defineRecord<Address>("Intercepts", {
  doc: "The intercepts of words 3 and 4 of a VMCB, by name.",
  isLive: true,
  fields: interceptRows(),
});

function typeOf(name: VmcbFieldName): Type {
  return VMCB_FIELDS[name].type === "segment" ? recordOf("Segment") : INTEGER;
}

function readField(name: VmcbFieldName, vmcb: Address, view: VmcbView): Result {
  const value = view.read(name);
  if (typeof value === "number") return BigInt(value >>> 0);
  if (typeof value === "bigint") return value;
  if (value instanceof Uint8Array) {
    return value.reduceRight((whole, byte) => (whole << 8n) | BigInt(byte), 0n);
  }
  return SEGMENT.make({ segment: value, first: vmcb + VMCB_FIELDS[name].offset });
}

function fieldRows(): { [name: string]: FieldRow<Address> } {
  const names = Object.keys(VMCB_FIELDS) as VmcbFieldName[];
  const rows = names.map((name): [string, FieldRow<Address>] => [
    name,
    {
      type: typeOf(name),
      doc: `${VMCB_FIELDS[name].doc}.`,
      section: "appendix B",
      read: (vmcb, view) => readField(name, vmcb, view.vmcbAt(vmcb)),
      bytes: (vmcb) => at(vmcb, name),
    },
  ]);
  return Object.fromEntries(rows);
}

export const VMCB = defineRecord<Address>("Vmcb", {
  doc: "A virtual machine control block.",
  isLive: true,
  describe: (vmcb) => `the VMCB at hpa:0x${vmcb.toString(16)}`,
  fields: {
    ...fieldRows(),
    intercepts: {
      type: recordOf("Intercepts"),
      doc: "Intercepts of words 3 and 4 by name.",
      section: "15.9",
      read: (vmcb) => INTERCEPT_BITS.make(vmcb),
    },
    hpa: { type: INTEGER, doc: "Its first byte.", read: (vmcb) => BigInt(vmcb) },
    range: {
      type: rangeOf("hpa"),
      doc: "Its 4 KiB.",
      read: (vmcb) => span("hpa", BigInt(vmcb), 4096n),
    },
  },
});
