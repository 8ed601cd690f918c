/** What happened at an event: the last exit, the write or exception that it is about, the guest. */
import { EXCEPTIONS, exitFields, NPF_EXIT } from "../../emulator/index.ts";
import { span, Unknown } from "../evaluate/value.ts";
import { BOOLEAN, INTEGER, rangeOf } from "../language/types.ts";
import { defineRecord, type FieldRow } from "./record.ts";
import type { ExitFacts, RaisedFacts, View, WriteFacts } from "./view.ts";

/** A field that only some exits have, by its name in exitFields(). */
function detail(name: string, doc: string): FieldRow<ExitFacts> {
  return {
    type: INTEGER,
    doc,
    section: "15.8",
    read: ({ code, info1, info2 }, { machine }) => {
      const rcx = machine.state.rcx;
      const value = exitFields({ code, info1, info2, rcx })[name];
      if (typeof value === "number" || typeof value === "bigint") return BigInt(value);
      if (typeof value === "boolean") return value ? 1n : 0n;
      return new Unknown(`this exit has no ${name}`);
    },
  };
}

export const EXIT = defineRecord<ExitFacts>("Exit", {
  doc: "The last #VMEXIT.",
  isLive: false,
  same: (a, b) => a.number === b.number,
  describe: ({ number }) => `exit ${number}`,
  fields: {
    number: { type: INTEGER, doc: "From 1.", read: ({ number }) => BigInt(number) },
    code: {
      type: INTEGER,
      doc: "EXITCODE; compare it with an exit's name, as exit.code == NPF.",
      section: "appendix C",
      read: ({ code }) => BigInt.asIntN(64, code),
    },
    info1: { type: INTEGER, doc: "EXITINFO1.", section: "15.8", read: ({ info1 }) => info1 },
    info2: { type: INTEGER, doc: "EXITINFO2.", section: "15.8", read: ({ info2 }) => info2 },
    rip: { type: INTEGER, doc: "The guest's rip.", read: ({ guestRip }) => guestRip },
    port: detail("port", "The port of an IOIO exit."),
    msr: detail("msr", "The MSR of an MSR exit, while its handler has not changed rcx."),
    address: detail("address", "The faulting address of EXCP_PF, INVLPG and INVLPGA."),
    gpa: {
      type: INTEGER,
      doc: "The guest-physical address of an NPF exit.",
      section: "15.25.6",
      read: ({ code, info2 }) =>
        code === BigInt(NPF_EXIT) ? info2 : new Unknown("this exit is no nested page fault"),
    },
  },
});

export const WRITTEN = defineRecord<WriteFacts>("Written", {
  doc: "The write that a write event is about.",
  isLive: false,
  describe: ({ address }) => `the write to hpa:0x${address.toString(16)}`,
  bytes: ({ address, bytes, msr }) =>
    msr === undefined ? { first: address, bytes, statusBits: 0n } : undefined,
  fields: {
    range: {
      type: rangeOf("hpa"),
      doc: "The bytes written; none for an MSR.",
      read: ({ address, bytes }) => span("hpa", BigInt(address), BigInt(bytes)),
    },
    before: {
      type: INTEGER,
      doc: "What was there.",
      read: ({ before }) => before ?? new Unknown("the MSR cannot be read"),
    },
    after: { type: INTEGER, doc: "What is there now.", read: ({ after }) => after },
    msr: {
      type: INTEGER,
      doc: "The MSR's number.",
      read: ({ msr }) => (msr === undefined ? new Unknown("no MSR was written") : BigInt(msr)),
    },
    by_guest: { type: BOOLEAN, doc: "Whether a guest wrote.", read: ({ byGuest }) => byGuest },
  },
});

export const RAISED = defineRecord<RaisedFacts>("Raised", {
  doc: "An exception that the host is about to take.",
  isLive: false,
  describe: ({ vector }) => `the exception of vector ${vector}`,
  fields: {
    vector: {
      type: INTEGER,
      doc: "Compare it with VECTOR_PF and the like.",
      section: "8.2",
      read: ({ vector }) => BigInt(vector),
    },
    error_code: {
      type: INTEGER,
      doc: "The error code, where it has one.",
      section: "8.4",
      read: ({ errorCode }) =>
        errorCode === undefined ? new Unknown("it has no error code") : BigInt(errorCode),
    },
    address: {
      type: INTEGER,
      doc: "The linear address of a page fault.",
      section: "8.2.15",
      read: ({ address, vector }) =>
        vector === EXCEPTIONS.PF.vector ? address : new Unknown("it is no page fault"),
    },
  },
});

type GuestHandle = { readonly number: number };

export const GUEST = defineRecord<GuestHandle>("Guest", {
  doc: "A guest: the Nth nCR3 that VMRUN met, or the Nth VMCB without nested paging.",
  isLive: true,
  same: (a, b) => a.number === b.number,
  describe: ({ number }) => `guest ${number}`,
  fields: {
    number: { type: INTEGER, doc: "From 1.", read: ({ number }) => BigInt(number) },
    vmcb: {
      type: INTEGER,
      doc: "Host-physical address of the VMCB that ran it last.",
      section: "15.5",
      read: ({ number }, { guests }) => vmcbOf(number, guests),
    },
    asid: {
      type: INTEGER,
      doc: "The ASID of its VMCB.",
      section: "15.16",
      read: ({ number }, view) => vmcbField(number, view, "GUEST_ASID"),
      bytes: ({ number }, { guests }) => {
        const vmcb = guests.vmcbOf(number);
        return vmcb === undefined ? undefined : { first: vmcb + 0x58, bytes: 4, statusBits: 0n };
      },
    },
    ncr3: {
      type: INTEGER,
      doc: "nCR3 of its VMCB.",
      section: "15.25.3",
      read: ({ number }, view) => vmcbField(number, view, "nCR3"),
    },
  },
});

function vmcbOf(number: number, guests: View["guests"]): bigint | Unknown {
  const vmcb = guests.vmcbOf(number);
  return vmcb === undefined ? new Unknown(`guest ${number} has not run`) : BigInt(vmcb);
}

function vmcbField(number: number, view: View, name: "GUEST_ASID" | "nCR3") {
  const vmcb = vmcbOf(number, view.guests);
  if (vmcb instanceof Unknown) return vmcb;
  return BigInt(view.vmcbAt(Number(vmcb)).read(name));
}
