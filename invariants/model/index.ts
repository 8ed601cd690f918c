/** Everything that is built into the invariant language: globals here, the rest from its own tables. */
import { EXITS } from "../../emulator/index.ts";
import { type Result, span, Unknown } from "../evaluate/value.ts";
import type { BuiltIns, GlobalDeclaration } from "../language/declarations.ts";
import { BOOLEAN, INTEGER, listOf, rangeOf, recordOf } from "../language/types.ts";
import { CHANGE } from "./change.ts";
import { CONSTANTS, EXCEPTION_VECTORS, MSR_NUMBERS } from "./constants.ts";
import { CPU, HOST, MSR_VALUES } from "./cpu.ts";
import { EXIT, GUEST, RAISED, WRITTEN } from "./event.ts";
import { FUNCTIONS } from "./functions.ts";
import { HYPERVISOR } from "./hypervisor.ts";
import { ENTRY, LEAF, PAGE_TABLES, TABLE } from "./page-tables.ts";
import type { RecordModel } from "./record.ts";
import type { View } from "./view.ts";
import { INTERCEPT_BITS, SEGMENT, VMCB } from "./vmcb.ts";

const RECORDS: readonly RecordModel[] = [
  ...[VMCB, SEGMENT, INTERCEPT_BITS, CPU, HOST, MSR_VALUES, EXIT, WRITTEN, RAISED, CHANGE, GUEST],
  ...[HYPERVISOR, PAGE_TABLES, LEAF, ENTRY, TABLE],
];

export interface GlobalModel extends GlobalDeclaration {
  read(view: View): Result;
}

const AT_WRITES = ["npt_write", "vmcb_write", "msr_write", "text_write", "write"] as const;

export const GLOBALS: { readonly [name: string]: GlobalModel } = {
  vmcb: {
    type: recordOf("Vmcb"),
    doc: "The VMCB that VMRUN runs or ran last.",
    section: "15.5",
    read: ({ context }) => (context instanceof Unknown ? context : VMCB.make(context.vmcb)),
  },
  cpu: {
    type: recordOf("Cpu"),
    doc: "The CPU's registers as they are.",
    read: ({ machine }) => CPU.make(machine),
  },
  host: {
    type: recordOf("Host"),
    doc: "The host at the VMRUN that comes or came last.",
    section: "15.5",
    read: ({ context }) => (context instanceof Unknown ? context : HOST.make(context)),
  },
  msr: {
    type: recordOf("Msrs"),
    doc: "The CPU's model-specific registers.",
    read: ({ machine }) => MSR_VALUES.make(machine),
  },
  exit: {
    type: recordOf("Exit"),
    doc: "The last #VMEXIT.",
    section: "15.6",
    read: ({ exit }) =>
      exit === undefined ? new Unknown("there was no exit yet") : EXIT.make(exit),
  },
  written: {
    type: recordOf("Written"),
    doc: "The write that the event is about.",
    events: AT_WRITES,
    read: ({ write }) =>
      write === undefined ? new Unknown("the event is no write") : WRITTEN.make(write),
  },
  raised: {
    type: recordOf("Raised"),
    doc: "The exception that the host is about to take.",
    events: ["exception"],
    section: "8.2",
    read: ({ raised }) =>
      raised === undefined ? new Unknown("the event is no exception") : RAISED.make(raised),
  },
  changes: {
    type: listOf(recordOf("Change")),
    doc: "The words of RAM that are not what they were at the matching earlier event, by address.",
    events: ["vmrun", "exit", "return"],
    read: ({ event, changes }) => changes.at(event),
  },
  guest: {
    type: recordOf("Guest"),
    doc: "The guest that runs or ran last.",
    read: ({ guests }) =>
      guests.current === undefined
        ? new Unknown("no guest has run")
        : GUEST.make({ number: guests.current }),
  },
  guests: {
    type: listOf(recordOf("Guest")),
    doc: "All guests that have run.",
    read: ({ guests }) => guestList(guests.count),
  },
  hv: {
    type: recordOf("Hypervisor"),
    doc: "The hypervisor's memory.",
    read: () => HYPERVISOR.make(undefined),
  },
  tlb_stale: {
    type: BOOLEAN,
    doc: "Whether the TLB may keep translations of vmcb.GUEST_ASID that the nested tables no longer give: after a VMRUN with this ASID some address came to be translated otherwise, or to allow less, and no TLB_CONTROL has flushed it.",
    section: "15.16",
    read: (view) => view.tlb.isStale(view),
  },
  ram: {
    type: rangeOf("hpa"),
    doc: "All RAM.",
    read: ({ machine }) => span("hpa", 0n, BigInt(machine.memory.ramBytes)),
  },
};

const lists = new Map<number, Result>();

function guestList(count: number): Result {
  let list = lists.get(count);
  if (list === undefined) {
    const elements = Array.from({ length: count }, (_, i) => GUEST.make({ number: i + 1 }));
    list = { kind: "list", elements };
    lists.set(count, list);
  }
  return list;
}

/** What the checker, hover and completion know of all that. */
export const BUILT_INS: BuiltIns = {
  globals: new Map(Object.entries(GLOBALS)),
  functions: new Map(Object.entries(FUNCTIONS)),
  records: new Map(RECORDS.map(({ name, fields }) => [name, fields])),
  constants: new Map([...CONSTANTS].map(([name, row]) => [name, { ...row, type: INTEGER }])),
  exits: new Set(EXITS.map(({ name }) => name)),
  msrs: new Set(MSR_NUMBERS.keys()),
  exceptions: new Set(EXCEPTION_VECTORS.keys()),
};

/** One sentence about each record. */
export const RECORD_DOCS: ReadonlyMap<string, string> = new Map(
  RECORDS.map(({ name, doc }) => [name, doc]),
);
